//! Why a layout cannot be multiplied.

use std::path::PathBuf;

use partywall_core::source::LoadError;
use partywall_tool::ToolError;
use thiserror::Error;

/// A layout that was not made.
#[derive(Debug, Error)]
pub enum ScaleError {
    /// A run needs at least one tenant, and names have three digits.
    #[error("{0} tenants cannot be made (hint: from 1 to 999)")]
    Count(usize),
    /// The contract has no tenant that could be copied.
    #[error("the contract has no tenant with one recipient that could be copied")]
    NoTemplate,
    /// A file that the contract names is not in the layout.
    #[error("the layout has no file {0}")]
    NoFile(String),
    /// What was made cannot be read as a layout.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The sops program failed.
    #[error("failed to seal {file}: {source}")]
    Seal {
        /// The file.
        file: String,
        /// What sops said; it never prints values.
        #[source]
        source: ToolError,
    },
    /// A file or folder could not be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A repository of the layout lies where no copy may be put.
    #[error("the repository at {0} is not beside the layout and cannot be copied with it")]
    Repository(String),
}
