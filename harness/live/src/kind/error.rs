//! What can go wrong in `up` and `down`, each with what to do next.

use std::path::PathBuf;

use partywall_tool::ToolError;

use crate::apply::ApplyError;
use crate::canary::CanaryError;
use crate::client::ClientError;
use crate::manifests::ManifestError;
use crate::push::{KeyError, PushError};
use crate::reconcile::ReconcileError;
use crate::session::SessionError;
use crate::wait::WaitError;

/// Whose fault an error is; the command line makes an exit code of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The machine or the cluster.
    Environment,
    /// What was asked for, or the layout.
    Input,
}

/// A session that did not come up.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// No docker program.
    #[error(
        "Docker is not installed \
         (hint: on Debian or Ubuntu `apt-get install docker.io`; elsewhere see Docker's own pages)"
    )]
    DockerAbsent,
    /// The daemon does not answer.
    #[error(
        "the Docker daemon does not answer: {detail} \
         (hint: start it, and check that `docker info` works for this user)"
    )]
    DockerSilent {
        /// What docker said.
        detail: String,
    },
    /// Too little room for a cluster.
    #[error(
        "{path} has {free_mib} MiB free, and a cluster wants {needed_mib} MiB \
         (hint: the disk is full; `docker system df` shows what takes the room)"
    )]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Free space.
        free_mib: u64,
        /// Wanted space.
        needed_mib: u64,
    },
    /// An image of the bundle is not in the Docker daemon.
    #[error("the image {image} is missing (hint: `partywall images build` makes it)")]
    ImageMissing {
        /// The image.
        image: String,
    },
    /// Something of that name exists that we did not make.
    #[error(
        "there already is a {what} that Partywall did not make; it is left alone \
         (hint: choose another name with `--session`)"
    )]
    Foreign {
        /// What it is.
        what: String,
    },
    /// Only one and two nodes are supported.
    #[error("a session has 1 or 2 nodes, not {nodes}")]
    Nodes {
        /// What was asked for.
        nodes: u8,
    },
    /// A program failed.
    #[error("failed to {action}: {source}")]
    Program {
        /// What was tried.
        action: &'static str,
        /// How it failed.
        #[source]
        source: ToolError,
    },
    /// The Git server's container did not start.
    #[error("failed to start the Git server: {source}")]
    GitServer {
        /// Why.
        #[source]
        source: Box<testcontainers::TestcontainersError>,
    },
    /// Something did not become ready.
    #[error(transparent)]
    NotReady(#[from] WaitError<std::convert::Infallible>),
    /// The API server refused or did not answer a request.
    #[error("failed to {action}: {source}")]
    Cluster {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// No randomness.
    #[error(transparent)]
    Random(#[from] crate::random::RandomError),
    /// Denials mean nothing on this cluster.
    #[error(transparent)]
    Canary(#[from] CanaryError),
    /// No client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An object was refused.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A manifest of ours is wrong, or an image of it is not in the bundle.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The keys did not get into the cluster.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The layout was not pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// Another layout could not be taken out.
    #[error(transparent)]
    Clear(#[from] crate::clear::ClearError),
    /// The layout could not be followed.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// The session cannot be kept.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl UpError {
    /// Whose fault it is.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Nodes { .. }
            | Self::Session(SessionError::Name { .. })
            | Self::Keys(KeyError::Name { .. })
            | Self::Push(
                PushError::Layout { .. }
                | PushError::NotASecret { .. }
                | PushError::UnknownRecipient { .. },
            )
            | Self::Reconcile(ReconcileError::Sync { .. }) => ErrorKind::Input,
            _ => ErrorKind::Environment,
        }
    }
}

/// A session that was not removed whole.
#[derive(Debug, thiserror::Error)]
pub enum DownError {
    /// Something of that name exists that we did not make.
    #[error("there is a {what} that Partywall did not make; it is left alone")]
    Foreign {
        /// What it is.
        what: String,
    },
    /// A program failed.
    #[error("failed to {action}: {source}")]
    Program {
        /// What was tried.
        action: &'static str,
        /// How it failed.
        #[source]
        source: ToolError,
    },
    /// An interrupted `up` is still at work.
    #[error(transparent)]
    NotOver(WaitError<std::convert::Infallible>),
    /// The session's files could not be removed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do_next() {
        let image = UpError::ImageMissing { image: "partywall.local/node:v1".to_string() };
        let full = UpError::DiskFull { path: "/var".into(), free_mib: 3, needed_mib: 4096 };
        let foreign = UpError::Foreign { what: "kind cluster `x`".to_string() };
        let silent = UpError::DockerSilent { detail: "no socket".to_string() };
        for error in [UpError::DockerAbsent, image, full, foreign, silent] {
            assert!(error.to_string().contains("(hint: "), "{error}");
            assert_eq!(error.kind(), ErrorKind::Environment);
        }
    }

    #[test]
    fn a_bad_layout_is_the_callers_fault() {
        let detail = "it has no `sops` block".to_string();
        let (file, tenant) = ("a/secrets.yaml".to_string(), "a".to_string());
        let error = UpError::Push(PushError::NotASecret { file, tenant, detail });
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(UpError::Nodes { nodes: 3 }.kind(), ErrorKind::Input);
    }
}
