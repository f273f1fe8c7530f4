//! The drawing of an experiment: edges as rows, states as bars, moments as vertical marks.
//!
//! The bars are made of slots of one unit each, and the gravest state of a slot wins, so a
//! window of a millisecond within minutes is still seen, and a flapping edge takes no more room
//! than any other.

use partywall_core::event::{EdgeExposure, Experiment, ExposedState, Moment, MomentKind};
use serde::Serialize;

use crate::text::{clean, fit, milliseconds};

const LEFT: u64 = 430;
const SLOTS: u64 = 640;
const RIGHT: u64 = 160;
const ROW: u64 = 24;
const LANE: u64 = 15;
const AXIS: u64 = 26;
const LABEL_MAX: usize = 58;
/// About what a character of a label takes.
const CHARACTER: u64 = 7;
const ROWS_MAX: usize = 40;
const MARKS_MAX: usize = 30;
const FLAG_WIDTH: u64 = 8;
const TICKS_MAX: u64 = 8;
/// What is drawn beside the first and the last change.
const MARGIN_US_MIN: u64 = 50_000;

/// Everything with its coordinates.
#[derive(Serialize)]
pub(super) struct Drawing {
    width: u64,
    height: u64,
    top: u64,
    bottom: u64,
    left: u64,
    right: u64,
    ticks: Vec<Tick>,
    marks: Vec<Mark>,
    rows: Vec<Row>,
    /// Which part of the experiment is drawn.
    window: String,
    /// Edges that are not drawn.
    left_out: usize,
}

#[derive(Serialize)]
struct Tick {
    x: u64,
    label: String,
}

#[derive(Serialize)]
struct Mark {
    x: u64,
    y: u64,
    class: &'static str,
    label: String,
    anchor: &'static str,
    title: String,
}

#[derive(Serialize)]
struct Row {
    y: u64,
    label: String,
    title: String,
    bars: Vec<Bar>,
    says: String,
    is_against: bool,
}

#[derive(Serialize)]
struct Bar {
    x: u64,
    width: u64,
    class: &'static str,
    /// Whether it is against the contract and so narrow that it needs a flag to be seen.
    is_flagged: bool,
}

/// The stretch of time that is drawn.
#[derive(Clone, Copy)]
struct Window {
    from: u64,
    to: u64,
}

impl Window {
    /// From before the first change to after the last one, or everything where that is most of
    /// it.
    fn of(experiment: &Experiment) -> Self {
        let ends = experiment.edges.iter().filter_map(|edge| edge.intervals.last());
        let end = ends.map(|interval| interval.to_us).max().unwrap_or(0);
        let whole = Self { from: 0, to: experiment.elapsed_us.max(end).max(1) };
        let of_moments = experiment.moments.iter().map(|moment| moment.at_us);
        let turns = experiment.edges.iter().flat_map(|edge| edge.intervals.iter().skip(1));
        let changes = || of_moments.clone().chain(turns.clone().map(|interval| interval.from_us));
        let (Some(first), Some(last)) = (changes().min(), changes().max()) else { return whole };
        let margin = (last.saturating_sub(first) / 8).max(MARGIN_US_MIN);
        let from = first.saturating_sub(margin);
        let part = Self { from, to: last.saturating_add(margin).min(whole.to).max(from + 1) };
        let is_most = part.span() / 7 >= whole.span() / 10;
        if is_most { whole } else { part }
    }

    const fn span(self) -> u64 {
        let span = self.to.saturating_sub(self.from);
        if span == 0 { 1 } else { span }
    }

    /// The slot in which a time is.
    fn slot(self, at_us: u64) -> u64 {
        let since = u128::from(at_us.clamp(self.from, self.to) - self.from);
        let slot = since * u128::from(SLOTS) / u128::from(self.span());
        u64::try_from(slot).unwrap_or(SLOTS).min(SLOTS)
    }
}

pub(super) fn drawing(experiment: &Experiment) -> Drawing {
    let window = Window::of(experiment);
    let marks = marks(&experiment.moments, window);
    let lanes = marks.iter().map(|mark| mark.y / LANE).max().unwrap_or(0);
    let top = (lanes + 1) * LANE + 8;
    let edges = ordered(&experiment.edges);
    let shown = edges.len().min(ROWS_MAX);
    let rows: Vec<Row> = edges
        .iter()
        .take(shown)
        .zip(0_u64..)
        .map(|(edge, place)| row(edge, top + place * ROW, window))
        .collect();
    let bottom = top + ROW * u64::try_from(rows.len()).unwrap_or(0);
    Drawing {
        width: LEFT + SLOTS + RIGHT,
        height: bottom + AXIS,
        top,
        bottom,
        left: LEFT,
        right: LEFT + SLOTS,
        ticks: ticks(window),
        marks,
        rows,
        window: format!(
            "drawn: {} to {} of {}",
            milliseconds(window.from),
            milliseconds(window.to),
            milliseconds(experiment.elapsed_us)
        ),
        left_out: edges.len() - shown,
    }
}

/// Those that were longest against the contract first, then those of which something is not
/// known.
pub(super) fn ordered(edges: &[EdgeExposure]) -> Vec<&EdgeExposure> {
    let mut ordered: Vec<&EdgeExposure> = edges.iter().collect();
    let is_unknown = |edge: &EdgeExposure| {
        edge.intervals.iter().any(|interval| interval.state == ExposedState::Unknown)
    };
    ordered.sort_by_key(|edge| (std::cmp::Reverse(edge.against_us), !is_unknown(edge)));
    ordered
}

fn row(edge: &EdgeExposure, y: u64, window: Window) -> Row {
    let label = format!("{} → {}", clean(&edge.from), clean(&edge.to));
    let wish = if edge.forbidden { "denied" } else { "allowed" };
    let is_against = edge.against_us > 0;
    let says = match (is_against, edge.forbidden) {
        (true, true) => format!("✗ open {}", milliseconds(edge.against_us)),
        (true, false) => format!("✗ shut {}", milliseconds(edge.against_us)),
        (false, _) => format!("✓ {wish} throughout"),
    };
    let title = format!("{label}, {wish}: {}", edge.statement());
    Row { y, label: fit(&label, LABEL_MAX), title, bars: bars(edge, window), says, is_against }
}

/// States from the mildest to the gravest; a slot shows the gravest that it holds.
fn gravity(state: ExposedState, forbidden: bool) -> (u8, &'static str) {
    match (state, forbidden) {
        (ExposedState::Closed, true) => (1, "shut"),
        (ExposedState::Open, false) => (1, "open"),
        (ExposedState::Unknown, _) => (2, "unknown"),
        (ExposedState::Open, true) => (3, "open against"),
        (ExposedState::Closed, false) => (3, "shut against"),
    }
}

fn bars(edge: &EdgeExposure, window: Window) -> Vec<Bar> {
    let mut slots: Vec<(u8, &'static str)> = vec![(0, ""); usize::try_from(SLOTS).unwrap_or(0)];
    let is_shown = |from: u64, to: u64| to > window.from && from < window.to;
    for interval in edge.intervals.iter().filter(|i| is_shown(i.from_us, i.to_us)) {
        let graver = gravity(interval.state, edge.forbidden);
        let first = window.slot(interval.from_us).min(SLOTS - 1);
        let last = window.slot(interval.to_us).max(first + 1);
        for slot in (first..last).filter_map(|slot| usize::try_from(slot).ok()) {
            if let Some(known) = slots.get_mut(slot).filter(|known| known.0 < graver.0) {
                *known = graver;
            }
        }
    }
    let mut bars: Vec<Bar> = Vec::new();
    let mut x = LEFT;
    for run in slots.chunk_by(|one, other| one == other) {
        let width = u64::try_from(run.len()).unwrap_or(0);
        if let Some((1.., class)) = run.first() {
            let is_flagged = class.ends_with("against") && width < FLAG_WIDTH;
            bars.push(Bar { x, width, class, is_flagged });
        }
        x += width;
    }
    bars
}

/// Marks with their labels in as many lanes as it takes for none to lie on another.
fn marks(moments: &[Moment], window: Window) -> Vec<Mark> {
    let mut lanes: Vec<u64> = Vec::new();
    let mut marks = Vec::new();
    for (place, moment) in moments.iter().enumerate().take(MARKS_MAX) {
        let (class, word) = kind(moment.kind);
        let label = format!("{} {word}", place + 1);
        let x = LEFT + window.slot(moment.at_us);
        let width = CHARACTER * u64::try_from(label.chars().count()).unwrap_or(0) + 8;
        // Near the right edge the label stands to the left of its mark.
        let is_late = x + width > LEFT + SLOTS + RIGHT;
        let start = if is_late { x.saturating_sub(width) } else { x };
        let lane = lanes.iter().position(|end| *end <= start).unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(0);
        }
        lanes[lane] = start + width;
        marks.push(Mark {
            x,
            y: LANE * (u64::try_from(lane).unwrap_or(0) + 1),
            class,
            label,
            anchor: if is_late { "end" } else { "start" },
            title: format!("{}: {}", milliseconds(moment.at_us), clean(&moment.what)),
        });
    }
    marks
}

/// Class and word of a part of the system.
pub(super) const fn kind(kind: MomentKind) -> (&'static str, &'static str) {
    match kind {
        MomentKind::Hand => ("hand", "by hand"),
        MomentKind::Git => ("git", "Git"),
        MomentKind::Flux => ("flux", "Flux"),
        MomentKind::Policy => ("policy", "policy"),
        MomentKind::Workload => ("workload", "workload"),
        MomentKind::DataPlane => ("data", "data plane"),
    }
}

/// Round times, at most so many.
fn ticks(window: Window) -> Vec<Tick> {
    let mut step = 1_000;
    let mut factors = [2, 5, 10].into_iter().cycle();
    let mut decade: u64 = 1_000;
    while window.span() / step > TICKS_MAX {
        let factor = factors.next().unwrap_or(10);
        step = decade.saturating_mul(factor);
        if factor == 10 {
            decade = decade.saturating_mul(10);
        }
        if step == u64::MAX {
            break;
        }
    }
    let first = window.from.div_ceil(step);
    let times = (first..).map(|count| count.saturating_mul(step));
    let times =
        times.take_while(|at| *at <= window.to).take(usize::try_from(TICKS_MAX).unwrap_or(0) + 2);
    times.map(|at| Tick { x: LEFT + window.slot(at), label: tick_label(at, step) }).collect()
}

fn tick_label(at_us: u64, step_us: u64) -> String {
    match step_us {
        1_000_000.. => format!("{} s", at_us / 1_000_000),
        100_000.. => format!("{}.{} s", at_us / 1_000_000, at_us % 1_000_000 / 100_000),
        _ => format!("{} ms", at_us / 1_000),
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
