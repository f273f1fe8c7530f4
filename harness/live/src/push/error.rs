//! What can go wrong on the way from a working tree to the Git server.

use std::path::PathBuf;

use partywall_tool::ToolError;

/// A layout that was not pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The layout is not there.
    #[error("failed to read the layout {path}: {source}")]
    Layout {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The scratch copy cannot be written.
    #[error("failed to write the scratch copy {path}: {source}")]
    Scratch {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The Git server said no.
    #[error(
        "the Git server refused the push of {repository}: {source} \
         (hint: only the session's own password may push; `partywall up` again repairs the server)"
    )]
    Refused {
        /// The repository.
        repository: String,
        /// What git said.
        #[source]
        source: ToolError,
    },
    /// The git program failed before anything was pushed.
    #[error("failed to make the scratch commit of {repository}: {source}")]
    Commit {
        /// The repository.
        repository: String,
        /// What git said.
        #[source]
        source: ToolError,
    },
    /// A file that the contract names as a tenant's secret is not one.
    #[error(
        "{file} is named as a secret of {tenant}, but {detail} \
         (hint: encrypt it with `sops encrypt`, or correct partywall.yaml)"
    )]
    NotASecret {
        /// The file.
        file: String,
        /// The tenant.
        tenant: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The sops program failed.
    #[error("failed to encrypt {file} anew: {source}")]
    Sops {
        /// The file.
        file: String,
        /// What sops said; it never prints values.
        #[source]
        source: ToolError,
    },
    /// The session has no Git server yet.
    #[error("the session `{session}` has no Git server (hint: run `partywall up` first)")]
    NoServer {
        /// The session.
        session: String,
    },
    /// A recipient of the contract has no key in this session.
    #[error(
        "the session has no key for the recipient {recipient} \
         (hint: run `partywall up` again with this layout, so that its keys are made)"
    )]
    UnknownRecipient {
        /// The public key.
        recipient: String,
    },
    /// The session file could not be kept.
    #[error(transparent)]
    Session(#[from] crate::session::SessionError),
}
