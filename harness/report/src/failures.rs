//! What there is to say about a trial that does not hold, once for all reports.

use std::collections::HashMap;

use partywall_core::event::{Blame, CellResult, Defect};
use partywall_core::source::SourceLocation;
use partywall_core::verdict::Verdict;

use crate::text::{clean, counted};
use crate::view::{RunView, TrialView, short_name};

/// How many other targets of a failed trial are named.
const TARGETS_MAX: usize = 6;

/// A trial that does not hold. Every text is one clean line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Full name of the trial.
    pub trial: String,
    /// The same without its backend.
    pub short: String,
    pub scenario: String,
    /// `violated` or `undetermined`.
    pub word: &'static str,
    pub claim: String,
    /// Empty where no cell tells.
    pub expected: String,
    pub seen: String,
    /// Who asked whom; empty where the question has no such thing.
    pub cell: String,
    /// The trial's other cells that did not hold; empty where there is none.
    pub others: String,
    /// How the controls went; empty where the question has none.
    pub control: String,
    /// Where the layout is to blame.
    pub location: Option<SourceLocation>,
    pub because: String,
    pub repeat: String,
}

impl Failure {
    fn of(trial: &TrialView<'_>, is_offline: bool) -> Self {
        let worst = worst_cell(trial);
        let verdict = worst.map_or(trial.verdict, |cell| &cell.verdict);
        let blame = trial.blame;
        let unblamed = match trial.verdict {
            Verdict::Undetermined { .. } => "evidence is missing; no line of the layout is blamed",
            _ => "no line of the layout is known to cause it",
        };
        // What the files let through needs no control that shows that anything was sent.
        let has_controls = !is_offline || !matches!(trial.verdict, Verdict::Violated { .. });
        Self {
            trial: clean(trial.name),
            short: clean(short_name(trial.name)),
            scenario: clean(trial.scenario),
            word: trial.verdict.word(),
            claim: clean(trial.claim),
            expected: worst.map(|cell| expectation(&cell.expect)).unwrap_or_default(),
            seen: seen(verdict, worst),
            cell: worst.map(who_asked_whom).unwrap_or_default(),
            others: others(trial, worst),
            control: worst.filter(|_| has_controls).map(controls).unwrap_or_default(),
            location: blame.map(|blame| clean_location(&blame.location)),
            because: blame.map_or_else(|| unblamed.to_string(), |blame| clean(&blame.because)),
            repeat: clean(trial.repeat),
        }
    }

    /// Every field that is known, with its label.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let cause = match &self.location {
            Some(location) => format!("{location}: {}", self.because),
            None => self.because.clone(),
        };
        let all = [
            ("claim", self.claim.clone()),
            ("expected", self.expected.clone()),
            ("seen", self.seen.clone()),
            ("cell", self.cell.clone()),
            ("also", self.others.clone()),
            ("control", self.control.clone()),
            ("cause", cause),
            ("repeat", self.repeat.clone()),
        ];
        all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
    }
}

/// Trials that do not hold: violated ones first, and of every scenario one before the second of
/// any, because a list that is cut should show as many different faults as it can.
pub(crate) fn failures(view: &RunView<'_>) -> Vec<Failure> {
    let mut seen_of: HashMap<(&str, &str), usize> = HashMap::new();
    let mut ordered: Vec<((bool, usize), &TrialView<'_>)> = Vec::new();
    for trial in &view.trials {
        let is_violated = matches!(trial.verdict, Verdict::Violated { .. });
        if !is_violated && !matches!(trial.verdict, Verdict::Undetermined { .. }) {
            continue;
        }
        let turn = seen_of.entry((trial.scenario, trial.verdict.word())).or_default();
        ordered.push(((!is_violated, *turn), trial));
        *turn += 1;
    }
    ordered.sort_by_key(|(key, _)| *key);
    ordered.into_iter().map(|(_, trial)| Failure::of(trial, view.is_offline())).collect()
}

/// A defect with every text as one clean line.
pub(crate) fn clean_defect(defect: &Defect) -> Defect {
    Defect {
        name: clean(&defect.name),
        summary: clean(&defect.summary),
        object: clean(&defect.object),
        message: clean(&defect.message),
        location: defect.location.as_ref().map(clean_location),
        behind: defect.behind.as_deref().map(clean),
    }
}

/// Defects in the order in which they were found; several of one name, as one mistake in every
/// tenant's folder makes them, stand together.
pub(crate) fn defects_by_kind(view: &RunView<'_>) -> Vec<Vec<Defect>> {
    let mut kinds: Vec<Vec<Defect>> = Vec::new();
    for defect in view.defects.iter().map(|defect| clean_defect(defect)) {
        let is_same = |kind: &&mut Vec<Defect>| {
            kind[0].name == defect.name && kind[0].behind == defect.behind
        };
        match kinds.iter_mut().find(is_same) {
            Some(kind) => kind.push(defect),
            None => kinds.push(vec![defect]),
        }
    }
    kinds
}

/// `base/x.yaml:3 (HelmRelease a/x)`, or the object alone.
pub(crate) fn defect_place(defect: &Defect) -> String {
    match &defect.location {
        Some(location) => format!("{location} ({})", defect.object),
        None => defect.object.clone(),
    }
}

/// A blame with every text as one clean line.
pub(crate) fn clean_blame(blame: &Blame) -> Blame {
    Blame { location: clean_location(&blame.location), because: clean(&blame.because) }
}

pub(crate) fn clean_location(location: &SourceLocation) -> SourceLocation {
    SourceLocation::new(clean(&location.file), location.line)
}

/// An expectation as a person says it.
pub(crate) fn expectation(expect: &str) -> String {
    match expect {
        // As earlier versions wrote it: a run of theirs can be shown again.
        "ownorgonly" | "own-org-only" => "in its own organisation and in no other".to_string(),
        "nootherorg" | "no-other-org" => "in no other organisation than its own".to_string(),
        "unauthorized" => "unauthorized (401)".to_string(),
        other => clean(other),
    }
}

fn worst_cell<'a>(trial: &TrialView<'a>) -> Option<&'a CellResult> {
    let same = trial.cells.iter().find(|cell| cell.verdict == *trial.verdict);
    let alike = || trial.cells.iter().find(|cell| cell.verdict.word() == trial.verdict.word());
    same.or_else(alike).copied()
}

/// The reason, without repeating the expectation that stands on a line of its own.
fn seen(verdict: &Verdict, cell: Option<&CellResult>) -> String {
    let reason = clean(verdict.reason());
    let Some(cell) = cell else { return reason };
    let prefixes =
        [format!("expected {}, saw ", cell.expect), format!("expected {}: ", cell.expect)];
    let rest = prefixes.iter().find_map(|prefix| reason.strip_prefix(prefix.as_str()));
    rest.unwrap_or(&reason).to_string()
}

fn who_asked_whom(cell: &CellResult) -> String {
    match &cell.from {
        Some(from) => clean(&format!("{from} → {}", cell.to)),
        None => clean(&cell.to),
    }
}

fn controls(cell: &CellResult) -> String {
    clean(&cell.controls)
}

fn others(trial: &TrialView<'_>, worst: Option<&CellResult>) -> String {
    let is_other = |cell: &&&CellResult| {
        cell.verdict.word() == trial.verdict.word()
            && worst.is_none_or(|worst| !std::ptr::eq(**cell, worst))
    };
    let cells: Vec<&&CellResult> = trial.cells.iter().filter(is_other).collect();
    if cells.is_empty() {
        return String::new();
    }
    let mut targets: Vec<&str> = Vec::new();
    for cell in &cells {
        if !targets.contains(&cell.column.as_str()) {
            targets.push(&cell.column);
        }
    }
    let shown = targets.iter().take(TARGETS_MAX).copied().collect::<Vec<_>>().join(", ");
    let rest = match targets.len().saturating_sub(TARGETS_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let of_all = counted(trial.cells.len(), "cell");
    let text = format!("{} more of its {of_all}: {shown}{rest}", cells.len());
    clean(&text)
}
