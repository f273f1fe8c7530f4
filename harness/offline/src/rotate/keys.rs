//! Private keys of a rotation: read from where the user keeps them, and written nowhere else.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use age::secrecy::ExposeSecret;
use partywall_core::source::LoadError;

use crate::sops::Identities;

/// Private keys that a rotation may use.
#[derive(Clone, Debug, Default)]
pub struct RotationKeys {
    every: Vec<Identities>,
    new: Option<Identities>,
}

impl RotationKeys {
    /// The `*.agekey` files of a folder, and the file with the new key, where they are.
    pub fn load(folder: Option<&Path>, new: Option<&Path>) -> Result<Self, LoadError> {
        let mut keys = Self::default();
        if let Some(folder) = folder {
            for (name, text) in crate::secret::key_texts(folder)? {
                keys.every.extend(identities(&name, &text)?);
            }
        }
        if let Some(new) = new.filter(|new| new.is_file()) {
            let name = new.to_string_lossy();
            let read = fs::read_to_string(new);
            let text = read.map_err(|error| LoadError::at(&name, 1, error.to_string()))?;
            let found = identities(&name, &text)?;
            let [one] = found.as_slice() else {
                let message =
                    format!("{} keys stand here, and the new one must be alone", found.len());
                return Err(LoadError::at(&name, 1, message));
            };
            keys.every.push(one.clone());
            keys.new = Some(one.clone());
        }
        Ok(keys)
    }

    /// The public half of the new key.
    pub fn new_public(&self) -> Option<String> {
        self.new.as_ref().and_then(|new| new.recipients().into_iter().next())
    }

    /// The new key alone.
    pub const fn new_alone(&self) -> Option<&Identities> {
        self.new.as_ref()
    }

    /// The key with this public half, if it is here.
    pub fn of(&self, public: &str) -> Option<&Identities> {
        self.every.iter().find(|one| one.recipients().iter().any(|name| name == public))
    }

    /// Those whose public halves are not among these names.
    pub fn beside<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Identities {
        let names: Vec<&String> = names.into_iter().collect();
        let strange =
            |one: &&Identities| one.recipients().iter().all(|name| !names.contains(&name));
        Identities::joined(self.every.iter().filter(strange))
    }

    /// All of them.
    pub fn all(&self) -> Identities {
        Identities::joined(&self.every)
    }
}

fn identities(name: &str, text: &str) -> Result<Vec<Identities>, LoadError> {
    let mut found = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = Identities::parse(line).map_err(|_| {
            LoadError::at(name, index as u64 + 1, "the line is not a private age key")
        })?;
        found.push(key);
    }
    Ok(found)
}

/// Make a key in a new file that only its owner reads, and tell its public half.
pub fn write_new_key(path: &Path, tenant: &str) -> io::Result<String> {
    let key = age::x25519::Identity::generate();
    let public = key.to_public().to_string();
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "# {tenant}\n# public key: {public}")?;
    writeln!(file, "{}", key.to_string().expose_secret())?;
    Ok(public)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_key_is_its_owners_alone_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.agekey");
        let public = write_new_key(&path, "a").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let keys = RotationKeys::load(None, Some(&path)).unwrap();
        assert_eq!(keys.new_public(), Some(public.clone()));
        assert!(keys.of(&public).is_some() && keys.of("age1x").is_none());
        assert!(!format!("{keys:?}").contains("AGE-SECRET-KEY"));
        assert!(write_new_key(&path, "a").is_err());
        fs::write(&path, "AGE-SECRET-KEY-1BROKEN\n").unwrap();
        let error = RotationKeys::load(Some(folder.path()), None).unwrap_err().to_string();
        assert!(error.contains("new.agekey:1") && !error.contains("BROKEN"), "{error}");
    }
}
