//! The mutants: what was broken on purpose, what noticed, and what never noticed anything.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::event::{Fate, MutantResult};
use serde::Serialize;

use super::head::class_of;
use crate::failures::clean_location;
use crate::scene::Scene;
use crate::text::{clean, cut, thousands};
use crate::view::short_name;

/// More rows than this are not read; survivors come first.
const ROWS_MAX: usize = 1_000;
const TEXT_MAX: usize = 500;

#[derive(Serialize)]
pub(super) struct Mutants {
    rows: Vec<MutantRow>,
    left_out: usize,
    scores: Vec<Score>,
    /// Scenarios that killed no mutant on any backend.
    idle: Vec<String>,
}

#[derive(Serialize)]
struct MutantRow {
    name: String,
    operator: String,
    location: String,
    change: String,
    offline: FateText,
    live: FateText,
    is_problem: bool,
}

#[derive(Serialize)]
struct FateText {
    word: &'static str,
    class: &'static str,
    mark: char,
    by: String,
    trial: String,
    also: String,
    reason: String,
}

/// What one scenario, or one defect of the layout, killed.
#[derive(Serialize)]
struct Score {
    killer: String,
    offline: String,
    live: String,
    /// Mutants that nothing else notices on the backend that says so.
    alone: String,
}

pub(super) fn mutants(scene: &Scene<'_>) -> Option<Mutants> {
    let mut all: Vec<&MutantResult> =
        scene.runs.iter().flat_map(|run| run.view.mutants.iter().copied()).collect();
    if all.is_empty() {
        return None;
    }
    let scores = scores(&all);
    let idle = idle(scene, &all);
    all.sort_by_key(|mutant| !is_problem(mutant));
    let left_out = all.len().saturating_sub(ROWS_MAX);
    let rows = all.into_iter().take(ROWS_MAX).map(row).collect();
    Some(Mutants { rows, left_out, scores, idle })
}

fn is_problem(mutant: &MutantResult) -> bool {
    fates(mutant).into_iter().any(|fate| matches!(fate, Fate::Survived { .. }))
}

const fn fates(mutant: &MutantResult) -> [&Fate; 2] {
    [&mutant.offline, &mutant.live]
}

fn row(mutant: &MutantResult) -> MutantRow {
    MutantRow {
        name: clean(&mutant.name),
        operator: clean(&mutant.operator),
        location: clean_location(&mutant.location).to_string(),
        change: cut(&clean(&mutant.change), TEXT_MAX),
        offline: fate_text(&mutant.offline),
        live: fate_text(&mutant.live),
        is_problem: is_problem(mutant),
    }
}

fn fate_text(fate: &Fate) -> FateText {
    let (mark, reason) = match fate {
        Fate::Killed { reason, .. } => ('✓', reason),
        Fate::Survived { reason } => ('✗', reason),
        Fate::Equivalent { reason } => ('=', reason),
        Fate::NotRun { reason } => ('·', reason),
    };
    let (by, trial, also) = match fate {
        Fate::Killed { by, trial, also, .. } => (by.as_str(), trial.as_deref(), also.join(", ")),
        _ => ("", None, String::new()),
    };
    FateText {
        word: fate.word(),
        class: class_of(fate.word()),
        mark,
        by: clean(by),
        trial: clean(trial.map(short_name).unwrap_or_default()),
        also: cut(&clean(&also), TEXT_MAX),
        reason: cut(&clean(reason), TEXT_MAX),
    }
}

fn scores(all: &[&MutantResult]) -> Vec<Score> {
    let mut of_killer: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for mutant in all {
        for (side, fate) in fates(mutant).into_iter().enumerate() {
            let Fate::Killed { by, also, .. } = fate else { continue };
            for killer in std::iter::once(by).chain(also) {
                of_killer.entry(killer).or_default()[side] += 1;
            }
            if also.is_empty() {
                of_killer.entry(by).or_default()[2] += 1;
            }
        }
    }
    let score = |(killer, [offline, live, alone]): (&str, [usize; 3])| Score {
        killer: clean(killer),
        offline: thousands(offline),
        live: thousands(live),
        alone: thousands(alone),
    };
    of_killer.into_iter().map(score).collect()
}

fn idle(scene: &Scene<'_>, all: &[&MutantResult]) -> Vec<String> {
    let mut killers: BTreeSet<&str> = BTreeSet::new();
    for fate in all.iter().flat_map(|mutant| fates(mutant)) {
        if let Fate::Killed { by, also, .. } = fate {
            killers.insert(by);
            killers.extend(also.iter().map(String::as_str));
        }
    }
    let trials = scene.runs.iter().flat_map(|run| &run.view.trials);
    let scenarios: BTreeSet<&str> = trials.map(|trial| trial.scenario).collect();
    scenarios.difference(&killers).map(|scenario| clean(scenario)).collect()
}
