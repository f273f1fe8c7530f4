//! What must not be absent or wrong for a moment while something changes: a Secret that a workload
//! refers to.
//!
//! The same samples and stretches as of an edge: open where it stood with the right value, closed
//! where it was absent or wrong, unknown where nobody could look.

use super::intervals::{Told, exposed};
use super::judge::{Finding, Judgement, UNKNOWN_MAX_US, windows};
use super::versions::{Lane, LaneVersions};
use crate::event::{Defect, EdgeExposure, Experiment, ExposedState, VersionsSeen};

/// Fewer looks than this say nothing.
const LOOKS_MIN: usize = 30;

/// What may be seen of the things that are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// What it means where one is absent or wrong.
    pub finding: Finding,
    /// Whether a gap must be seen, because the experiment makes one: the meter is on trial.
    pub must_see_gap: bool,
    /// What the experiment itself found against the layout.
    pub found: Option<Box<Defect>>,
    /// Why the experiment proves nothing, where it does not.
    pub unproven: Option<String>,
}

/// What the looks at one thing say, taken every `period_us`.
pub fn kept(who: &str, what: &str, looks: &[Told], period_us: u64) -> EdgeExposure {
    exposed(who, what, false, looks.to_vec(), period_us)
}

/// What the looks and a watch beside them say. Where nobody watched, the looks tell alone.
pub fn kept_and_watched(
    (who, what): &Lane,
    looks: &[Told],
    watched: &LaneVersions,
    unwatched_us: u64,
    period_us: u64,
) -> EdgeExposure {
    let by_looks = kept(who, what, looks, period_us);
    let both: Vec<Told> = looks.iter().chain(&watched.told).copied().collect();
    let both = kept(who, what, &both, period_us);
    EdgeExposure {
        versions: Some(VersionsSeen {
            events: watched.events,
            gaps: watched.gaps,
            gaps_by_looks: windows(&by_looks).len(),
            unwatched_us,
        }),
        against_us: both.against_us,
        intervals: both.intervals,
        ..by_looks
    }
}

/// How long a thing was absent or wrong, all in all.
pub fn gap_us(kept: &EdgeExposure) -> u64 {
    windows(kept).iter().map(|window| window.to_us - window.from_us).sum()
}

/// Judges an experiment over things that are kept. One gap is a violation, whatever else is not
/// known; without one, nothing may have been in the dark for as long as a second.
pub fn judge_kept(experiment: &Experiment, keeping: &Keeping) -> Judgement {
    if let Some(found) = &keeping.found {
        return Judgement::Violated(found.clone());
    }
    if let Some(reason) = &keeping.unproven {
        return Judgement::Undetermined(reason.clone());
    }
    let by_watch = |one: &EdgeExposure| one.versions.is_some_and(|versions| versions.gaps > 0);
    let gap = experiment.edges.iter().find(|one| gap_us(one) > 0 || by_watch(one));
    match gap {
        Some(one) if !keeping.must_see_gap => {
            return Judgement::Violated(Box::new(defect(&keeping.finding, one)));
        }
        None if keeping.must_see_gap => {
            let reason = "the meter saw no gap although the experiment made one";
            return Judgement::Undetermined(reason.to_string());
        }
        // A meter that looks and watches must have seen it in both ways.
        Some(_) if keeping.must_see_gap && !is_seen_twice(experiment) => {
            let reason = "the gap that the experiment made was not seen both by the looks and by \
                          the watch";
            return Judgement::Undetermined(reason.to_string());
        }
        _ => {}
    }
    let unknown = experiment.edges.iter().find_map(|one| in_the_dark(one, experiment.elapsed_us));
    // A gap that had to be seen and was leaves nothing to hide in the dark.
    if let Some(reason) = unknown.filter(|_| !keeping.must_see_gap) {
        return Judgement::Undetermined(reason);
    }
    if experiment.edges.is_empty() {
        return Judgement::Undetermined("nothing was looked at".to_string());
    }
    let last = |one: &&EdgeExposure| {
        one.intervals.last().is_some_and(|last| last.state == ExposedState::Closed)
    };
    match experiment.edges.iter().find(last) {
        Some(one) => Judgement::Violated(Box::new(defect(&keeping.finding, one))),
        None => Judgement::Holds,
    }
}

fn is_seen_twice(experiment: &Experiment) -> bool {
    let mut versions = experiment.edges.iter().map(|one| one.versions);
    versions.any(|seen| seen.is_some_and(|seen| seen.gaps > 0 && seen.gaps_by_looks > 0))
}

fn in_the_dark(kept: &EdgeExposure, end_us: u64) -> Option<String> {
    let (who, what) = (&kept.from, &kept.to);
    let told = kept.probes - kept.lost;
    if told < LOOKS_MIN {
        return Some(format!("{what} of {who}: looked at {told} times, which says nothing"));
    }
    let unknown = kept.intervals.iter().filter(|one| one.state == ExposedState::Unknown);
    let longest = unknown.map(|one| (one.from_us, one.to_us - one.from_us));
    let begun = kept.intervals.first().map(|first| (0, first.from_us));
    let told_until = kept.intervals.last().map_or(0, |last| last.to_us);
    let ended = (told_until, end_us.saturating_sub(told_until));
    let (from_us, length_us) =
        longest.chain(begun).chain([ended]).max_by_key(|(_, length_us)| *length_us)?;
    (length_us > UNKNOWN_MAX_US).then(|| {
        let (from, length) = (from_us / 1000, length_us / 1000);
        format!("{what} of {who}: nothing is known for {length} ms from {from} ms on")
    })
}

fn defect(finding: &Finding, kept: &EdgeExposure) -> Defect {
    let first = windows(kept).first().map_or(0, |window| window.from_us / 1000);
    let gap = gap_us(kept).div_ceil(1000);
    Defect {
        name: finding.name.clone(),
        summary: finding.summary.clone(),
        object: finding.object.clone(),
        message: format!(
            "{} of {} was absent or wrong for {gap} ms, first {first} ms on",
            kept.to, kept.from
        ),
        location: finding.location.clone(),
        behind: None,
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
