//! What an experiment means.

use crate::event::{Defect, EdgeExposure, Experiment, ExposedState, Interval};
use crate::source::SourceLocation;

/// Fewer probes than this say nothing of an edge (see [`crate::statistics::leaks`]).
const PROBES_MIN: usize = 30;

/// An exposure as long as this cannot hide: nothing may be unknown for longer between two probes
/// of an edge, nor at its end where it lasts to the end of the experiment.
pub(super) const UNKNOWN_MAX_US: u64 = 1_000_000;

/// What may be seen in an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// When forbidden edges may be open: what the experiment itself tears open.
    pub open_allowed: Vec<Window>,
    /// What it means where one is open beside that.
    pub finding: Finding,
    /// Whether every edge must be as the contract wants it at the end.
    pub must_recover: bool,
    /// Whether both ends of every edge are there to the end. Where they come and go, what is
    /// unknown after the last probe that told something is no reason to doubt.
    pub is_lasting: bool,
}

/// The finding of an experiment, before it is known whether it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `workload-before-policy`.
    pub name: String,
    /// What it is and what closes it.
    pub summary: String,
    /// The object of the layout that shows it.
    pub object: String,
    /// Where in the layout.
    pub location: Option<SourceLocation>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its beginning, in microseconds since the experiment began.
    pub from_us: u64,
    /// Its end.
    pub to_us: u64,
}

/// What an experiment came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// No forbidden edge was open but where the experiment tore it open.
    Holds,
    /// One was.
    Violated(Box<Defect>),
    /// Too little is known of an edge.
    Undetermined(String),
}

/// The stretches in which an edge was against the contract. What is unknown between two of them
/// is taken for a part of them: an exposure is not two because a probe in it was lost.
pub fn windows(edge: &EdgeExposure) -> Vec<Window> {
    let against = if edge.forbidden { ExposedState::Open } else { ExposedState::Closed };
    let mut found: Vec<Window> = Vec::new();
    let mut is_bridged = false;
    for interval in &edge.intervals {
        if interval.state == against {
            match found.last_mut() {
                Some(last) if is_bridged => last.to_us = interval.to_us,
                _ => found.push(Window { from_us: interval.from_us, to_us: interval.to_us }),
            }
        }
        let is_unknown = interval.state == ExposedState::Unknown;
        is_bridged = interval.state == against || (is_unknown && is_bridged);
    }
    found
}

/// Judges an experiment. Violated comes first: one leak is enough, whatever else is not known.
pub fn judge(experiment: &Experiment, expectation: &Expectation) -> Judgement {
    let forbidden: Vec<&EdgeExposure> =
        experiment.edges.iter().filter(|edge| edge.forbidden).collect();
    let leak = forbidden.iter().find_map(|edge| {
        let unasked = windows(edge).into_iter().find(|window| !is_allowed(window, expectation));
        unasked.map(|window| (*edge, window))
    });
    if let Some((edge, window)) = leak {
        return Judgement::Violated(Box::new(defect(&expectation.finding, edge, window)));
    }
    if let Some(reason) = unknown(experiment, &forbidden, expectation) {
        return Judgement::Undetermined(reason);
    }
    let wrong = experiment.edges.iter().filter_map(|edge| Some((edge, edge.intervals.last()?)));
    let wrong = wrong.filter(|(edge, last)| !is_as_wanted(edge, last));
    match wrong.map(|(edge, last)| not_recovered(edge, last)).next() {
        Some(defect) if expectation.must_recover => defect,
        _ => Judgement::Holds,
    }
}

fn is_allowed(window: &Window, expectation: &Expectation) -> bool {
    let mut allowed = expectation.open_allowed.iter();
    allowed.any(|allowed| allowed.from_us <= window.from_us && window.to_us <= allowed.to_us)
}

fn unknown(
    experiment: &Experiment,
    forbidden: &[&EdgeExposure],
    expectation: &Expectation,
) -> Option<String> {
    if forbidden.is_empty() {
        return Some("no forbidden edge was probed".to_string());
    }
    let mut edges = experiment.edges.iter();
    let end_us = expectation.is_lasting.then_some(experiment.elapsed_us);
    edges
        .clone()
        .find_map(too_few)
        .or_else(|| forbidden.iter().find_map(|edge| without_control(edge, experiment)))
        .or_else(|| edges.find_map(|edge| in_the_dark(edge, end_us)))
}

fn too_few(edge: &EdgeExposure) -> Option<String> {
    let told = edge.probes - edge.lost;
    (told < PROBES_MIN).then(|| {
        format!(
            "{} to {}: {told} probes told something, and fewer than {PROBES_MIN} say nothing",
            edge.from, edge.to
        )
    })
}

/// A client that reached nothing it may reach proves nothing by what it did not reach.
fn without_control(edge: &EdgeExposure, experiment: &Experiment) -> Option<String> {
    let own = experiment.edges.iter().filter(|other| !other.forbidden && other.from == edge.from);
    let controls: Vec<&EdgeExposure> = own.collect();
    let is_silent = controls.iter().all(|control| control.reached == 0);
    (is_silent && !controls.is_empty() && edge.reached == 0).then(|| {
        format!(
            "{} to {} never came through, and neither did {}, which may",
            edge.from, edge.to, controls[0].to
        )
    })
}

/// A stretch in which nothing is known and in which an exposure could hide.
fn in_the_dark(edge: &EdgeExposure, end_us: Option<u64>) -> Option<String> {
    let last_told = edge.intervals.iter().rposition(|one| one.state != ExposedState::Unknown)?;
    let between = edge.intervals[..last_told].iter();
    let between = between.filter(|one| one.state == ExposedState::Unknown);
    let told_until = edge.intervals[last_told].to_us;
    let tail = end_us.map(|end_us| (told_until, end_us.saturating_sub(told_until)));
    let (from_us, unknown_us) = between
        .map(|one| (one.from_us, one.to_us - one.from_us))
        .chain(tail)
        .max_by_key(|(_, unknown_us)| *unknown_us)?;
    (unknown_us > UNKNOWN_MAX_US).then(|| {
        format!(
            "{} to {}: nothing is known for {} ms from {} ms on",
            edge.from,
            edge.to,
            unknown_us / 1000,
            from_us / 1000
        )
    })
}

fn is_as_wanted(edge: &EdgeExposure, last: &Interval) -> bool {
    match last.state {
        ExposedState::Open => !edge.forbidden,
        ExposedState::Closed => edge.forbidden,
        // The end of an edge may be gone for good.
        ExposedState::Unknown => true,
    }
}

fn not_recovered(edge: &EdgeExposure, last: &Interval) -> Judgement {
    let (word, name) = match edge.forbidden {
        true => ("open", "exposure-does-not-end"),
        false => ("closed", "allowed-edge-stays-closed"),
    };
    let milliseconds = (last.to_us - last.from_us) / 1000;
    Judgement::Violated(Box::new(Defect {
        name: name.to_string(),
        summary: format!("{} to {} was still {word} at the end", edge.from, edge.to),
        object: format!("{} -> {}", edge.from, edge.to),
        message: format!("{word} for the last {milliseconds} ms"),
        location: None,
        behind: None,
    }))
}

fn defect(finding: &Finding, edge: &EdgeExposure, window: Window) -> Defect {
    let milliseconds = (window.to_us - window.from_us).div_ceil(1000);
    Defect {
        name: finding.name.clone(),
        summary: finding.summary.clone(),
        object: finding.object.clone(),
        message: format!(
            "{} to {} was open for {milliseconds} ms from {} ms on",
            edge.from,
            edge.to,
            window.from_us / 1000
        ),
        location: finding.location.clone(),
        behind: None,
    }
}
