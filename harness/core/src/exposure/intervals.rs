//! From probes to stretches of time.

use super::edges::Edge;
use crate::event::{EdgeExposure, ExposedState, Interval};

/// A gap between two probes that is longer than this many periods holds probes that were never
/// put.
const GAP_PERIODS: (u64, u64) = (3, 2);

/// What one probe told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it was put, in microseconds since the experiment began.
    pub at_us: u64,
    /// Open where it came through, at the client or by the server's receipts; closed where the
    /// client heard nothing and the server's receipts, read since, do not have it; unknown else.
    pub state: ExposedState,
}

/// The probes of one edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeRecord {
    /// The edge.
    pub edge: Edge,
    /// Its probes, in any order.
    pub probes: Vec<Told>,
}

/// What the probes of an edge say, put every `period_us`.
///
/// A state begins with the first probe that shows it, so every time has the resolution of one
/// period. What lies between probes that are further apart than that is unknown, and so is what a
/// lost probe would have told: neither is ever taken for closed.
pub fn exposure(record: &EdgeRecord, period_us: u64) -> EdgeExposure {
    let EdgeRecord { edge, probes } = record;
    exposed(&edge.from_label, &edge.to_label, edge.forbidden, probes.clone(), period_us)
}

pub(super) fn exposed(
    from: &str,
    to: &str,
    forbidden: bool,
    mut probes: Vec<Told>,
    period_us: u64,
) -> EdgeExposure {
    probes.sort_by_key(|probe| probe.at_us);
    let period_us = period_us.max(1);
    let holes = holes(&probes, period_us);
    let count = |state| probes.iter().filter(|probe| probe.state == state).count();
    let intervals = intervals(&probes, period_us);
    let against = if forbidden { ExposedState::Open } else { ExposedState::Closed };
    let against_us = intervals
        .iter()
        .filter(|interval| interval.state == against)
        .map(|interval| interval.to_us - interval.from_us)
        .sum();
    EdgeExposure {
        from: from.to_string(),
        to: to.to_string(),
        forbidden,
        probes: probes.len() + holes,
        reached: count(ExposedState::Open),
        lost: count(ExposedState::Unknown) + holes,
        against_us,
        intervals,
        versions: None,
    }
}

fn is_gap(between_us: u64, period_us: u64) -> bool {
    between_us * GAP_PERIODS.1 > period_us * GAP_PERIODS.0
}

/// How many probes were never put.
fn holes(probes: &[Told], period_us: u64) -> usize {
    let between = probes.windows(2).map(|pair| pair[1].at_us - pair[0].at_us);
    let gaps = between.filter(|between| is_gap(*between, period_us));
    let missing = gaps.map(|gap| (gap + period_us / 2) / period_us - 1);
    missing.map(|missing| usize::try_from(missing).unwrap_or(usize::MAX)).sum()
}

fn intervals(probes: &[Told], period_us: u64) -> Vec<Interval> {
    let mut found: Vec<Interval> = Vec::new();
    for (index, probe) in probes.iter().enumerate() {
        let next = probes.get(index + 1).map(|next| next.at_us);
        let own_end = probe.at_us + period_us;
        let end = match next {
            Some(next) if is_gap(next - probe.at_us, period_us) => own_end,
            Some(next) => next,
            None => own_end,
        };
        append(&mut found, Interval { from_us: probe.at_us, to_us: end, state: probe.state });
        if let Some(next) = next.filter(|next| *next > end) {
            let state = ExposedState::Unknown;
            append(&mut found, Interval { from_us: end, to_us: next, state });
        }
    }
    found
}

fn append(intervals: &mut Vec<Interval>, next: Interval) {
    match intervals.last_mut() {
        Some(last) if last.state == next.state => last.to_us = next.to_us,
        _ if next.to_us > next.from_us => intervals.push(next),
        // Two probes of the same microsecond.
        _ => {}
    }
}
