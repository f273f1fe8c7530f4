//! Why a revision cannot be read.

use std::path::PathBuf;

use partywall_core::source::LoadError;
use partywall_tool::ToolError;

/// Why a revision cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// A text that is no name of a revision, and is not given to Git.
    #[error("`{}` is not a Git revision\nhint: a branch, a tag, a commit, or `HEAD~1`", revision.escape_debug())]
    Malformed {
        /// The text.
        revision: String,
    },
    /// Git knows no commit of this name.
    #[error("Git knows no commit `{revision}` in {}", directory.display())]
    Unknown {
        /// The name.
        revision: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The folder is in no Git repository.
    #[error("{} is in no Git repository, so that it has no revisions", directory.display())]
    NoRepository {
        /// The folder.
        directory: PathBuf,
    },
    /// Git does not trust the repository's owner.
    #[error(
        "Git does not read {}, because it belongs to another user\nhint: if you trust it, run \
         `git config --global --add safe.directory` with its root",
        directory.display()
    )]
    Ownership {
        /// The folder.
        directory: PathBuf,
    },
    /// The commit does not have the folder.
    #[error("commit {commit} has no folder `{folder}`")]
    NoFolder {
        /// The commit.
        commit: String,
        /// The folder's path in the repository.
        folder: String,
    },
    /// Git printed what it should not.
    #[error("Git's answer cannot be read: {0}")]
    Answer(&'static str),
    /// A file of the tree cannot be read.
    #[error(transparent)]
    File(#[from] LoadError),
    /// Git could not be run, or failed.
    #[error(transparent)]
    Git(#[from] ToolError),
}
