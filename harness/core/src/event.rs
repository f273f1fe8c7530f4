//! The stream from a run to its reports: one JSON object a line.
//!
//! Reports read events and nothing else, so a run can be rendered again later. Adding an
//! event: a variant here, then the compiler names every report that must decide about it.

mod exposure;
mod load;
mod mutation;

use serde::{Deserialize, Serialize};

use crate::cluster::Backend;
use crate::inventory::PodName;
use crate::source::SourceLocation;
use crate::verdict::Verdict;

pub use exposure::{
    Distribution, EdgeExposure, Experiment, ExposedState, Interval, KEPT, Moment, MomentKind,
    VersionsSeen,
};
pub use load::{LoadCount, MARKER_VISIBLE};
pub use mutation::{Fate, MutantResult};

/// The version of this stream.
pub const EVENT_VERSION: u32 = 3;

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// [`EVENT_VERSION`].
        version: u32,
        /// Who answers.
        backend: Backend,
        /// The layout, for people.
        layout: String,
        /// The commit that was judged, where there is one.
        commit: Option<String>,
        /// The tenants of the contract.
        tenants: Vec<String>,
        /// Names of the trials that will be judged.
        planned: Vec<String>,
        /// Milliseconds since the Unix epoch.
        at_ms: u64,
    },
    /// A trial that this backend cannot judge.
    TrialIgnored {
        /// Its name.
        trial: String,
        /// Why.
        reason: String,
    },
    /// The layout itself has a defect that was found before or while it was applied.
    DefectFound(Defect),
    /// Something of the layout that the backend does not know how to judge.
    NotJudged(NotJudged),
    /// One cell was judged.
    CellJudged(CellResult),
    /// One change was made under the exposure meter.
    ExperimentFinished(Experiment),
    /// A generated mutant was judged.
    MutantJudged(MutantResult),
    /// Something was measured: a benchmark's or a meter's numbers.
    Measured(Distribution),
    /// The items of one sender were counted while all tenants sent.
    LoadCounted(LoadCount),
    /// A trial was judged.
    TrialFinished {
        /// Its name.
        trial: String,
        /// Its claim.
        claim: String,
        /// Its scenario, `reach/contracted-ports`.
        scenario: String,
        /// The tenant it is about.
        tenant: Option<String>,
        /// The gravest verdict of its cells.
        verdict: Verdict,
        /// Cells planned.
        cells_planned: usize,
        /// Cells judged.
        cells_judged: usize,
        /// Milliseconds of the batch it was part of.
        elapsed_ms: u64,
        /// Where the layout is to blame, if that is known.
        blame: Option<Blame>,
        /// The command that repeats just this trial.
        repeat: String,
    },
    /// The run ends.
    RunFinished {
        /// Probes that were put.
        probes: usize,
        /// Cells that were judged.
        cells: usize,
        /// Denied cells in which a leak was seen.
        leaks: usize,
        /// Milliseconds of the whole run.
        elapsed_ms: u64,
        /// The exit code.
        exit: u8,
    },
}

/// One judged cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellResult {
    /// Its trial.
    pub trial: String,
    /// Row of the matrix: the tenant.
    pub row: String,
    /// Column of the matrix: the target.
    pub column: String,
    /// The same square on every backend and in every run: without addresses, and without what a
    /// cluster adds to names.
    pub square: String,
    /// The client, where there is one.
    pub from: Option<PodName>,
    /// The target as it was addressed: `shared-services/gateway by pod 10.0.0.1 8000/TCP`.
    pub to: String,
    /// What was expected.
    pub expect: String,
    /// How the controls went, in words.
    pub controls: String,
    /// What the probe itself saw; `None` where nothing was put, and in older runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The judgement.
    pub verdict: Verdict,
}

/// What one probe saw, whatever it means for the claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What happened, in words: `dropped`, `HTTP 401`.
    pub outcome: String,
    /// What the other side's own record says: `absent`; empty where there is none.
    pub receipt: String,
    /// How long the probe took, in microseconds, where that is known.
    pub elapsed_us: Option<u64>,
}

/// The line that causes a violation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blame {
    /// Where.
    pub location: SourceLocation,
    /// What is wrong there, and what to do.
    pub because: String,
}

/// Something that a backend met and cannot judge. It is named rather than passed over, and a run
/// that met any cannot end in `holds`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotJudged {
    /// What: `CiliumNetworkPolicy a/deny`, `HelmRelease a/x`, `partywall.yaml`.
    pub subject: String,
    /// Why it is not judged, and what to do about it.
    pub reason: String,
    /// Where in the layout.
    pub location: Option<SourceLocation>,
}

/// A defect of the layout, found while Flux applied it or by a violated claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defect {
    /// A short name: `patch-does-not-apply`.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// The object that shows it: `Kustomization flux-system/customer-a`.
    pub object: String,
    /// What the object says, with secrets cut.
    pub message: String,
    /// Where in the layout.
    pub location: Option<SourceLocation>,
    /// The defect that hid this one, if it was found only after that one was mended in a
    /// scratch commit.
    pub behind: Option<String>,
}
