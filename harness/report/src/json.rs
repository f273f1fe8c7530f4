//! The run as one JSON object, for programs.
//!
//! ```text
//! version       1; a field is never renamed or removed without a new version
//! backend       offline | kind | attach; null where merged runs differ, as for the next two
//! layout        the layout, as it was given
//! commit        the commit that was judged, or null
//! outcome       holds | violated | undetermined | no-result | not-valid
//! summary       the outcome in one sentence
//! exit          the exit code; null where the run did not finish
//! tenants       names, in the contract's order
//! counts        trials by verdict; cells; denied squares; leaks; probes (null where nothing was
//!               sent); elapsed_ms; proofs: cells that hold, by proof level
//! trials        name, scenario, claim, tenant, verdict, reason, blame {file, line, because},
//!               repeat, cells {holds, violated, undetermined, recorded}, and open: every cell
//!               that is violated or undetermined {square, from, to, expect, verdict, reason}
//! ignored       trials that the backend cannot judge {trial, reason}
//! defects       name, summary, object, message, location {file, line}, behind
//! not_judged    subject, reason, location {file, line}
//! loads         what was counted while all tenants sent: tenant, org, what, sent, accepted, found,
//!               misplaced {org: items}, sending_us, visible_us; left out where nothing was
//! matrices      topic, rows, columns {group, name}, squares: for every row and column
//!               {word, cells}, word null where nothing was asked
//! ```

use std::collections::BTreeMap;

use partywall_core::event::{CellResult, Defect, Event, LoadCount, NotJudged};
use partywall_core::source::SourceLocation;
use partywall_core::verdict::{ProofLevel, Verdict};
use serde::Serialize;

use crate::error::ReportError;
use crate::failures::{clean_blame, clean_defect};
use crate::matrix::{Matrix, matrices};
use crate::not_judged::by_reason;
use crate::outcome::outcome;
use crate::square::{Square, Word};
use crate::text::clean;
use crate::view::{Ending, RunView, Start, TrialView};

/// The version of this object.
pub const REPORT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Report {
    version: u32,
    backend: Option<String>,
    layout: Option<String>,
    commit: Option<String>,
    outcome: String,
    summary: String,
    exit: Option<u8>,
    tenants: Vec<String>,
    counts: Counts,
    trials: Vec<Trial>,
    ignored: Vec<Ignored>,
    defects: Vec<Defect>,
    not_judged: Vec<NotJudged>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    loads: Vec<LoadCount>,
    matrices: Vec<MatrixOf>,
}

#[derive(Serialize)]
struct Counts {
    trials: BTreeMap<&'static str, usize>,
    cells: usize,
    denied: usize,
    leaks: usize,
    probes: Option<usize>,
    elapsed_ms: Option<u64>,
    proofs: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct Trial {
    name: String,
    scenario: String,
    claim: String,
    tenant: Option<String>,
    verdict: &'static str,
    reason: String,
    blame: Option<Blame>,
    repeat: String,
    cells: BTreeMap<&'static str, usize>,
    open: Vec<Cell>,
}

#[derive(Serialize)]
struct Blame {
    file: String,
    line: u64,
    because: String,
}

#[derive(Serialize)]
struct Cell {
    square: String,
    from: Option<String>,
    to: String,
    expect: String,
    verdict: &'static str,
    reason: String,
}

#[derive(Serialize)]
struct Ignored {
    trial: String,
    reason: String,
}

#[derive(Serialize)]
struct MatrixOf {
    topic: String,
    rows: Vec<String>,
    columns: Vec<Column>,
    squares: Vec<Vec<SquareOf>>,
}

#[derive(Serialize)]
struct Column {
    group: String,
    name: String,
}

#[derive(Serialize)]
struct SquareOf {
    word: Option<&'static str>,
    cells: BTreeMap<&'static str, usize>,
}

/// The object, indented, with a line end.
pub fn render(events: &[Event]) -> Result<String, ReportError> {
    let view = RunView::of(events);
    let (word, summary) = outcome(events, &view);
    let ignored =
        |(trial, reason): &(&str, &str)| Ignored { trial: clean(trial), reason: clean(reason) };
    let report = Report {
        version: REPORT_VERSION,
        backend: common(&view, |start| Some(start.backend.to_string())),
        layout: common(&view, |start| Some(clean(start.layout))),
        commit: common(&view, |start| start.commit.map(clean)),
        outcome: word.to_lowercase().replace(' ', "-"),
        summary,
        exit: view.ending.filter(|_| view.is_complete()).map(|ending| ending.exit),
        tenants: view.tenants.iter().map(|tenant| clean(tenant)).collect(),
        counts: counts(&view),
        trials: view.trials.iter().map(trial).collect(),
        ignored: view.ignored.iter().map(ignored).collect(),
        defects: view.defects.iter().map(|defect| clean_defect(defect)).collect(),
        not_judged: by_reason(&view).into_iter().flatten().collect(),
        loads: view.loads.iter().map(|load| clean_load(load)).collect(),
        matrices: matrices(&view).iter().map(matrix).collect(),
    };
    text(&report)
}

/// A value as indented JSON with a line end.
pub(crate) fn text(value: &impl Serialize) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// The names in it come from a contract and from a cluster.
fn clean_load(load: &LoadCount) -> LoadCount {
    let misplaced = load.misplaced.iter().map(|(org, count)| (clean(org), *count)).collect();
    LoadCount {
        tenant: clean(&load.tenant),
        org: clean(&load.org),
        what: clean(&load.what),
        misplaced,
        ..load.clone()
    }
}

/// What all runs that were merged have in common.
fn common(view: &RunView<'_>, of: impl Fn(&Start<'_>) -> Option<String>) -> Option<String> {
    let first = of(view.starts.first()?);
    view.starts.iter().all(|start| of(start) == first).then_some(first).flatten()
}

fn counts(view: &RunView<'_>) -> Counts {
    let words = ["holds", "violated", "undetermined", "recorded"];
    let of_word = |word| view.trials.iter().filter(|trial| trial.verdict.word() == word).count();
    let mut trials: BTreeMap<&str, usize> = words.map(|word| (word, of_word(word))).into();
    trials.insert("ignored", view.ignored.len());
    let mut proofs: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in &view.cells {
        if let Verdict::Holds { proof: Some(proof) } = cell.verdict {
            *proofs.entry(proof_word(proof)).or_default() += 1;
        }
    }
    let probes = |ending: Ending| ending.sent.of;
    Counts {
        trials,
        cells: view.cells.len(),
        denied: view.cells.iter().filter(|cell| cell.expect == "denied").count(),
        leaks: view.cells.iter().filter(|cell| Word::of(cell) == Word::Leak).count(),
        probes: view.ending.filter(|_| !view.is_offline()).map(probes),
        elapsed_ms: view.ending.map(|ending| ending.elapsed_ms),
        proofs,
    }
}

const fn proof_word(proof: ProofLevel) -> &'static str {
    match proof {
        ProofLevel::Computed => "computed",
        ProofLevel::Control => "control",
        ProofLevel::Receipt => "receipt",
    }
}

fn trial(trial: &TrialView<'_>) -> Trial {
    let mut cells: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in &trial.cells {
        *cells.entry(cell.verdict.word()).or_default() += 1;
    }
    let is_open = |cell: &&&CellResult| {
        matches!(cell.verdict, Verdict::Violated { .. } | Verdict::Undetermined { .. })
    };
    Trial {
        name: clean(trial.name),
        scenario: clean(trial.scenario),
        claim: clean(trial.claim),
        tenant: trial.tenant.map(clean),
        verdict: trial.verdict.word(),
        reason: clean(trial.verdict.reason()),
        blame: trial.blame.map(|blame| {
            let blame = clean_blame(blame);
            let SourceLocation { file, line } = blame.location;
            Blame { file, line, because: blame.because }
        }),
        repeat: clean(trial.repeat),
        cells,
        open: trial.cells.iter().filter(is_open).map(|cell| open_cell(cell)).collect(),
    }
}

fn open_cell(cell: &CellResult) -> Cell {
    Cell {
        square: clean(&cell.square),
        from: cell.from.as_ref().map(|from| clean(&from.to_string())),
        to: clean(&cell.to),
        expect: clean(&cell.expect),
        verdict: cell.verdict.word(),
        reason: clean(cell.verdict.reason()),
    }
}

fn matrix(matrix: &Matrix) -> MatrixOf {
    let column = |column: &crate::matrix::Column| Column {
        group: column.group.clone(),
        name: column.name.clone(),
    };
    MatrixOf {
        topic: matrix.topic.clone(),
        rows: matrix.rows.clone(),
        columns: matrix.columns.iter().map(column).collect(),
        squares: matrix.squares.iter().map(|row| row.iter().map(square).collect()).collect(),
    }
}

fn square(square: &Square) -> SquareOf {
    let words = square.words().into_iter();
    SquareOf {
        word: square.word().map(word),
        cells: words.map(|of| (word(of), square.count(of))).collect(),
    }
}

/// A square's word for programs.
const fn word(word: Word) -> &'static str {
    match word {
        Word::Leak => "leak",
        Word::Cut => "cut",
        Word::Fail => "fail",
        Word::Unknown => "undetermined",
        Word::Ok => "holds",
        Word::Recorded => "recorded",
    }
}
