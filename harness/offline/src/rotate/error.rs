//! Why a key cannot be rotated.

use partywall_core::source::{LoadError, SourceLocation};
use thiserror::Error;

use crate::sops::OpenError;

/// Why a key cannot be rotated. Messages hold no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RotateError {
    /// The contract knows no such tenant, or none with secrets.
    #[error("`{tenant}` is no tenant with secrets in the contract\nhint: there are {known}")]
    NoTenant {
        /// The name.
        tenant: String,
        /// Those that have secrets.
        known: String,
    },
    /// Something in a file stands against it.
    #[error("{location}: {message}\nhint: {hint}")]
    File {
        /// Where.
        location: SourceLocation,
        /// What.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A sealed file cannot be rotated.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// A file of the layout cannot be read any more after the change.
    #[error(transparent)]
    Layout(#[from] LoadError),
}

impl RotateError {
    pub(super) fn at(
        location: SourceLocation,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::File { location, message: message.into(), hint: hint.into() }
    }
}
