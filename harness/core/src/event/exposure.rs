//! What the exposure meter saw while something changed.
//!
//! All times are microseconds since the experiment began, by the clock of the machine that the
//! cluster runs on.

use serde::{Deserialize, Serialize};

/// One change under the meter: what was changed, when each part of the system turned, and how
/// long each edge was not as the contract wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// A short name: `policy-removed`.
    pub name: String,
    /// One sentence for a person.
    pub summary: String,
    /// The layout, for people.
    pub layout: String,
    /// The commit that made the change, where Git did.
    pub commit: Option<String>,
    /// The network plugin and its version: `calico v3.31.3`.
    pub network_plugin: String,
    /// Probes that were aimed at, per edge and second.
    pub rate_per_second: u32,
    /// How long the meter ran.
    pub elapsed_us: u64,
    /// When each part turned, in the order of time.
    pub moments: Vec<Moment>,
    /// Every edge that was probed.
    pub edges: Vec<EdgeExposure>,
    /// What the exposure means and what closes it, where there was any that the layout causes.
    pub finding: Option<super::Defect>,
}

/// A moment at which a part of the system turned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at_us: u64,
    /// What turned.
    pub kind: MomentKind,
    /// The object, or the commit: `NetworkPolicy customer-a/default-deny-all deleted`.
    pub what: String,
}

/// The parts of the system, in the order in which a change goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentKind {
    /// The harness did something beside Git: a restart, an edit by hand.
    Hand,
    /// The commit was pushed.
    Git,
    /// Flux fetched or applied it.
    Flux,
    /// A NetworkPolicy changed at the API server.
    Policy,
    /// A pod of the layout started or ended.
    Workload,
    /// Packets first went the new way.
    DataPlane,
}

/// How the names of things begin that must be there all the time, in the place of an edge's target.
pub const KEPT: &str = "the Secret ";

/// One edge under the meter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeExposure {
    /// The client, as the matrix names it: `customer-b/open-webui`.
    pub from: String,
    /// The target with its port: `customer-a/postgres 5432/TCP`.
    pub to: String,
    /// Whether the contract denies it.
    pub forbidden: bool,
    /// Probes that were put.
    pub probes: usize,
    /// Probes that came through, at the client or by the server's receipts.
    pub reached: usize,
    /// Probes that could not be put or whose answer was lost: they say nothing either way.
    pub lost: usize,
    /// How long the edge was against the contract: open though forbidden, closed though allowed.
    pub against_us: u64,
    /// The edge's states in the order of time, without gaps from the first probe to the last.
    pub intervals: Vec<Interval>,
    /// Of a Secret: what a watch on it told beside the looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionsSeen>,
}

/// What a watch told of a Secret between the looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsSeen {
    /// Versions that the watch delivered: made, changed, deleted.
    pub events: usize,
    /// How often it was absent or wrong by them.
    pub gaps: usize,
    /// How often it was by the looks alone.
    pub gaps_by_looks: usize,
    /// How long nobody watched, so that the looks alone tell of it.
    pub unwatched_us: u64,
}

/// By how much looks may end after the watch: the last one is waited for.
const LOOK_US: u64 = 1_000_000;

impl VersionsSeen {
    /// `looked_us` is how long there were looks.
    fn statement(&self, looked_us: u64) -> String {
        let Self { events, gaps, unwatched_us, .. } = self;
        let is_whole = *unwatched_us > 0 && unwatched_us + LOOK_US >= looked_us;
        if *events == 0 && is_whole {
            return "nobody watched, and the looks tell alone".to_string();
        }
        let missed = match unwatched_us.div_ceil(1000) {
            0 => String::new(),
            milliseconds => format!(" (for {milliseconds} ms the looks alone tell)"),
        };
        format!("gaps by the watch: {gaps} in {events} versions{missed}")
    }
}

impl EdgeExposure {
    /// What was seen, in words that claim no more than was seen: `0 leaks in 412 probes
    /// (below 0.73 % with 95 % confidence)`.
    pub fn statement(&self) -> String {
        let told = self.probes.saturating_sub(self.lost);
        if self.forbidden {
            return crate::statistics::leaks(self.reached, told);
        }
        let missed = told.saturating_sub(self.reached);
        if self.to.starts_with(KEPT) {
            let first_us = self.intervals.first().map_or(0, |first| first.from_us);
            let looked_us = self.intervals.last().map_or(0, |last| last.to_us - first_us);
            let versions = self.versions.map_or_else(String::new, |versions| {
                format!("; {}", versions.statement(looked_us))
            });
            return format!("absent or wrong in {missed} of {told} looks{versions}");
        }
        format!("{missed} of {told} probes went unanswered")
    }
}

/// A stretch of time in which an edge was in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Its beginning.
    pub from_us: u64,
    /// Its end.
    pub to_us: u64,
    /// The state.
    pub state: ExposedState,
}

/// States of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExposedState {
    /// Probes come through.
    Open,
    /// Probes do not come through.
    Closed,
    /// Nothing is known: probes were lost, or an end did not exist.
    Unknown,
}

/// Numbers of one kind, told by their order and not by a mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// What was measured: `policy removed to first packet`.
    pub name: String,
    /// Under what: `calico v3.31.3`.
    pub under: String,
    /// `us`, `1/s`, `probes`.
    pub unit: String,
    /// How many were measured.
    pub count: usize,
    /// The median.
    pub p50: u64,
    /// The value that 99 of 100 do not exceed.
    pub p99: u64,
    /// The greatest.
    pub max: u64,
}
