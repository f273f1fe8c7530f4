//! Watches on Secrets and on those who refer to them: every version that the API server tells of,
//! so that a gap between two looks is not missed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::api::{WatchEvent, WatchParams};
use kube::{Resource, ResourceExt};
use partywall_core::exposure::{Lane, LaneVersions, Place, Turned, Unwatched, Version, lanes};
use partywall_core::inventory::HARNESS_LABEL;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::clock::now_us;
use super::kept::{Shared, needed_by, values_of};
use crate::random::nonce;
use crate::reconcile::Flux;
use crate::wait::{Poll, Wait, until};

/// A watch that broke is opened again after this.
const RETRY: Duration = Duration::from_millis(100);
/// The API server ends a watch after this many seconds; it is opened again where it ended.
const WATCH_SECONDS: u32 = 290;
/// How long the watch may take to tell of the last Secret.
const FENCE: Wait = Wait::seconds(5).every(Duration::from_millis(20));
/// How long making that Secret and taking it away may take besides.
const FENCE_MAX: Duration = Duration::from_secs(20);
/// The label's value on the Secrets of a meter.
const METER: &str = "meter";
/// Secrets, releases, pods.
const WATCHES: usize = 3;

/// What the watches told so far.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    versions: Vec<Version>,
    /// Up to which revision of each watch's first list everything stood already.
    begun: Vec<(u64, u64)>,
    unwatched: Vec<Unwatched>,
    /// The watches that are open now.
    open: BTreeSet<usize>,
    /// Whether the watch told of a Secret that was made at the end.
    is_fenced: bool,
}

impl Chronicle {
    /// The turns of every lane, and how long nobody watched. Watches that did not all begin, of
    /// which one is broken at the end, or whose end is not known, tell of nothing.
    pub(super) fn lanes(&self, end_us: u64) -> (BTreeMap<Lane, LaneVersions>, u64) {
        if self.begun.len() < WATCHES || !self.is_whole() || !self.is_fenced {
            return (BTreeMap::new(), end_us);
        }
        let since = self.begun.iter().map(|(revision, _)| *revision).max().unwrap_or_default();
        let begun_us = self.begun.iter().map(|(_, at_us)| *at_us).max().unwrap_or_default();
        // A stretch that the looks do not tell of either is dark there.
        let dark_us: u64 =
            self.unwatched.iter().map(|one| one.to_us.saturating_sub(one.from_us)).sum();
        let meter_us = end_us.saturating_sub(begun_us);
        (lanes(self.versions.clone(), since, &self.unwatched), dark_us.min(meter_us))
    }

    /// Whether every watch is open.
    fn is_whole(&self) -> bool {
        self.open.len() == WATCHES
    }

    /// The last revision that any watch had told of by then: one that was open until then told its
    /// own up to there.
    fn told_until(&self, at_us: u64) -> u64 {
        let before = self.versions.iter().filter(|one| one.at_us <= at_us);
        before.map(|one| one.revision).max().unwrap_or_default()
    }

    fn has(&self, place: &Place) -> bool {
        let mut versions = self.versions.iter();
        versions.any(|one| matches!(&one.turned, Turned::Secret(of, Some(_)) if of == place))
    }
}

/// Begins to watch.
pub(super) fn watch_versions(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    let client = &shared.client;
    let secrets: Api<Secret> = Api::all(client.clone());
    let held = Arc::clone(shared);
    let secret = move |place: Place, found: Option<&Secret>| {
        Turned::Secret(place, found.map(|found| held.held(found)))
    };
    watches.spawn(Follower::new(0, shared, secret).run(secrets));
    let releases: Api<DynamicObject> = Api::all_with(client.clone(), &Flux::HelmRelease.resource());
    let release = |place: Place, found: Option<&DynamicObject>| {
        Turned::Release(place, found.map(values_of).unwrap_or_default())
    };
    watches.spawn(Follower::new(1, shared, release).run(releases));
    let pods: Api<Pod> = Api::all(client.clone());
    let pod = |place: Place, found: Option<&Pod>| {
        Turned::Pod(place, found.map(needed_by).unwrap_or_default())
    };
    watches.spawn(Follower::new(2, shared, pod).run(pods));
    watches
}

impl Shared {
    pub(super) fn chronicle(&self) -> MutexGuard<'_, Chronicle> {
        self.chronicle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes away what a meter that was cut off has left.
    pub(super) async fn sweep(&self) {
        let ours = ListParams::default().labels(&format!("{HARNESS_LABEL}={METER}"));
        for namespace in &self.namespaces {
            let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
            // An empty Secret of the harness's own disturbs nobody, if it stays.
            let _removed = secrets.delete_collection(&DeleteParams::default(), &ours).await;
        }
    }

    /// Makes a Secret of the harness, and waits until the watch tells of it.
    pub(super) async fn fence(&self) {
        // Without an answer in time there is no fence, and the looks tell alone.
        let _in_time = tokio::time::timeout(FENCE_MAX, self.make_fence()).await;
    }

    async fn make_fence(&self) {
        // A watch that is opened again only now has yet to tell what it missed.
        let whole = until::<(), std::convert::Infallible, _, _>("every watch", FENCE, || {
            let is_whole = self.chronicle().is_whole();
            std::future::ready(if is_whole { Poll::Ready(()) } else { Poll::not_yet("one broke") })
        });
        if whole.await.is_err() {
            return;
        }
        let Some((namespace, nonce)) = self.namespaces.first().zip(nonce().ok()) else { return };
        let name = format!("partywall-meter-{}", &nonce[..10]);
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some([(HARNESS_LABEL.to_string(), METER.to_string())].into()),
                ..ObjectMeta::default()
            },
            ..Secret::default()
        };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        if secrets.create(&PostParams::default(), &secret).await.is_err() {
            return;
        }
        let place = (namespace.clone(), name.clone());
        let told = until::<(), std::convert::Infallible, _, _>("the last Secret", FENCE, || {
            let has = self.chronicle().has(&place);
            std::future::ready(if has { Poll::Ready(()) } else { Poll::not_yet("not told yet") })
        });
        let is_told = told.await.is_ok();
        self.chronicle().is_fenced = is_told;
        let _removed = secrets.delete(&name, &DeleteParams::default()).await;
    }
}

/// Follows all objects of a kind in the namespaces that are looked at.
struct Follower<T> {
    /// Which of the watches it is.
    watch: usize,
    shared: Arc<Shared>,
    turned: T,
    known: BTreeSet<Place>,
    /// The last revision that was told.
    last: u64,
}

impl<T> Follower<T> {
    fn new(watch: usize, shared: &Arc<Shared>, turned: T) -> Self {
        Self { watch, shared: Arc::clone(shared), turned, known: BTreeSet::new(), last: 0 }
    }

    async fn run<K>(mut self, api: Api<K>)
    where
        T: Fn(Place, Option<&K>) -> Turned,
        K: Resource + Clone + DeserializeOwned + Debug,
    {
        // While nothing was read nobody watches, and nothing says that somebody did.
        while self.read(&api, None).await.is_err() {
            tokio::time::sleep(RETRY).await;
        }
        let mut broken_us = None;
        loop {
            let before = self.last;
            let followed = self.follow(&api).await;
            self.shared.chronicle().open.remove(&self.watch);
            if followed.is_ok() || self.last != before {
                broken_us = None;
            }
            let from_us = *broken_us.get_or_insert(self.now_us());
            tokio::time::sleep(RETRY).await;
            let Err(error) = followed else {
                broken_us = None;
                continue;
            };
            // Opened again where it broke, it misses nothing, unless the API server forgot.
            let forgot = matches!(error, kube::Error::Api(_));
            if forgot && self.read(&api, Some(from_us)).await.is_ok() {
                broken_us = None;
            }
        }
    }

    fn now_us(&self) -> u64 {
        now_us().saturating_sub(self.shared.begun_us)
    }

    /// Reads what stands, at first or where versions were missed since `lost_us`.
    async fn read<K>(&mut self, api: &Api<K>, lost_us: Option<u64>) -> Result<(), kube::Error>
    where
        T: Fn(Place, Option<&K>) -> Turned,
        K: Resource + Clone + DeserializeOwned + Debug,
    {
        let list = api.list(&ListParams::default()).await?;
        let Some(revision) = number(list.metadata.resource_version.as_deref()) else {
            return Ok(());
        };
        let mut gone = std::mem::take(&mut self.known);
        for object in &list.items {
            let place = place_of(object);
            gone.remove(&place);
            self.add(revision, place, Some(object));
        }
        for place in gone {
            self.add(revision, place, None);
        }
        let now_us = self.now_us();
        let mut chronicle = self.shared.chronicle();
        match lost_us {
            None => chronicle.begun.push((revision, now_us)),
            Some(from_us) => {
                let after = self.last.max(chronicle.told_until(from_us));
                let until = revision;
                chronicle.unwatched.push(Unwatched { after, until, from_us, to_us: now_us });
            }
        }
        self.last = revision;
        Ok(())
    }

    async fn follow<K>(&mut self, api: &Api<K>) -> Result<(), kube::Error>
    where
        T: Fn(Place, Option<&K>) -> Turned,
        K: Resource + Clone + DeserializeOwned + Debug,
    {
        let params = WatchParams::default().timeout(WATCH_SECONDS);
        let mut events = Box::pin(api.watch(&params, &self.last.to_string()).await?);
        self.shared.chronicle().open.insert(self.watch);
        while let Some(event) = events.try_next().await? {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    self.tell(&object, Some(&object));
                }
                WatchEvent::Deleted(object) => self.tell(&object, None),
                WatchEvent::Bookmark(mark) => {
                    self.last = number(Some(&mark.metadata.resource_version)).unwrap_or(self.last);
                }
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            }
        }
        Ok(())
    }

    fn tell<K: Resource>(&mut self, object: &K, stands: Option<&K>)
    where
        T: Fn(Place, Option<&K>) -> Turned,
    {
        let version = object.meta().resource_version.as_deref();
        let Some(revision) = number(version) else { return };
        self.last = revision;
        self.add(revision, place_of(object), stands);
    }

    fn add<K>(&mut self, revision: u64, place: Place, stands: Option<&K>)
    where
        T: Fn(Place, Option<&K>) -> Turned,
    {
        if !self.shared.namespaces.contains(&place.0) {
            return;
        }
        match stands {
            Some(_) => self.known.insert(place.clone()),
            None => self.known.remove(&place),
        };
        let at_us = self.now_us();
        let turned = (self.turned)(place, stands);
        self.shared.chronicle().versions.push(Version { revision, at_us, turned });
    }
}

fn place_of(object: &impl Resource) -> Place {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// A resource version as the API server counts: one number over all kinds.
fn number(version: Option<&str>) -> Option<u64> {
    version?.parse().ok()
}

#[cfg(test)]
#[path = "kept_versions_tests.rs"]
mod tests;
