//! Private keys.

use std::fmt;

use age::x25519;

use super::error::OpenError;

/// Private age keys. They never print.
#[derive(Clone)]
pub struct Identities(Vec<x25519::Identity>);

impl Identities {
    /// Read the text of a key file: one `AGE-SECRET-KEY-1…` a line, comments with `#`.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = line.parse::<x25519::Identity>().map_err(|reason| {
                let message = format!("line {}: {reason}", index + 1);
                OpenError::BadIdentity { message }
            })?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(OpenError::BadIdentity { message: "no key in the text".to_string() });
        }
        Ok(Self(keys))
    }

    /// All of these together.
    pub fn joined<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        Self(all.into_iter().flat_map(|one| one.0.iter().cloned()).collect())
    }

    /// The public keys, `age1…`.
    pub fn recipients(&self) -> Vec<String> {
        self.0.iter().map(|key| key.to_public().to_string()).collect()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|key| key as &dyn age::Identity)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identities({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_and_never_printed() {
        let text = include_str!("../../tests/data/owner-TEST-ONLY.key");
        let keys = Identities::parse(text).unwrap();
        assert_eq!(format!("{keys:?}"), "Identities(1 keys)");
        assert!(keys.recipients()[0].starts_with("age1"));
    }

    #[test]
    fn a_broken_key_is_not_quoted() {
        let error = Identities::parse("# note\nAGE-SECRET-KEY-1BROKEN\n").unwrap_err();
        assert!(!error.to_string().contains("BROKEN"), "{error}");
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(Identities::parse("# nothing\n").is_err());
    }
}
