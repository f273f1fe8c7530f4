//! Looks at the Secrets that a tenant's workloads refer to, many a second: whether each is there,
//! and holds what it must. Values are hashed where they are read and go no further.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use partywall_core::event::{EdgeExposure, ExposedState};
use partywall_core::exposure::{Held, Lane, Told, kept_and_watched, pods_lane, release_lane};
use partywall_core::inventory::HARNESS_LABEL;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

use super::clock::now_us;
use super::kept_versions::{Chronicle, watch_versions};
use super::pacer::stopped;
use crate::push::hash_leaves;
use crate::reconcile::Flux;
use crate::wait::{Poll, Wait, WaitError, until};

/// Looks a second.
const PER_SECOND: u32 = 25;
const PERIOD_US: u64 = 1_000_000 / PER_SECOND as u64;
/// Which Secrets pods refer to is asked again after so many looks.
const PODS_EVERY: u64 = 10;
/// Looks that wait for an answer at the same time.
const LOOKS_MAX: usize = 64;
/// A reference that has moved since it was read is followed so often within one look.
const FOLLOW: usize = 3;

/// Hashes of a Secret's values, by path.
pub type ValueHashes = BTreeMap<String, String>;

/// Who refers to what, and when it was looked at.
type Lanes = BTreeMap<Lane, Vec<Told>>;

/// A meter over Secrets.
pub struct SecretMeter {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    watches: JoinSet<()>,
}

pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) namespaces: Vec<String>,
    pub(super) begun_us: u64,
    /// What the watches told.
    pub(super) chronicle: Mutex<Chronicle>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What a Secret that a release takes values from may hold.
    accepted: Vec<ValueHashes>,
    /// What the Secrets held that pods refer to when they were first seen.
    baseline: BTreeMap<(String, String), String>,
    /// Whether those may change.
    follows_change: bool,
    /// Namespace and name of what pods refer to, or did.
    pods: BTreeSet<(String, String)>,
    lanes: Lanes,
}

impl SecretMeter {
    /// Begins to look at what the releases and pods of these namespaces refer to.
    pub(super) fn start(
        client: Client,
        namespaces: Vec<String>,
        accepted: Vec<ValueHashes>,
        begun_us: u64,
    ) -> Self {
        let state = Mutex::new(State { accepted, ..State::default() });
        let chronicle = Mutex::default();
        let shared = Arc::new(Shared { client, namespaces, begun_us, chronicle, state });
        let stop = watch::channel(false).0;
        let task = tokio::spawn(Arc::clone(&shared).run(stop.subscribe()));
        let watches = watch_versions(&shared);
        Self { shared, stop, task, watches }
    }

    /// How often each Secret is looked at.
    pub const fn per_second() -> u32 {
        PER_SECOND
    }

    /// From now on these values are right too.
    pub fn accept(&self, values: ValueHashes) {
        let mut state = self.shared.state();
        state.accepted.push(values);
        state.follows_change = true;
    }

    /// Waits until the last looks found everything as it must be.
    pub async fn wait_valid(
        &self,
        looks: usize,
        limit: Duration,
    ) -> Result<(), WaitError<std::convert::Infallible>> {
        let since_us = now_us().saturating_sub(self.shared.begun_us);
        let wait = Wait::at_most(limit).every(Duration::from_millis(100));
        until("every Secret that is referred to being there and right", wait, || {
            std::future::ready(match self.shared.wrong(since_us, looks) {
                None => Poll::Ready(()),
                Some(status) => Poll::not_yet(status),
            })
        })
        .await
    }

    /// Waits until a look finds something absent or wrong.
    pub async fn wait_wrong(
        &self,
        limit: Duration,
    ) -> Result<(), WaitError<std::convert::Infallible>> {
        let wait = Wait::at_most(limit).every(Duration::from_millis(100));
        until("a Secret that is absent or wrong", wait, || {
            let state = self.shared.state();
            let mut last = state.lanes.values().filter_map(|told| told.last());
            let is_wrong = last.any(|one| one.state == ExposedState::Closed);
            std::future::ready(match is_wrong {
                true => Poll::Ready(()),
                false => Poll::not_yet("every Secret is there and right"),
            })
        })
        .await
    }

    /// Stops to look, and tells what was seen. The watches count only if they tell of a Secret that
    /// is made now: then they told of everything before it.
    pub async fn finish(mut self) -> Vec<EdgeExposure> {
        self.shared.fence().await;
        self.watches.shutdown().await;
        self.stop.send_replace(true);
        // A look under way is bounded by the client's own time-out; what it misses is unknown.
        let _ended = tokio::time::timeout(Duration::from_secs(5), self.task).await;
        let end_us = now_us().saturating_sub(self.shared.begun_us);
        let state = self.shared.state();
        let (mut watched, unwatched_us) = self.shared.chronicle().lanes(end_us);
        let mut lanes = state.lanes.clone();
        for (lane, seen) in &watched {
            // What was there for no look, and without a gap, tells nothing.
            if seen.gaps > 0 {
                lanes.entry(lane.clone()).or_default();
            }
        }
        let told = lanes.iter().map(|(lane, looks)| {
            let seen = watched.remove(lane).unwrap_or_default();
            kept_and_watched(lane, looks, &seen, unwatched_us, PERIOD_US)
        });
        told.collect()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a steady rate: a slow answer delays no other look.
    async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut ticks = interval(Duration::from_micros(PERIOD_US));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut count, mut looks) = (0_u64, JoinSet::new());
        let shared = Arc::clone(&self);
        looks.spawn(async move { shared.sweep().await });
        loop {
            tokio::select! {
                () = stopped(&mut stop) => break,
                _tick = ticks.tick() => {}
            }
            while looks.try_join_next().is_some() {}
            if looks.len() >= LOOKS_MAX {
                continue;
            }
            if count.is_multiple_of(PODS_EVERY) {
                let shared = Arc::clone(&self);
                looks.spawn(async move { shared.learn_pods().await });
            }
            count += 1;
            let shared = Arc::clone(&self);
            looks.spawn(async move { shared.look().await });
        }
        while looks.join_next().await.is_some() {}
    }

    async fn learn_pods(&self) {
        if let Ok(found) = self.of_pods().await {
            // While pods are replaced, none may be there to refer to what the next ones need.
            self.state().pods.extend(found);
        }
    }

    async fn look(&self) {
        let at_us = now_us().saturating_sub(self.begun_us);
        let pods = self.state().pods.clone();
        let (releases, of_pods) = futures::join!(self.releases(), self.pods(&pods));
        let mut state = self.state();
        for (lane, seen) in releases.into_iter().chain(of_pods) {
            state.lanes.entry(lane).or_default().push(Told { at_us, state: seen });
        }
    }

    /// What is wrong in the last looks.
    fn wrong(&self, since_us: u64, looks: usize) -> Option<String> {
        let state = self.state();
        if state.lanes.is_empty() {
            return Some("no workload refers to a Secret".to_string());
        }
        state.lanes.iter().find_map(|((who, what), told)| {
            let mut last: Vec<&Told> = told.iter().filter(|one| one.at_us >= since_us).collect();
            last.sort_by_key(|one| one.at_us);
            if last.len() < looks {
                return Some(format!("{what} of {who}: {} looks so far", last.len()));
            }
            let wrong =
                last[last.len() - looks..].iter().any(|one| one.state != ExposedState::Open);
            wrong.then(|| format!("{what} of {who} is absent or wrong"))
        })
    }

    /// The Secrets that releases take values from.
    async fn releases(&self) -> Vec<((String, String), ExposedState)> {
        let mut seen = Vec::new();
        for namespace in &self.namespaces {
            seen.extend(self.releases_of(namespace).await);
        }
        seen
    }

    async fn releases_of(&self, namespace: &str) -> Vec<((String, String), ExposedState)> {
        let mut seen = Vec::new();
        let Ok(mut references) = self.references(namespace).await else { return seen };
        for round in 1..=FOLLOW {
            seen.clear();
            for (release, name, key) in &references {
                let lane = release_lane(namespace, release, key);
                seen.push((lane, self.value_state(namespace, name, key).await));
            }
            let is_wrong = seen.iter().any(|(_, state)| *state == ExposedState::Closed);
            if !is_wrong || round == FOLLOW {
                break;
            }
            // The release may refer to another by now; what it no longer refers to may be gone.
            match self.references(namespace).await {
                Ok(now) if now != references => references = now,
                _ => break,
            }
        }
        seen
    }

    /// Release, Secret and entry of every `valuesFrom`.
    async fn references(
        &self,
        namespace: &str,
    ) -> Result<Vec<(String, String, String)>, kube::Error> {
        let resource: ApiResource = Flux::HelmRelease.resource();
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let mut found = Vec::new();
        for release in api.list(&ListParams::default()).await? {
            let values = values_of(&release).into_iter();
            found.extend(values.map(|(name, key)| (release.name_any(), name, key)));
        }
        Ok(found)
    }

    async fn value_state(&self, namespace: &str, name: &str, key: &str) -> ExposedState {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = match secrets.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => return ExposedState::Closed,
            Err(_) => return ExposedState::Unknown,
        };
        match self.state().is_right(&secret, key) {
            true => ExposedState::Open,
            false => ExposedState::Closed,
        }
    }

    /// Namespace and name of every Secret that a running pod's specification needs.
    async fn of_pods(&self) -> Result<BTreeSet<(String, String)>, kube::Error> {
        let mut found = BTreeSet::new();
        for namespace in &self.namespaces {
            let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
            for pod in pods.list(&ListParams::default()).await? {
                found.extend(needed_by(&pod).into_iter().map(|name| (namespace.clone(), name)));
            }
        }
        Ok(found)
    }

    async fn pods(
        &self,
        named: &BTreeSet<(String, String)>,
    ) -> Vec<((String, String), ExposedState)> {
        let mut seen = Vec::new();
        for (namespace, name) in named {
            let lane = pods_lane(namespace, name);
            let state = self.whole_state(namespace, name).await;
            let is_referred = match state {
                ExposedState::Closed => self
                    .of_pods()
                    .await
                    .is_ok_and(|now| now.contains(&(namespace.clone(), name.clone()))),
                _ => true,
            };
            if is_referred {
                seen.push((lane, state));
            }
        }
        seen
    }

    async fn whole_state(&self, namespace: &str, name: &str) -> ExposedState {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = match secrets.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => return ExposedState::Closed,
            Err(_) => return ExposedState::Unknown,
        };
        match self.state().is_whole(namespace, &secret) {
            true => ExposedState::Open,
            false => ExposedState::Closed,
        }
    }

    /// What a Secret holds, judged by what may be in it now.
    pub(super) fn held(&self, secret: &Secret) -> Held {
        let mut state = self.state();
        let entries = secret.data.iter().flatten().map(|(entry, _)| entry);
        let entries = entries.map(|entry| (entry.clone(), state.is_right(secret, entry)));
        let entries = entries.collect();
        Held { entries, whole: state.is_whole(&secret.namespace().unwrap_or_default(), secret) }
    }
}

impl State {
    /// Whether an entry holds values that a release may be given.
    fn is_right(&self, secret: &Secret, entry: &str) -> bool {
        let bytes = secret.data.as_ref().and_then(|data| data.get(entry));
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
        let document = text.and_then(|text| serde_saphyr::from_str::<Value>(&text).ok());
        let hashes = document.as_ref().map(hash_leaves).unwrap_or_default();
        self.accepted.contains(&hashes)
    }

    /// Whether a Secret is what it was when it was first seen, or may be another.
    fn is_whole(&mut self, namespace: &str, secret: &Secret) -> bool {
        let place = (namespace.to_string(), secret.name_any());
        let hash = whole_hash(secret);
        let baseline = self.baseline.entry(place).or_insert_with(|| hash.clone());
        *baseline == hash || self.follows_change
    }
}

/// Name and entry of every Secret that a release takes values from.
pub(super) fn values_of(release: &DynamicObject) -> BTreeSet<(String, String)> {
    let sources = release.data["spec"]["valuesFrom"].as_array().into_iter().flatten();
    let secrets = sources.filter(|source| source["kind"] == "Secret").filter_map(|source| {
        let key = source["valuesKey"].as_str().unwrap_or("values.yaml");
        Some((source["name"].as_str()?.to_string(), key.to_string()))
    });
    secrets.collect()
}

/// The Secrets that a tenant's pod cannot be without, as long as it is to stay.
pub(super) fn needed_by(pod: &Pod) -> BTreeSet<String> {
    let is_ours = pod.labels().contains_key(HARNESS_LABEL);
    match is_ours || pod.metadata.deletion_timestamp.is_some() {
        true => BTreeSet::new(),
        false => named_by(pod),
    }
}

fn whole_hash(secret: &Secret) -> String {
    let mut hash = Sha256::new();
    for (key, value) in secret.data.iter().flatten() {
        hash.update(key.as_bytes());
        hash.update([0]);
        hash.update(Sha256::digest(&value.0));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Secrets that a pod's containers and volumes cannot be without.
pub(super) fn named_by(pod: &Pod) -> BTreeSet<String> {
    let spec = serde_json::to_value(&pod.spec).unwrap_or_default();
    let mut found = BTreeSet::new();
    collect(&spec, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                let name = match key.as_str() {
                    "secretKeyRef" | "secretRef" => below["name"].as_str(),
                    "secret" => below["secretName"].as_str(),
                    _ => None,
                };
                match name {
                    Some(name) if below["optional"] != true => {
                        found.insert(name.to_string());
                    }
                    _ => collect(below, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
