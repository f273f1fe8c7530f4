//! Experiments under the exposure meter: the drawing, and every number of it in text.

use partywall_core::event::{EdgeExposure, Experiment, ExposedState};
use serde::Serialize;

use super::timeline::{Drawing, drawing, kind, ordered};
use crate::failures::clean_defect;
use crate::scene::Scene;
use crate::text::{clean, counted, cut, milliseconds};

/// More states of one edge than this are told by their number.
const STATES_MAX: usize = 12;
const MOMENTS_MAX: usize = 200;
const EDGES_MAX: usize = 200;
const TEXT_MAX: usize = 1_500;

#[derive(Serialize)]
pub(super) struct Exposure {
    id: String,
    name: String,
    summary: String,
    facts: Vec<String>,
    drawing: Drawing,
    moments: Vec<MomentRow>,
    edges: Vec<EdgeRow>,
    edges_left_out: usize,
    finding: Option<Finding>,
}

#[derive(Serialize)]
struct MomentRow {
    at: String,
    class: &'static str,
    kind: &'static str,
    what: String,
}

#[derive(Serialize)]
struct EdgeRow {
    from: String,
    to: String,
    wish: &'static str,
    against: String,
    is_against: bool,
    unknown: String,
    statement: String,
    states: String,
}

#[derive(Serialize)]
struct Finding {
    name: String,
    summary: String,
    location: String,
    message: String,
}

pub(super) fn exposures(scene: &Scene<'_>) -> Vec<Exposure> {
    let all = scene.runs.iter().flat_map(|run| run.view.experiments.iter().copied());
    all.enumerate().map(exposure).collect()
}

fn exposure((place, experiment): (usize, &Experiment)) -> Exposure {
    let moment = |moment: &partywall_core::event::Moment| {
        let (class, word) = kind(moment.kind);
        MomentRow {
            at: milliseconds(moment.at_us),
            class,
            kind: word,
            what: cut(&clean(&moment.what), TEXT_MAX),
        }
    };
    let edges = ordered(&experiment.edges);
    Exposure {
        id: format!("experiment-{}", place + 1),
        name: clean(&experiment.name),
        summary: cut(&clean(&experiment.summary), TEXT_MAX),
        facts: facts(experiment),
        drawing: drawing(experiment),
        moments: experiment.moments.iter().take(MOMENTS_MAX).map(moment).collect(),
        edges_left_out: edges.len().saturating_sub(EDGES_MAX),
        edges: edges.into_iter().take(EDGES_MAX).map(edge_row).collect(),
        finding: experiment.finding.as_ref().map(finding),
    }
}

fn facts(experiment: &Experiment) -> Vec<String> {
    let commit = experiment.commit.as_deref().map(clean).unwrap_or_default();
    let commit: String = commit.chars().take(12).collect();
    let facts = [
        clean(&experiment.layout),
        if commit.is_empty() { commit } else { format!("commit {commit}") },
        clean(&experiment.network_plugin),
        format!(
            "{} a second and edge",
            counted(usize::try_from(experiment.rate_per_second).unwrap_or(0), "probe")
        ),
        milliseconds(experiment.elapsed_us),
    ];
    facts.into_iter().filter(|fact| !fact.is_empty()).collect()
}

fn edge_row(edge: &EdgeExposure) -> EdgeRow {
    let of_state = |wanted: ExposedState| {
        let of_state = edge.intervals.iter().filter(move |interval| interval.state == wanted);
        of_state.map(|i| i.to_us.saturating_sub(i.from_us)).fold(0, u64::saturating_add)
    };
    let (wish, against) = if edge.forbidden { ("denied", "open") } else { ("allowed", "shut") };
    let is_against = edge.against_us > 0;
    EdgeRow {
        from: clean(&edge.from),
        to: clean(&edge.to),
        wish,
        against: match is_against {
            true => format!("✗ {against} for {}", milliseconds(edge.against_us)),
            false => format!("✓ never {against}"),
        },
        is_against,
        unknown: milliseconds(of_state(ExposedState::Unknown)),
        statement: edge.statement(),
        states: states(edge),
    }
}

/// `shut 0 ms to 2,311.0 ms, open to 2,623.4 ms`.
fn states(edge: &EdgeExposure) -> String {
    let word = |state: ExposedState| match state {
        ExposedState::Open => "open",
        ExposedState::Closed => "shut",
        ExposedState::Unknown => "unknown",
    };
    let mut parts: Vec<String> = edge
        .intervals
        .iter()
        .take(STATES_MAX)
        .map(|interval| format!("{} to {}", word(interval.state), milliseconds(interval.to_us)))
        .collect();
    if edge.intervals.len() > STATES_MAX {
        parts.push(format!("and {} more", edge.intervals.len() - STATES_MAX));
    }
    let start = edge.intervals.first().map(|interval| milliseconds(interval.from_us));
    start.map(|start| format!("from {start}: {}", parts.join(", "))).unwrap_or_default()
}

fn finding(defect: &partywall_core::event::Defect) -> Finding {
    let defect = clean_defect(defect);
    Finding {
        name: defect.name,
        summary: cut(&defect.summary, TEXT_MAX),
        location: defect.location.map(|location| location.to_string()).unwrap_or_default(),
        message: cut(&defect.message, TEXT_MAX),
    }
}
