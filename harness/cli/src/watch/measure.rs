//! From records to the event: what the data plane did, and how long each part took.

use std::collections::BTreeMap;

use partywall_core::event::{
    Distribution, EdgeExposure, Experiment, ExposedState, KEPT, Moment, MomentKind,
};
use partywall_core::exposure::{gap_us, windows};
use partywall_core::statistics::percentiles;

/// The first and the last time that forbidden edges opened and closed: when packets went the new
/// way.
pub fn data_plane(edges: &[EdgeExposure]) -> Vec<Moment> {
    let mut moments = Vec::new();
    for (state, word) in [(ExposedState::Open, "open"), (ExposedState::Closed, "closed")] {
        for (forbidden, kind) in [(true, "forbidden"), (false, "allowed")] {
            let turns = edges.iter().filter(|edge| edge.forbidden == forbidden);
            let mut turns: Vec<(u64, &EdgeExposure)> =
                turns.flat_map(|edge| turns_to(edge, state).map(move |at| (at, edge))).collect();
            turns.sort_by_key(|(at, _)| *at);
            let tell = |which: &str, (at_us, edge): &(u64, &EdgeExposure)| Moment {
                at_us: *at_us,
                kind: MomentKind::DataPlane,
                what: format!("{which} {kind} edge {word}: {} to {}", edge.from, edge.to),
            };
            moments.extend(turns.first().map(|turn| tell("first", turn)));
            moments.extend(turns.last().filter(|_| turns.len() > 1).map(|turn| tell("last", turn)));
        }
    }
    moments
}

/// Times at which an edge turned to a state from the other one, whatever was unknown between.
fn turns_to(edge: &EdgeExposure, state: ExposedState) -> impl Iterator<Item = u64> {
    let known = edge.intervals.iter().filter(|one| one.state != ExposedState::Unknown);
    let pairs = known.clone().zip(known.skip(1));
    pairs
        .filter(move |(before, after)| after.state == state && before.state != state)
        .map(|(_, after)| after.from_us)
}

/// Times between moments, by what they are the time of.
#[derive(Debug, Default)]
pub struct Times(BTreeMap<String, Vec<u64>>);

impl Times {
    /// Notes an experiment.
    pub fn note(&mut self, experiment: &Experiment) {
        if experiment.edges.iter().any(|edge| edge.to.starts_with(KEPT)) {
            let gaps = experiment.edges.iter().map(gap_us);
            let name = format!("{}: time without a valid Secret", experiment.name);
            return self.add(name, gaps.max());
        }
        let longest = experiment.edges.iter().filter(|edge| edge.forbidden);
        let longest = longest.flat_map(windows).map(|one| one.to_us - one.from_us).max();
        let name = &experiment.name;
        self.add(
            format!("{name}: longest time that a forbidden edge was open"),
            longest.or(Some(0)),
        );
        let turns = |state| {
            let edges = experiment.edges.iter().filter(|edge| edge.forbidden);
            let mut turns: Vec<u64> = edges.flat_map(|edge| turns_to(edge, state)).collect();
            turns.sort_unstable();
            turns
        };
        let (opened, closed) = (turns(ExposedState::Open), turns(ExposedState::Closed));
        let commits: Vec<u64> = kind(experiment, MomentKind::Git);
        // What the second commit does closes what the first one opened.
        let back = commits.get(1).copied().unwrap_or(u64::MAX);
        let (before, after): (Vec<u64>, Vec<u64>) =
            kind(experiment, MomentKind::Policy).into_iter().partition(|at| *at < back);
        // Packets may be faster than the API server's word of the change, and are not late then.
        if let (Some(turned), Some(open)) = (before.last(), opened.first()) {
            let late = open.saturating_sub(*turned);
            self.add("policy at the API server to the first packet".to_string(), Some(late));
        }
        if let (Some(turned), Some(closed)) = (after.last().or(before.last()), closed.last()) {
            let late = closed.saturating_sub(*turned);
            self.add("policy at the API server to the last packet".to_string(), Some(late));
        }
        if let (Some(commit), Some(open)) = (commits.first(), opened.first()) {
            self.add("commit to the first packet".to_string(), open.checked_sub(*commit));
        }
        if let (Some(commit), Some(closed)) = (commits.last(), closed.last()) {
            self.add("commit to the last packet".to_string(), closed.checked_sub(*commit));
        }
    }

    fn add(&mut self, name: String, time: Option<u64>) {
        self.0.entry(name).or_default().extend(time);
    }

    /// Their distributions under a network plugin.
    pub fn distributions(&self, under: &str) -> Vec<Distribution> {
        let told = self.0.iter().filter_map(|(name, times)| {
            let (p50, p99, max) = percentiles(times)?;
            Some(Distribution {
                name: name.clone(),
                under: under.to_string(),
                unit: "us".to_string(),
                count: times.len(),
                p50,
                p99,
                max,
            })
        });
        told.collect()
    }
}

fn kind(experiment: &Experiment, kind: MomentKind) -> Vec<u64> {
    let own = experiment.moments.iter().filter(|moment| moment.kind == kind);
    own.map(|moment| moment.at_us).collect()
}
