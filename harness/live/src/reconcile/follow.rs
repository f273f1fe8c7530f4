//! The wait for a pushed commit.

use std::time::{Duration, Instant};

use kube::api::{Api, DeleteParams, DynamicObject};
use kube::{Client, ResourceExt};
use partywall_core::inventory::HARNESS_LABEL;

use super::kinds::{Flux, World};
use super::report::{ObjectStatus, Readiness, ReconcileReport};
use super::silent::Silence;
use super::sync::{apply_sync, request, request_reset};
use super::workloads::workloads;
use crate::apply::ApplyError;
use crate::push::Pushed;
use crate::random::{RandomError, nonce};
use crate::session::Session;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A failure may have been about something that came a moment later (a namespace, a definition).
/// Each object that failed is asked again this often before its failure is believed.
const ASK_AGAIN: u32 = 2;
const BETWEEN_ASKING: Duration = Duration::from_millis(1500);

/// A commit that could not be followed. An object that is not Ready is no error: the report
/// says so.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The layout does not say how Flux syncs it.
    #[error(
        "failed to read how Flux syncs the layout from {file}: {detail} \
         (hint: the file must hold a GitRepository and a Kustomization)"
    )]
    Sync {
        /// The file.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// The API server refused or did not answer a request.
    #[error("failed to {action}: {source}")]
    Cluster {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// An object was refused.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Let Flux look at a pushed commit at once and wait until every object of it is Ready, or is
/// settled in not being so, or the deadline passes. `sync` is the layout's sync file.
pub async fn reconcile(
    client: &Client,
    session: &Session,
    sync: &str,
    pushed: &Pushed,
    limit: Duration,
) -> Result<ReconcileReport, ReconcileError> {
    let started = Instant::now();
    let token = nonce()?;
    let mut follow = Follow { client, pushed, token, asked_again: 0, last_asked: None };
    let mut silence = Silence::default();
    // A run that was cut off leaves objects that never follow the layout's commit.
    sweep(client).await.map_err(failed("take away what the harness left"))?;
    apply_sync(client, session, sync).await?;
    follow.trigger_sources().await?;
    loop {
        let world = World::look(client).await.map_err(failed("list Flux's objects"))?;
        let mut objects = world.statuses(pushed, &follow.token);
        let silent = world.unreported(&follow.token);
        let filled = silence.fill(client, silent, &mut objects).await;
        filled.map_err(failed("read Flux's logs"))?;
        let (settled, mut over) = follow.step(&world, &objects).await?;
        if settled {
            let workloads = workloads(client).await.map_err(failed("list the workloads"))?;
            let flux_ready = objects.iter().all(|object| object.readiness == Readiness::Ready);
            let rolled_out = workloads.iter().all(|object| object.readiness == Readiness::Ready);
            over = if flux_ready { rolled_out } else { over };
            objects.extend(workloads);
        }
        let timed_out = started.elapsed() > limit;
        if timed_out && !settled {
            // Flux is still waiting, most likely for one of these.
            objects.extend(workloads(client).await.map_err(failed("list the workloads"))?);
        }
        if over || timed_out {
            let timed_out = timed_out && !over;
            let seconds = started.elapsed().as_secs_f64();
            return Ok(ReconcileReport {
                commit: pushed.commit.clone(),
                objects,
                seconds,
                timed_out,
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Delete objects of Flux that are the harness's own.
async fn sweep(client: &Client) -> Result<(), kube::Error> {
    for kind in [Flux::Kustomization, Flux::GitRepository] {
        for object in kind.list(client).await? {
            if object.labels().contains_key(HARNESS_LABEL) {
                let namespace = object.namespace().unwrap_or_default();
                let api: Api<DynamicObject> =
                    Api::namespaced_with(client.clone(), &namespace, &kind.resource());
                match api.delete(&object.name_any(), &DeleteParams::default()).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    deleted => drop(deleted?),
                }
            }
        }
    }
    Ok(())
}

fn failed(action: &'static str) -> impl Fn(kube::Error) -> ReconcileError {
    move |source| ReconcileError::Cluster { action, source: Box::new(source) }
}

struct Follow<'a> {
    client: &'a Client,
    pushed: &'a Pushed,
    token: String,
    asked_again: u32,
    last_asked: Option<Instant>,
}

impl Follow<'_> {
    async fn trigger_sources(&self) -> Result<(), ReconcileError> {
        for kind in [Flux::GitRepository, Flux::HelmRepository, Flux::OciRepository] {
            let found = kind.list(self.client).await.map_err(failed("list the sources"))?;
            for object in found {
                request(self.client, kind, &object, &self.token).await?;
            }
        }
        Ok(())
    }

    /// Ask where asking is due. The answer: whether Flux is settled, and whether it is over.
    async fn step(
        &mut self,
        world: &World,
        statuses: &[ObjectStatus],
    ) -> Result<(bool, bool), ReconcileError> {
        let all = world.objects.iter().zip(statuses);
        let releases_due = self.ask_releases(world, statuses).await?;
        let pending = statuses.iter().any(|status| status.readiness == Readiness::Pending);
        let has_root = statuses.iter().any(|status| status.kind == "Kustomization");
        if pending || releases_due || !has_root || !self.root_is_there(world) {
            return Ok((false, false));
        }
        let failing: Vec<_> =
            all.filter(|(_, status)| status.readiness != Readiness::Ready).collect();
        if failing.is_empty() {
            return Ok((true, true));
        }
        if self.last_asked.is_some_and(|asked| asked.elapsed() < BETWEEN_ASKING) {
            return Ok((true, false));
        }
        if self.asked_again == ASK_AGAIN {
            return Ok((true, true));
        }
        self.asked_again += 1;
        self.last_asked = Some(Instant::now());
        let (releases, others): (Vec<_>, Vec<_>) =
            failing.into_iter().partition(|((kind, _), _)| *kind == Flux::HelmRelease);
        for ((kind, object), _) in others {
            request(self.client, *kind, object, &nonce()?).await?;
        }
        // A release's first attempt may have been too early, and by default it has no second.
        let worth = |status: &ObjectStatus| status.reason != "AccessDenied";
        let mut again = releases.into_iter().filter(|(_, status)| worth(status)).peekable();
        if again.peek().is_some() {
            // Freshness is judged by this token: with a new one, every release is asked anew.
            self.token = nonce()?;
        }
        for ((_, object), _) in again {
            request_reset(self.client, object, &self.token).await?;
        }
        Ok((true, false))
    }

    /// Once the Kustomizations have settled, every release is asked to look at its values.
    async fn ask_releases(
        &self,
        world: &World,
        statuses: &[ObjectStatus],
    ) -> Result<bool, ReconcileError> {
        let before = |status: &&ObjectStatus| status.kind != "HelmRelease";
        let settled = |status: &ObjectStatus| status.readiness != Readiness::Pending;
        if !statuses.iter().filter(before).all(settled) {
            return Ok(false);
        }
        let mut due = false;
        for (kind, object) in &world.objects {
            let annotations = object.metadata.annotations.as_ref();
            let asked = annotations.and_then(|all| all.get("reconcile.fluxcd.io/requestedAt"));
            if *kind == Flux::HelmRelease && asked != Some(&self.token) {
                request(self.client, *kind, object, &self.token).await?;
                due = true;
            }
        }
        Ok(due)
    }

    /// Whether a GitRepository of the pushed layout is known to Flux at all.
    fn root_is_there(&self, world: &World) -> bool {
        let url = self.pushed.repositories.first().map(|first| first.url.as_str());
        world.objects.iter().any(|(kind, object)| {
            *kind == Flux::GitRepository && object.data["spec"]["url"].as_str() == url
        })
    }
}
