//! What is kept, by the versions that a watch delivers: a gap between two looks shows in them too.
//!
//! The API server counts every change of every object in one order, so that versions of Secrets
//! and of those who refer to them can be laid into one line: at each point it is known who refers
//! to what, and whether that is there and right.

use std::collections::{BTreeMap, BTreeSet};

use super::intervals::Told;
use crate::event::ExposedState;

/// Namespace and name.
pub type Place = (String, String);
/// Who is without something, and what it is: the names of an edge's ends.
pub type Lane = (String, String);

/// What a Secret holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Its entries, and whether each is a right value.
    pub entries: BTreeMap<String, bool>,
    /// Whether it is right as a whole, to those who take it as it is.
    pub whole: bool,
}

/// What turned into what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turned {
    /// A Secret; nothing where it is gone.
    Secret(Place, Option<Held>),
    /// The Secrets and entries that a release takes values from; none where it is gone.
    Release(Place, BTreeSet<(String, String)>),
    /// The Secrets that a pod cannot be without; none where it is gone or told to end.
    Pod(Place, BTreeSet<String>),
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its place in the order of the API server.
    pub revision: u64,
    /// When it was told, in microseconds since the experiment began.
    pub at_us: u64,
    /// What it is.
    pub turned: Turned,
}

/// A stretch in which a watch did not tell everything, by the order of the API server and by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwatched {
    /// The last revision that was told before.
    pub after: u64,
    /// The revision at which everything was read anew.
    pub until: u64,
    /// When it began.
    pub from_us: u64,
    /// When it ended.
    pub to_us: u64,
}

/// What the versions tell of one lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneVersions {
    /// Its turns in the order of time.
    pub told: Vec<Told>,
    /// How many versions there were of what it refers to, and of a release's references.
    pub events: usize,
    /// How often it turned to absent or wrong.
    pub gaps: usize,
}

/// The lane of a release that takes values from an entry of a Secret.
pub fn release_lane(namespace: &str, release: &str, entry: &str) -> Lane {
    (
        format!("HelmRelease {namespace}/{release}"),
        format!("the Secret behind valuesFrom ({entry})"),
    )
}

/// The lane of the pods that refer to a Secret.
pub fn pods_lane(namespace: &str, secret: &str) -> Lane {
    (format!("pods of {namespace}"), format!("the Secret {secret}"))
}

/// Lays versions into one line and tells every lane's turns. What is known up to the revision
/// `since` is how things stood when the watches began, and no event.
pub fn lanes(
    mut versions: Vec<Version>,
    since: u64,
    unwatched: &[Unwatched],
) -> BTreeMap<Lane, LaneVersions> {
    versions.sort_by_key(|version| version.revision);
    let mut line = Line::default();
    let mut found: BTreeMap<Lane, LaneVersions> = BTreeMap::new();
    let (mut last_us, mut count) = (0, 0);
    while let Some(version) = versions.get(count) {
        // What was read together stands together.
        let revision = version.revision;
        let same = versions[count..].iter().take_while(|one| one.revision == revision);
        let mut touched = BTreeSet::new();
        for one in same {
            last_us = last_us.max(one.at_us);
            touched.extend(line.turn(&one.turned));
            count += 1;
        }
        let is_dark = |dark: &Unwatched| dark.after < revision && revision < dark.until;
        if revision < since || unwatched.iter().any(is_dark) {
            continue;
        }
        let is_event = revision > since;
        for (lane, (state, about)) in line.states() {
            let lane = found.entry(lane).or_default();
            lane.events += usize::from(is_event && !about.is_disjoint(&touched));
            lane.turn(state, last_us);
        }
    }
    found
}

impl LaneVersions {
    fn turn(&mut self, state: ExposedState, at_us: u64) {
        let last = self.told.last();
        if last.is_some_and(|last| last.state == state) {
            return;
        }
        // Two turns that are told at once are two turns.
        let at_us = last.map_or(at_us, |last| at_us.max(last.at_us + 1));
        self.gaps += usize::from(state == ExposedState::Closed);
        self.told.push(Told { at_us, state });
    }
}

/// What a lane is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Secret(Place),
    Release(Place),
}

/// How everything stands at one revision.
#[derive(Default)]
struct Line {
    secrets: BTreeMap<Place, Held>,
    releases: BTreeMap<Place, BTreeSet<(String, String)>>,
    pods: BTreeMap<Place, BTreeSet<String>>,
}

impl Line {
    /// Gives back what turned: a Secret, or what a release refers to.
    fn turn(&mut self, turned: &Turned) -> Option<About> {
        match turned {
            Turned::Secret(place, held) => {
                match held {
                    Some(held) => self.secrets.insert(place.clone(), held.clone()),
                    None => self.secrets.remove(place),
                };
                return Some(About::Secret(place.clone()));
            }
            Turned::Release(place, values) => {
                let before = self.releases.insert(place.clone(), values.clone());
                // Its status changes often, and says nothing of what it refers to.
                return (before.as_ref() != Some(values)).then(|| About::Release(place.clone()));
            }
            Turned::Pod(place, names) => {
                self.pods.insert(place.clone(), names.clone());
            }
        }
        None
    }

    /// Every lane's state, and what it is about.
    fn states(&self) -> BTreeMap<Lane, (ExposedState, BTreeSet<About>)> {
        let mut lanes: BTreeMap<Lane, (ExposedState, BTreeSet<About>)> = BTreeMap::new();
        let mut add = |lane: Lane, about: &[About], is_right: bool| {
            let known = lanes.entry(lane).or_insert((ExposedState::Open, BTreeSet::new()));
            known.1.extend(about.iter().cloned());
            if !is_right {
                known.0 = ExposedState::Closed;
            }
        };
        for ((namespace, release), values) in &self.releases {
            for (secret, entry) in values {
                let place = (namespace.clone(), secret.clone());
                let held = self.secrets.get(&place).and_then(|held| held.entries.get(entry));
                let own = About::Release((namespace.clone(), release.clone()));
                let lane = release_lane(namespace, release, entry);
                add(lane, &[own, About::Secret(place)], held == Some(&true));
            }
        }
        for ((namespace, _), names) in &self.pods {
            for secret in names {
                let place = (namespace.clone(), secret.clone());
                let is_right = self.secrets.get(&place).is_some_and(|held| held.whole);
                add(pods_lane(namespace, secret), &[About::Secret(place)], is_right);
            }
        }
        lanes
    }
}

#[cfg(test)]
#[path = "versions_tests.rs"]
mod tests;
