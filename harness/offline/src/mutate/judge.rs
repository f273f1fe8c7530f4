//! Whether a mutant is dead: who went red that was not red before, and whether for the reason
//! that its operator names.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::event::{Defect, Event, Fate};
use partywall_core::verdict::Verdict;
use regex::Regex;

use super::catalogue::{Killer, Witness};
use super::model::Generated;

/// So much of what was seen instead is said.
const SEEN_MAX: usize = 2;

/// Something that is red with a mutant and was not without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Red {
    /// The scenario's path, or the defect's name.
    pub by: String,
    /// The trial, where a scenario is red.
    pub trial: Option<String>,
    /// Its reason.
    pub reason: String,
    /// Whether a promise was seen broken, and not only nothing could be told.
    is_broken: bool,
    /// Where it is red: the square, the object, the place.
    texts: Vec<String>,
}

impl Red {
    /// A defect that stops everything, so that nothing else is said.
    pub fn defect(name: &str, reason: String) -> Self {
        let texts = vec![reason.clone()];
        Self { by: name.to_string(), trial: None, reason, is_broken: true, texts }
    }

    fn is_witness(&self, killer: &Killer) -> bool {
        let is_named = match killer.witness {
            Witness::Scenario(path) => self.trial.is_some() && self.by.starts_with(path),
            Witness::Defect(name) => self.trial.is_none() && self.by.starts_with(name),
        };
        // That something cannot be told kills only where the operator says which words tell so.
        is_named
            && self.reason.contains(killer.reason)
            && (self.is_broken || !killer.reason.is_empty())
    }

    fn is_about(&self, words: &[String]) -> bool {
        words.is_empty()
            || words.iter().any(|word| self.texts.iter().any(|text| text.contains(word.as_str())))
    }

    /// Whether this kills a mutant.
    pub fn kills(&self, mutant: &Generated) -> bool {
        self.is_about(&mutant.about)
            && mutant.operator.killers.iter().any(|killer| self.is_witness(killer))
    }
}

/// What is red after a change and was not before it, in the order of the events.
pub fn reds(before: &[Event], after: &[Event]) -> Vec<Red> {
    let scenarios = scenarios(after);
    let known = squares(before);
    let mut found = Vec::new();
    let mut with_cells = BTreeSet::new();
    for event in after {
        let Event::CellJudged(cell) = event else { continue };
        if is_red(&cell.verdict) {
            with_cells.insert(cell.trial.as_str());
        }
        let was = known.get(&(cell.trial.as_str(), cell.square.as_str()));
        if !is_red(&cell.verdict) || was == Some(&cell.verdict.word()) {
            continue;
        }
        found.push(Red {
            by: scenarios.get(cell.trial.as_str()).cloned().unwrap_or_default(),
            trial: Some(cell.trial.clone()),
            reason: cell.verdict.reason().to_string(),
            is_broken: is_broken(&cell.verdict),
            texts: vec![
                cell.trial.clone(),
                cell.row.clone(),
                cell.square.clone(),
                cell.to.clone(),
                cell.verdict.reason().to_string(),
            ],
        });
    }
    found.extend(
        trials(before, after).into_iter().filter(|red| {
            red.trial.as_ref().is_none_or(|trial| !with_cells.contains(trial.as_str()))
        }),
    );
    found.extend(defects(before, after));
    found
}

/// A violation is red, and so is what cannot be told: neither is green.
fn is_red(verdict: &Verdict) -> bool {
    is_broken(verdict) || matches!(verdict, Verdict::Undetermined { .. })
}

fn is_broken(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Violated { .. })
}

fn scenarios(events: &[Event]) -> BTreeMap<&str, String> {
    let named = events.iter().filter_map(|event| match event {
        Event::TrialFinished { trial, scenario, .. } => Some((trial.as_str(), scenario.clone())),
        _ => None,
    });
    named.collect()
}

/// The gravest word of every square: replicas are one square.
fn squares(events: &[Event]) -> BTreeMap<(&str, &str), &'static str> {
    let mut verdicts: BTreeMap<(&str, &str), Vec<&Verdict>> = BTreeMap::new();
    for event in events {
        if let Event::CellJudged(cell) = event {
            verdicts.entry((&cell.trial, &cell.square)).or_default().push(&cell.verdict);
        }
    }
    verdicts.into_iter().map(|(key, all)| (key, Verdict::gravest(all).word())).collect()
}

/// Trials that are red though no cell is: there was nothing to ask about.
fn trials(before: &[Event], after: &[Event]) -> Vec<Red> {
    let word = |event: &Event| match event {
        Event::TrialFinished { trial, verdict, .. } => Some((trial.clone(), verdict.word())),
        _ => None,
    };
    let known: BTreeMap<String, &str> = before.iter().filter_map(word).collect();
    let red = after.iter().filter_map(|event| match event {
        Event::TrialFinished { trial, scenario, verdict, .. }
            if is_red(verdict) && known.get(trial) != Some(&verdict.word()) =>
        {
            Some(Red {
                by: scenario.clone(),
                trial: Some(trial.clone()),
                reason: verdict.reason().to_string(),
                is_broken: is_broken(verdict),
                texts: vec![trial.clone(), verdict.reason().to_string()],
            })
        }
        _ => None,
    });
    red.collect()
}

/// Defects that were not there. Lines move when a file is changed, and are not compared.
fn defects(before: &[Event], after: &[Event]) -> Vec<Red> {
    let lines = Regex::new(r"\.ya?ml:\d+").ok();
    let without_lines = |text: &str| match &lines {
        Some(lines) => lines.replace_all(text, "").into_owned(),
        None => text.to_string(),
    };
    let key = |defect: &Defect| {
        [&defect.name, &defect.object, &defect.summary, &defect.message]
            .map(|text| without_lines(text))
    };
    let all = |events: &[Event]| -> Vec<Defect> {
        let found = events.iter().filter_map(|event| match event {
            Event::DefectFound(defect) => Some(defect.clone()),
            _ => None,
        });
        found.collect()
    };
    let known: BTreeSet<_> = all(before).iter().map(key).collect();
    let new = all(after).into_iter().filter(|defect| !known.contains(&key(defect)));
    new.map(|defect| {
        let place = defect.location.map(|place| place.to_string()).unwrap_or_default();
        Red {
            by: defect.name,
            trial: None,
            is_broken: true,
            texts: vec![defect.object, defect.summary.clone(), defect.message, place],
            reason: defect.summary,
        }
    })
    .collect()
}

/// Dead, by whom; or alive, with what was seen instead.
pub fn fate(mutant: &Generated, reds: &[Red]) -> Fate {
    let killing: Vec<&Red> = reds.iter().filter(|red| red.kills(mutant)).collect();
    // A scenario's word goes before a finding's: it is a claim that somebody wrote. Of several
    // the one that the operator names first.
    let rank = |red: &&&Red| {
        let place = mutant.operator.killers.iter().position(|killer| red.is_witness(killer));
        (red.trial.is_none(), place)
    };
    let first = killing.iter().min_by_key(rank);
    let Some(first) = first else { return Fate::Survived { reason: instead(mutant, reds) } };
    let others: BTreeSet<&str> =
        killing.iter().map(|red| red.by.as_str()).filter(|by| *by != first.by).collect();
    Fate::Killed {
        by: first.by.clone(),
        trial: first.trial.clone(),
        reason: first.reason.clone(),
        also: others.into_iter().map(str::to_string).collect(),
    }
}

fn instead(mutant: &Generated, reds: &[Red]) -> String {
    if reds.is_empty() {
        return "nothing went red".to_string();
    }
    let mut words: Vec<String> = Vec::new();
    for red in reds {
        let at = if red.is_about(&mutant.about) { "" } else { " elsewhere" };
        let word = format!("{}{at}: {}", red.by, red.reason);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let left = words.len().saturating_sub(SEEN_MAX);
    words.truncate(SEEN_MAX);
    let more = if left > 0 { format!("; and {left} more") } else { String::new() };
    format!("red for another reason: {}{more}", words.join("; "))
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
