//! A session as experiments see it: commits, hands, and the meter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use kube::Client;
use partywall_agent::protocol::Sample;
use partywall_core::exposure::Edge;
use partywall_core::inventory::PodName;
use partywall_offline::sops::OpenError;
use tokio::task::JoinSet;

use super::follow::{Followed, empty, follow, gone, settled_pods, trigger, trigger_kustomizations};
use super::hand::{self, HandError};
use super::meter::{Meter, MeterSettings};
use super::moments::{Moments, watch};
use super::newborn::{Newborn, newborns, own_pace};
use super::plugin::{Plugin, network_plugin};
use crate::client::ClientError;
use crate::push::{KeyError, PushError, PushOptions, Pushed, push_layout};
use crate::reconcile::{ReconcileError, ReconcileReport, reconcile};
use crate::session::Session;
use crate::spec::LayoutSpec;
use crate::wait::WaitError;

/// Something that an experiment could not do.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// There is no cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A commit was not taken.
    #[error(transparent)]
    Push(#[from] PushError),
    /// Flux could not be asked.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// Something could not be done by hand.
    #[error(transparent)]
    Hand(#[from] HandError),
    /// A sealed file could not be changed.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// A key Secret was not taken.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Something did not come in time.
    #[error(transparent)]
    Late(#[from] WaitError<std::convert::Infallible>),
    /// The system has no random numbers to give.
    #[error("{0}")]
    Random(String),
    /// A file of the session could not be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The tenant has no secrets in the contract.
    #[error("{tenant} has no secrets in the contract (hint: name another with `--tenant`)")]
    NoSecrets {
        /// The tenant.
        tenant: String,
    },
    /// Nothing of Flux applies the file.
    #[error("no Flux Kustomization builds the folder of {file}")]
    NoApplier {
        /// The file.
        file: String,
    },
    /// The API server did not answer.
    #[error("failed to {action}: {source}")]
    Cluster {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
}

pub(super) fn failed(action: &'static str) -> impl FnOnce(kube::Error) -> SiteError {
    move |source| SiteError::Cluster { action, source: Box::new(source) }
}

/// A session, its cluster, and a layout that it holds or will hold.
pub struct Site {
    pub(super) session: Session,
    pub(super) client: Client,
    pub(super) spec: LayoutSpec,
}

impl Site {
    /// Attach to a session.
    pub async fn attach(session: Session, spec: LayoutSpec) -> Result<Self, SiteError> {
        let client = session.client().await?;
        Ok(Self { session, client, spec })
    }

    /// The session.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The network plugin, if it is one that is known.
    pub async fn network_plugin(&self) -> Result<Option<Plugin>, SiteError> {
        network_plugin(&self.client).await.map_err(failed("look for the network plugin"))
    }

    /// Push the layout with these files replaced.
    pub async fn push(&mut self, files: &BTreeMap<String, String>) -> Result<Pushed, SiteError> {
        let replace = files.iter().map(|(path, text)| (path.clone(), Some(text.clone())));
        let options = PushOptions { replace: replace.collect(), ..PushOptions::default() };
        Ok(push_layout(&mut self.session, &self.spec, &options).await?)
    }

    /// Ask the sources to look, and nothing else.
    pub async fn trigger(&self) -> Result<(), SiteError> {
        Ok(trigger(&self.client).await?)
    }

    /// Ask the Kustomizations to look, as their interval would.
    pub async fn trigger_kustomizations(&self) -> Result<(), SiteError> {
        Ok(trigger_kustomizations(&self.client).await?)
    }

    /// Wait until Flux has taken up a commit by itself.
    pub async fn follow(&self, pushed: &Pushed, limit: Duration) -> Followed {
        follow(&self.client, pushed, limit).await
    }

    /// Wait until no pod of these namespaces is on its way.
    pub async fn settled_pods(&self, namespaces: &[String], limit: Duration) -> Followed {
        settled_pods(&self.client, namespaces, limit).await
    }

    /// Wait until these namespaces have no pods.
    pub async fn empty(&self, namespaces: &[String], limit: Duration) -> Followed {
        empty(&self.client, namespaces, limit).await
    }

    /// Wait until these namespaces are gone.
    pub async fn gone(&self, namespaces: &[String], limit: Duration) -> Followed {
        gone(&self.client, namespaces, limit).await
    }

    /// Push the layout as it is and drive Flux until it is applied.
    pub async fn restore(&mut self, limit: Duration) -> Result<ReconcileReport, SiteError> {
        let pushed = self.push(&BTreeMap::new()).await?;
        let sync = self.spec.sync.clone();
        let (client, session) = (&self.client, &self.session);
        let report = reconcile(client, session, &sync, &pushed, limit / 2).await?;
        if !report.timed_out {
            return Ok(report);
        }
        // What waits after a failure may wait for minutes.
        self.trigger_kustomizations().await?;
        Ok(reconcile(client, session, &sync, &pushed, limit / 2).await?)
    }

    /// Delete every policy of these namespaces; tells how many.
    pub async fn delete_policies(&self, namespaces: &[String]) -> Result<usize, SiteError> {
        let mut deleted = 0;
        for namespace in namespaces {
            let names = hand::policies_of(&self.client, namespace).await?;
            hand::delete_policies(&self.client, namespace, &names).await?;
            deleted += names.len();
        }
        Ok(deleted)
    }

    /// Names of the policies of these namespaces, as `namespace/name`.
    pub async fn policies(&self, namespaces: &[String]) -> Result<BTreeSet<String>, SiteError> {
        let mut found = BTreeSet::new();
        for namespace in namespaces {
            let names = hand::policies_of(&self.client, namespace).await?;
            found.extend(names.into_iter().map(|name| format!("{namespace}/{name}")));
        }
        Ok(found)
    }

    /// Delete the pods with this label and wait until others are ready.
    pub async fn restart(
        &self,
        namespace: &str,
        label: &str,
        limit: Duration,
    ) -> Result<(), SiteError> {
        Ok(hand::restart(&self.client, namespace, label, limit).await?)
    }

    /// Begin to probe these edges.
    pub fn meter(&self, edges: Vec<Edge>, settings: MeterSettings) -> Meter {
        Meter::start(self.client.clone(), edges, settings)
    }

    /// Begin to note moments; they are noted until the set is dropped.
    pub async fn watch(
        &self,
        namespaces: &BTreeSet<String>,
        moments: &Moments,
    ) -> Result<JoinSet<()>, SiteError> {
        watch(&self.client, namespaces, moments).await.map_err(failed("watch the cluster"))
    }

    /// Pods of these namespaces that have an address and are not known yet.
    pub async fn newborns(
        &self,
        namespaces: &[String],
        known: &BTreeSet<PodName>,
    ) -> Result<Vec<Newborn>, SiteError> {
        newborns(&self.client, namespaces, known).await.map_err(failed("list the pods"))
    }

    /// What an agent sampled from its first instruction on.
    pub async fn own_pace(&self, pod: &PodName) -> Result<Vec<Sample>, String> {
        own_pace(&self.client, pod).await
    }
}
