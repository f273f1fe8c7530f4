//! The seam: questions, not kubectl verbs, so that every backend can answer them.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use thiserror::Error;

use crate::contract::Contract;
use crate::event::Blame;
use crate::inventory::Inventory;
use crate::observation::Observation;
use crate::probe::{Probe, ProbeBatch, ProbeKind};

/// The ways of answering questions about a layout.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// From rendered files.
    Offline,
    /// On a cluster that `up` made.
    Kind,
    /// On a cluster that the user named.
    Attach,
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Offline => "offline",
            Self::Kind => "kind",
            Self::Attach => "attach",
        })
    }
}

/// Whether a backend can answer a kind of question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capability {
    /// It can.
    Yes,
    /// It cannot, for this reason; such trials are listed as ignored.
    No {
        /// One line for a person.
        reason: String,
    },
}

/// How long an observation may take as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub Duration);

/// Why a whole batch could not be observed. One probe that could not be put is no such error
/// but [`Observation::Failed`].
#[derive(Debug, Error)]
pub enum ObserveError {
    /// There is no session, or its cluster is gone.
    #[error("{message}\nhint: {hint}")]
    NoCluster {
        /// What is missing.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The cluster does not enforce policies, so nothing may be judged on it.
    #[error("the enforcement canary did not bite: {message}\nhint: {hint}")]
    Canary {
        /// On which node, and what was seen.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Anything else that the environment lacks.
    #[error("{0}")]
    Environment(String),
}

/// A backend that can be asked.
pub trait Cluster: Sync {
    /// Which one it is.
    fn backend(&self) -> Backend;

    /// Whether it can answer this kind of question. Pure: decides at list time what is
    /// ignored, and why.
    fn capability(&self, kind: ProbeKind) -> Capability;

    /// Make sure that controls, twins and sentinels stand, that policies are realised and
    /// enforced, and say what stands in the cluster.
    fn prepare(
        &self,
        contract: &Contract,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Inventory, ObserveError>> + Send;

    /// Ask; answers come in the order of the probes.
    fn observe(
        &self,
        batch: &ProbeBatch,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Observation>, ObserveError>> + Send;

    /// The line of the layout that decides how a probe was answered, where the backend knows it.
    /// A backend that asks a cluster does not: the runner then reads the files.
    fn blame(&self, _probe: &Probe) -> Option<Blame> {
        None
    }

    /// Show at the end that policies are still enforced.
    fn conclude(&self, deadline: Deadline)
    -> impl Future<Output = Result<(), ObserveError>> + Send;
}

/// A backend that can create and destroy clusters. An attached cluster never is one.
pub trait Provision {
    /// What to build.
    type Spec;
    /// What was built, for later commands to attach to.
    type Session;
    /// What was removed.
    type Removed;
    /// What went wrong.
    type Error: std::error::Error;

    /// Build, or complete what an interrupted call began.
    fn up(&self, spec: &Self::Spec) -> impl Future<Output = Result<Self::Session, Self::Error>>;

    /// Remove everything that `up` made, and nothing else.
    fn down(&self, name: &str) -> impl Future<Output = Result<Self::Removed, Self::Error>>;
}
