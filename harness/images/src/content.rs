//! Keys made of everything that goes into a result.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::BuildError;

/// Raised when the way of building changes in a manner that no recipe shows.
const BUILD_EPOCH: &str = "1";

/// The hash of everything that goes into a result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(String);

impl Key {
    /// The whole hash, in hexadecimal.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it to name a folder.
    pub(crate) fn short(&self) -> &str {
        &self.0[..12]
    }
}

/// Collects what goes into a key. Each field is framed by its name and length, so that two lists of
/// fields never run together into the same bytes.
pub(crate) struct KeyMaker(Sha256);

impl KeyMaker {
    pub(crate) fn new(what: &str) -> Self {
        Self(Sha256::new()).field("epoch", BUILD_EPOCH).field("what", what)
    }

    #[must_use]
    pub(crate) fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.update(format!("{name}\0{}\0", value.len()));
        self.0.update(value);
        self
    }

    /// A recipe, as its canonical JSON.
    #[must_use]
    pub(crate) fn recipe(self, recipe: &impl Serialize) -> Self {
        // Recipes are maps of strings, which always serialise.
        self.field("recipe", serde_json::to_vec(recipe).unwrap_or_default())
    }

    /// One file's content.
    pub(crate) fn file(self, name: &str, path: &Path) -> Result<Self, BuildError> {
        let bytes = fs::read(path).map_err(BuildError::files("read", path))?;
        Ok(self.field(name, bytes))
    }

    /// Every file below a folder: path, whether it is executable, content.
    pub(crate) fn folder(mut self, folder: &Path) -> Result<Self, BuildError> {
        for path in files_below(folder)? {
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            let executable = if is_executable(&path) { "x" } else { "-" };
            self = self.field("mode", executable).file(&name, &path)?;
        }
        Ok(self)
    }

    pub(crate) fn key(self) -> Key {
        Key(hex(&self.0.finalize()))
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(crate) fn file_digest(path: &Path) -> Result<String, BuildError> {
    let mut file = fs::File::open(path).map_err(BuildError::files("read", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count =
            std::io::Read::read(&mut file, &mut buffer).map_err(BuildError::files("read", path))?;
        if count == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

/// All files below a folder, sorted; build output and documents of a module do not count.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(BuildError::files("list", &folder))? {
            let path = entry.map_err(BuildError::files("list", &folder))?.path();
            let skipped = path.extension().is_some_and(|extension| extension == "md");
            if path.is_dir() {
                folders.push(path);
            } else if !skipped {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_key(folder: &Path) -> Key {
        KeyMaker::new("test").folder(folder).unwrap().key()
    }

    #[test]
    fn fields_do_not_run_together() {
        let one = KeyMaker::new("t").field("a", "bc").field("d", "").key();
        let other = KeyMaker::new("t").field("a", "b").field("d", "c").key();
        assert_ne!(one, other);
    }

    #[test]
    fn a_folder_key_follows_content_name_and_mode_and_nothing_else() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sub/go.mod");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "module a").unwrap();
        let first = folder_key(dir.path());
        fs::write(dir.path().join("README.md"), "words").unwrap();
        fs::write(&file, "module a").unwrap();
        assert_eq!(folder_key(dir.path()), first, "a document or a new time changes nothing");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let executable = folder_key(dir.path());
        assert_ne!(executable, first);
        fs::write(&file, "module b").unwrap();
        assert_ne!(folder_key(dir.path()), executable);
    }

    #[test]
    fn names_the_folder_that_is_missing() {
        let error = KeyMaker::new("t").folder(Path::new("/no/such")).err().unwrap();
        assert_eq!(error.to_string(), "failed to list /no/such");
    }
}
