//! Why a sealed file could not be opened.

use partywall_core::source::SourceLocation;
use thiserror::Error;

/// Why a sealed file could not be opened. Messages hold no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The file has no `sops` block.
    #[error(
        "{file}:1: the file is not sealed: it has no `sops` block\nhint: encrypt it with `sops encrypt --in-place {file}`"
    )]
    NotSealed {
        /// The file.
        file: String,
    },
    /// None of the keys is a recipient's.
    #[error("{file}: none of the keys opens it; it is sealed to {}", names(recipients))]
    NoMatchingKey {
        /// The file.
        file: String,
        /// Public keys of those who may open it.
        recipients: Vec<String>,
    },
    /// The content is not what was sealed.
    #[error("{location}: {what} was changed after it was sealed")]
    BadMac {
        /// The value, or the `mac` line where a whole is wrong.
        location: SourceLocation,
        /// What was changed.
        what: &'static str,
    },
    /// Nothing tells whether the content is what was sealed.
    #[error("{location}: the `sops` block has no `mac`, so nobody can tell what was changed")]
    MacMissing {
        /// The `sops` block.
        location: SourceLocation,
    },
    /// The text is not what SOPS writes.
    #[error("{location}: {message}")]
    Malformed {
        /// Where.
        location: SourceLocation,
        /// What is wrong, as a lowercase fragment.
        message: String,
    },
    /// SOPS can do this, we cannot.
    #[error("{location}: {feature} is not supported")]
    Unsupported {
        /// Where.
        location: SourceLocation,
        /// What it is.
        feature: &'static str,
    },
    /// Nothing could be sealed.
    #[error("nothing can be sealed: {message}")]
    NoRandom {
        /// Why, without what was to be sealed.
        message: String,
    },
    /// The text that should hold private keys holds none, or a broken one.
    #[error("the private key cannot be used: {message}")]
    BadIdentity {
        /// What is wrong, without the key.
        message: String,
    },
}

impl OpenError {
    pub(super) fn malformed(file: &str, line: u64, message: impl Into<String>) -> Self {
        Self::Malformed { location: SourceLocation::new(file, line), message: message.into() }
    }

    pub(super) fn unsupported(file: &str, line: u64, feature: &'static str) -> Self {
        Self::Unsupported { location: SourceLocation::new(file, line), feature }
    }
}

fn names(recipients: &[String]) -> String {
    if recipients.is_empty() { "no age key".to_string() } else { recipients.join(", ") }
}
