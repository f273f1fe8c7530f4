//! The moments at which parts of the cluster turned, as the API server tells them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use partywall_core::event::{Moment, MomentKind};
use partywall_core::inventory::HARNESS_LABEL;
use tokio::task::JoinSet;

use super::clock::now_us;
use crate::reconcile::{Flux, ready_condition};

/// A watch that broke is opened again after this.
const RETRY: Duration = Duration::from_millis(200);
/// The API server ends a watch after this many seconds; then it is opened again.
const WATCH_SECONDS: u32 = 290;

/// Moments as they come.
#[derive(Clone, Debug)]
pub struct Moments {
    begun_us: u64,
    found: Arc<Mutex<Vec<Moment>>>,
}

impl Moments {
    /// No moments yet, with times since `begun_us`.
    pub fn new(begun_us: u64) -> Self {
        Self { begun_us, found: Arc::default() }
    }

    /// Something turned just now.
    pub fn add(&self, kind: MomentKind, what: impl Into<String>) {
        let at_us = now_us().saturating_sub(self.begun_us);
        let moment = Moment { at_us, kind, what: what.into() };
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(moment);
    }

    /// All of them, in the order of time.
    pub fn all(&self) -> Vec<Moment> {
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_by_key(|moment| moment.at_us);
        all
    }
}

/// Watches Flux's objects, the policies, and the pods of these namespaces, until it is dropped.
/// What stands already when it begins is no moment; when this returns, every watch has begun.
pub(super) async fn watch(
    client: &Client,
    namespaces: &BTreeSet<String>,
    moments: &Moments,
) -> Result<JoinSet<()>, kube::Error> {
    let mut watches = JoinSet::new();
    for flux in [Flux::GitRepository, Flux::Kustomization, Flux::HelmRelease] {
        let api = Api::all_with(client.clone(), &flux.resource());
        let tell = move |object: &DynamicObject| flux_state(flux, object);
        begin(&mut watches, api, moments, MomentKind::Flux, tell).await?;
    }
    let resource = ApiResource::erase::<NetworkPolicy>(&());
    let policies: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let own = namespaces.clone();
    let tell = move |object: &DynamicObject| {
        let namespace = object.namespace().unwrap_or_default();
        own.contains(&namespace).then(|| State {
            name: format!("NetworkPolicy {namespace}/{}", object.name_any()),
            told: format!("{}", object.data["spec"]),
            word: None,
        })
    };
    begin(&mut watches, policies, moments, MomentKind::Policy, tell).await?;
    let resource = ApiResource::erase::<Pod>(&());
    let pods: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let own = namespaces.clone();
    let tell = move |object: &DynamicObject| pod_state(object, &own);
    begin(&mut watches, pods, moments, MomentKind::Workload, tell).await?;
    Ok(watches)
}

/// What an object says of itself, as far as a change of it is a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    name: String,
    /// A change of this is a moment.
    told: String,
    /// What it then did: `applied main@sha1:…`; `changed` where nothing else is said, and no
    /// moment where it is empty.
    word: Option<String>,
}

fn flux_state(flux: Flux, object: &DynamicObject) -> Option<State> {
    let status = &object.data["status"];
    let kind = flux.resource().kind;
    let name = format!("{kind} {}/{}", object.namespace().unwrap_or_default(), object.name_any());
    if object.metadata.deletion_timestamp.is_some() {
        let (told, word) = ("deleting".to_string(), Some("is being deleted".to_string()));
        return Some(State { name, told, word });
    }
    let (revision, verb) = match flux {
        Flux::GitRepository => (status["artifact"]["revision"].as_str(), "fetched"),
        Flux::Kustomization => (status["lastAppliedRevision"].as_str(), "applied"),
        _ => {
            let ready = ready_condition(status).map(|ready| (ready.status, ready.reason));
            let (is_ready, reason) = ready.unwrap_or_default();
            let word = match (is_ready, reason) {
                (_, "") => String::new(),
                ("True", reason) => format!("is ready: {reason}"),
                (_, reason) => format!("is not ready yet: {reason}"),
            };
            return Some(State { name, told: word.clone(), word: Some(word) });
        }
    };
    let revision = revision.unwrap_or_default();
    let word =
        if revision.is_empty() { String::new() } else { format!("{verb} {}", short(revision)) };
    Some(State { name, told: revision.to_string(), word: Some(word) })
}

/// `main@sha1:0123456789…` as people read it.
fn short(revision: &str) -> String {
    match revision.split_once("sha1:") {
        Some((branch, commit)) => {
            format!("{branch}{}", commit.chars().take(10).collect::<String>())
        }
        None => revision.to_string(),
    }
}

fn pod_state(object: &DynamicObject, namespaces: &BTreeSet<String>) -> Option<State> {
    let namespace = object.namespace().unwrap_or_default();
    if !namespaces.contains(&namespace) || object.labels().contains_key(HARNESS_LABEL) {
        return None;
    }
    let status = &object.data["status"];
    let containers = status["containerStatuses"].as_array();
    let runs = containers.into_iter().flatten().any(|one| !one["state"]["running"].is_null());
    let word = match () {
        () if object.metadata.deletion_timestamp.is_some() => "is told to end",
        () if runs => "runs",
        () => "",
    };
    let name = format!("pod {namespace}/{}", object.name_any());
    Some(State { name, told: word.to_string(), word: Some(word.to_string()) })
}

/// Reads what stands, then follows it in a task.
async fn begin(
    watches: &mut JoinSet<()>,
    api: Api<DynamicObject>,
    moments: &Moments,
    kind: MomentKind,
    tell: impl Fn(&DynamicObject) -> Option<State> + Send + Sync + 'static,
) -> Result<(), kube::Error> {
    let mut follower = Follower { known: BTreeMap::new(), moments: moments.clone(), kind, tell };
    let mut version = follower.read(&api, false).await?;
    watches.spawn(async move {
        loop {
            if follower.follow(&api, &mut version).await.is_err() {
                tokio::time::sleep(RETRY).await;
                // What was missed meanwhile is told late rather than never.
                if let Ok(read) = follower.read(&api, true).await {
                    version = read;
                }
            }
        }
    });
    Ok(())
}

struct Follower<T> {
    known: BTreeMap<String, String>,
    moments: Moments,
    kind: MomentKind,
    tell: T,
}

impl<T: Fn(&DynamicObject) -> Option<State>> Follower<T> {
    async fn read(
        &mut self,
        api: &Api<DynamicObject>,
        is_late: bool,
    ) -> Result<String, kube::Error> {
        let list = api.list(&ListParams::default()).await?;
        for object in &list.items {
            if is_late {
                self.seen(object);
            } else if let Some(state) = (self.tell)(object) {
                self.known.insert(state.name, state.told);
            }
        }
        Ok(list.metadata.resource_version.unwrap_or_default())
    }

    async fn follow(
        &mut self,
        api: &Api<DynamicObject>,
        version: &mut String,
    ) -> Result<(), kube::Error> {
        let params = WatchParams::default().timeout(WATCH_SECONDS);
        let mut events = Box::pin(api.watch(&params, version).await?);
        while let Some(event) = events.try_next().await? {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    self.seen(&object);
                    *version = object.resource_version().unwrap_or_default();
                }
                WatchEvent::Deleted(object) => {
                    self.gone(&object);
                    *version = object.resource_version().unwrap_or_default();
                }
                WatchEvent::Bookmark(mark) => *version = mark.metadata.resource_version,
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            }
        }
        Ok(())
    }

    fn seen(&mut self, object: &DynamicObject) {
        let Some(state) = (self.tell)(object) else { return };
        let before = self.known.insert(state.name.clone(), state.told.clone());
        if before.as_ref() == Some(&state.told) {
            return;
        }
        let word = match (&state.word, before) {
            (Some(word), _) => word.as_str(),
            (None, None) => "was made",
            (None, Some(_)) => "changed",
        };
        if !word.is_empty() {
            self.moments.add(self.kind, format!("{} {word}", state.name));
        }
    }

    fn gone(&mut self, object: &DynamicObject) {
        if let Some(state) = (self.tell)(object)
            && self.known.remove(&state.name).is_some()
        {
            self.moments.add(self.kind, format!("{} is gone", state.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(data: serde_json::Value) -> DynamicObject {
        serde_json::from_value(data).unwrap()
    }

    fn moments(
        kind: MomentKind,
        tell: fn(&DynamicObject) -> Option<State>,
    ) -> Follower<fn(&DynamicObject) -> Option<State>> {
        Follower { known: BTreeMap::new(), moments: Moments::new(0), kind, tell }
    }

    fn texts(follower: &Follower<fn(&DynamicObject) -> Option<State>>) -> Vec<String> {
        follower.moments.all().into_iter().map(|moment| moment.what).collect()
    }

    #[test]
    fn a_moment_is_a_change_and_no_repetition() {
        let kustomization = |revision: &str| {
            object(json!({
                "apiVersion": "v1", "kind": "Kustomization",
                "metadata": {"name": "walls", "namespace": "flux-system"},
                "status": {"lastAppliedRevision": revision},
            }))
        };
        let mut follower =
            moments(MomentKind::Flux, |object| flux_state(Flux::Kustomization, object));
        follower.seen(&kustomization(""));
        follower.seen(&kustomization("main@sha1:0123456789abcdef"));
        follower.seen(&kustomization("main@sha1:0123456789abcdef"));
        follower.gone(&kustomization("main@sha1:0123456789abcdef"));
        assert_eq!(
            texts(&follower),
            [
                "Kustomization flux-system/walls applied main@0123456789",
                "Kustomization flux-system/walls is gone"
            ]
        );
    }

    #[test]
    fn a_pod_runs_and_ends() {
        let pod = |running: bool, leaving: bool| {
            let state = if running { json!({"running": {}}) } else { json!({"waiting": {}}) };
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "web-0", "namespace": "a"},
                "status": {"containerStatuses": [{"state": state}]},
            });
            if leaving {
                pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            object(pod)
        };
        let tell = |object: &DynamicObject| pod_state(object, &["a".to_string()].into());
        let mut follower = moments(MomentKind::Workload, tell);
        follower.seen(&pod(false, false));
        follower.seen(&pod(true, false));
        follower.seen(&pod(true, true));
        follower.gone(&pod(true, true));
        let expected = ["pod a/web-0 runs", "pod a/web-0 is told to end", "pod a/web-0 is gone"];
        assert_eq!(texts(&follower), expected);
    }
}
