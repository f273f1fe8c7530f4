//! From nothing, or from whatever an earlier `up` left, to a session.

use std::time::Duration;

use kube::Client;
use partywall_tool::ToolError;

use super::cluster::{create, ensure_network, load_agent, node_containers, save_agent};
use super::doctor::{doctor, image_id};
use super::error::UpError;
use super::orphan::clear;
use super::ownership::{Found, find};
use super::{cni, flux, git_server, world};
use crate::apply::apply_all;
use crate::canary::{CanaryReport, canary};
use crate::clear::clear as clear_layout;
use crate::manifests::{CANARY, objects_with_images};
use crate::progress::{Clock, Phase, PhaseTime, Progress};
use crate::push::{
    PushOptions, Pushed, apply_key_secrets, ensure_keys, layout_digest, push_layout,
};
use crate::reconcile::{ReconcileReport, reconcile};
use crate::session::{Session, SessionError, Stage};
use crate::spec::{LayoutSpec, UpSpec};
use crate::wait::WaitError;

const RECONCILE: Duration = Duration::from_secs(180);
const CANARY_LIMIT: Duration = Duration::from_secs(60);

/// What `up` ends with.
#[derive(Debug)]
pub struct Up {
    /// The session.
    pub session: Session,
    /// How the layout's objects stand. A layout that does not become Ready is the layout's
    /// business: the session is there, and its tests will say what is wrong.
    pub report: ReconcileReport,
    /// What the enforcement canary showed, where it ran.
    pub canary: Option<CanaryReport>,
    /// Whether the cluster was there already.
    pub reused: bool,
    /// How long each step took.
    pub times: Vec<PhaseTime>,
}

/// Bring a session up, or repair it, or find it as it should be.
pub async fn up(spec: &UpSpec, progress: &dyn Progress) -> Result<Up, UpError> {
    if !(1..=2).contains(&spec.nodes) {
        return Err(UpError::Nodes { nodes: spec.nodes });
    }
    let _lock = Session::lock(&spec.state, &spec.session)?;
    let clock = Clock::new(progress);
    let examined = clock.step(Phase::Doctor, examine(spec, &clock)).await;
    if examined.is_err() {
        Session::forget_if_unmade(&spec.state, &spec.session)?;
    }
    let (found, images) = examined?;
    let known = match Session::load(&spec.state, &spec.session) {
        Ok(session) => Some(session),
        // A session file that nobody can read stands for a session that nobody can use.
        Err(SessionError::Missing { .. } | SessionError::Unreadable { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let known = known.filter(|known| {
        (known.nodes, known.ip_family) == (spec.nodes, spec.ip_family) && known.images == images
    });
    if let Some(known) = known
        && let Some(client) = alive(&known, &found).await
    {
        return resume(known, client, spec, &found, &clock).await;
    }
    from_nothing(spec, found, images, &clock).await
}

async fn examine(spec: &UpSpec, clock: &Clock<'_>) -> Result<(Found, Vec<String>), UpError> {
    for finding in doctor(&spec.bundle).await? {
        clock.says(Phase::Doctor, &finding.text);
    }
    let action = "look for what is there";
    let found = find(&spec.session).await;
    let found = found.map_err(|source| UpError::Program { action, source })?;
    if let Some(what) = found.foreign.first() {
        return Err(UpError::Foreign { what: what.clone() });
    }
    let bundle = &spec.bundle;
    let images = [&bundle.node, &bundle.git_server, &bundle.agent].map(|image| image_id(image));
    Ok((found, futures::future::try_join_all(images).await?))
}

/// The client of a cluster that still answers.
async fn alive(session: &Session, found: &Found) -> Option<Client> {
    let nodes = node_containers(session);
    if !nodes.iter().all(|node| found.running_nodes.contains(node)) {
        return None;
    }
    session.client().await.ok()
}

async fn from_nothing(
    spec: &UpSpec,
    found: Found,
    images: Vec<String>,
    clock: &Clock<'_>,
) -> Result<Up, UpError> {
    let bundle = spec.bundle.clone();
    let mut session = Session::begin(&spec.state, &spec.session, spec.nodes, bundle)?;
    session.images = images;
    session.ip_family = spec.ip_family;
    let found = clear(&session.name, &session.kubeconfig(), found).await.map_err(interrupted)?;
    session.clear_files()?;
    session.save()?;
    ensure_network(&session, &found).await?;
    let git = clock.step(Phase::GitServer, git_server::ensure(&session, &[])).await?;
    session.git = Some(git);
    session.save()?;
    let site = session.clone();
    let cluster = async {
        let made = clock.step(Phase::Cluster, create(&site));
        futures::try_join!(made, save_agent(&site))?;
        Ok::<_, UpError>(site.client().await?)
    };
    let pushing = push(&mut session, &spec.layout, clock);
    let (client, pushed) = futures::try_join!(cluster, pushing)?;
    session.stage = Stage::Cluster;
    session.save()?;
    // Before the name server starts, so that it reads its configuration once.
    session.world = world::make(&client, &session).await?;
    session.save()?;
    let (canary, report) = platform(&client, &session, &spec.layout, &pushed, clock).await?;
    finish(session, report, Some(canary), false, clock)
}

fn interrupted(error: WaitError<ToolError>) -> UpError {
    match error {
        WaitError::Failed(source) => {
            UpError::Program { action: "remove what an earlier `up` left", source }
        }
        WaitError::TimedOut { condition, waited, last } => {
            WaitError::TimedOut { condition, waited, last }.into()
        }
    }
}

async fn push(
    session: &mut Session,
    layout: &LayoutSpec,
    clock: &Clock<'_>,
) -> Result<Pushed, UpError> {
    let work = async {
        let all = layout.secrets.iter().flat_map(|tenant| tenant.recipients.clone());
        ensure_keys(session, all)?;
        let pushed = push_layout(session, layout, &PushOptions::default()).await?;
        for secret in session.expectations.iter().filter(|secret| secret.made_up) {
            let text = format!("{}: made-up values, no key was given for it", secret.file);
            clock.says(Phase::Push, &text);
        }
        Ok(pushed)
    };
    clock.step(Phase::Push, work).await
}

/// Everything between a bare cluster and a layout that Flux follows. Every step can be repeated.
async fn platform(
    client: &Client,
    session: &Session,
    layout: &LayoutSpec,
    pushed: &Pushed,
    clock: &Clock<'_>,
) -> Result<(CanaryReport, ReconcileReport), UpError> {
    let agent = clock.step(Phase::AgentImage, load_agent(session));
    let cni = clock.step(Phase::Cni, cni::install(client, session));
    let network = async {
        futures::try_join!(agent, cni)?;
        let work = run_canary(client, session);
        clock.step(Phase::Canary, work).await
    };
    let gitops = async {
        let flux = async {
            flux::install(client, session).await?;
            flux::ready(client).await
        };
        clock.step(Phase::Flux, flux).await?;
        let keys = async {
            apply_key_secrets(client, session, &layout.secrets).await.map_err(UpError::from)
        };
        clock.step(Phase::Keys, keys).await?;
        follow(client, session, layout, pushed, clock).await
    };
    futures::try_join!(network, gitops)
}

async fn run_canary(client: &Client, session: &Session) -> Result<CanaryReport, UpError> {
    let mut components = session.bundle.components.clone();
    components.insert("agent".to_string(), session.bundle.agent.clone());
    let objects = objects_with_images("canary.yaml", CANARY, &components)?;
    let (namespaces, rest): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|object| object.types.as_ref().is_some_and(|types| types.kind == "Namespace"));
    apply_all(client, &namespaces).await?;
    apply_all(client, &rest).await?;
    Ok(canary(client, CANARY_LIMIT).await?)
}

async fn follow(
    client: &Client,
    session: &Session,
    layout: &LayoutSpec,
    pushed: &Pushed,
    clock: &Clock<'_>,
) -> Result<ReconcileReport, UpError> {
    let work = async {
        let report = reconcile(client, session, &layout.sync, pushed, RECONCILE).await?;
        for object in report.failures() {
            clock.says(Phase::Reconcile, &object.to_string());
        }
        Ok(report)
    };
    clock.step(Phase::Reconcile, work).await
}

/// The cluster is there: repair what is half made, and push only what changed.
async fn resume(
    mut session: Session,
    client: Client,
    spec: &UpSpec,
    found: &Found,
    clock: &Clock<'_>,
) -> Result<Up, UpError> {
    session.bundle = spec.bundle.clone();
    session.world = world::make(&client, &session).await?;
    let git = clock.step(Phase::GitServer, git_server::ensure(&session, &found.ours)).await?;
    let same_server = session.git.as_ref() == Some(&git) && git_server::holds(&session, &git).await;
    session.git = Some(git);
    let digest = layout_digest(&spec.layout, &PushOptions::default())?;
    let same_layout = same_server && session.layout_digest.as_ref() == Some(&digest);
    if !same_layout && session.layout.as_ref() != Some(&spec.layout.identity()) {
        // What another layout left (rights above all) must not hide what this one lacks.
        clock.says(Phase::Push, "taking the other layout out of the cluster");
        clear_layout(&client).await?;
    }
    let pushed = match session.pushed.clone().filter(|_| same_layout) {
        Some(pushed) => pushed,
        None => push(&mut session, &spec.layout, clock).await?,
    };
    if session.stage < Stage::Platform {
        save_agent(&session).await?;
        let (canary, report) = platform(&client, &session, &spec.layout, &pushed, clock).await?;
        return finish(session, report, Some(canary), true, clock);
    }
    apply_key_secrets(&client, &session, &spec.layout.secrets).await?;
    let report = follow(&client, &session, &spec.layout, &pushed, clock).await?;
    finish(session, report, None, true, clock)
}

fn finish(
    mut session: Session,
    report: ReconcileReport,
    canary: Option<CanaryReport>,
    reused: bool,
    clock: &Clock<'_>,
) -> Result<Up, UpError> {
    session.stage = Stage::Layout;
    if let Some(canary) = &canary {
        session.speaks_sctp = Some(canary.speaks_sctp);
    }
    session.times = clock.times();
    session.save()?;
    Ok(Up { report, canary, reused, times: clock.times(), session })
}
