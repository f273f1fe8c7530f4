//! The files' answers held against a cluster's, square by square.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use partywall_core::event::{CellResult, Event};
use partywall_core::source::load;
use partywall_core::verdict::Verdict;
use partywall_report::agreement::{Agreement, Disagreement, Ledgered, Square};
use serde::Deserialize;

use crate::failure::Failure;

/// Squares that Kubernetes leaves to the implementation, so that a cluster may know what no file
/// tells. An entry excuses an offline `undetermined` and nothing else: a wrong answer is never
/// excused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The trial without its backend, or the beginning of its name.
    trial: String,
    /// The square's whole name.
    square: String,
    /// Why the files cannot tell.
    reason: String,
}

impl Ledger {
    /// Read the ledger.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!("failed to read the ledger {}: {error}", path.display()))
        })?;
        let ledger: Self = load(&path.display().to_string(), &text).map_err(Failure::usage)?;
        let is_empty = |entry: &Entry| {
            entry.trial.is_empty() || entry.square.is_empty() || entry.reason.is_empty()
        };
        if ledger.entries.iter().any(is_empty) {
            return Err(Failure::usage(format!(
                "{}: an entry needs a trial, a square and a reason",
                path.display()
            )));
        }
        Ok(ledger)
    }

    /// Why a square may differ. A leak that the cluster saw is never excused.
    fn reason(&self, key: &Key, offline: &Verdict, live: &Verdict) -> Option<&str> {
        let excuses =
            |entry: &&Entry| key.trial.starts_with(&entry.trial) && key.square == entry.square;
        let entry = self.entries.iter().find(excuses)?;
        let is_unknown = matches!(offline, Verdict::Undetermined { .. });
        let is_sound = matches!(live, Verdict::Holds { .. } | Verdict::Recorded { .. });
        (is_unknown && is_sound).then_some(entry.reason.as_str())
    }
}

/// A square by what both backends call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    trial: String,
    row: String,
    square: String,
}

impl Key {
    fn of(cell: &CellResult) -> Self {
        let trial = cell.trial.split_once("::").map_or(cell.trial.as_str(), |(_, trial)| trial);
        Self { trial: trial.to_string(), row: cell.row.clone(), square: cell.square.clone() }
    }

    fn ends(&self) -> (String, String) {
        let (from, to) = self.square.split_once(" -> ").unwrap_or((&self.row, &self.square));
        (from.to_string(), to.to_string())
    }

    fn square(&self) -> Square {
        let (from, to) = self.ends();
        Square { trial: self.trial.clone(), row: self.row.clone(), from, to }
    }

    fn disagreement(&self, offline: &Verdict, live: &Verdict) -> Disagreement {
        let (from, to) = self.ends();
        let (trial, row) = (self.trial.clone(), self.row.clone());
        Disagreement { trial, row, from, to, offline: offline.clone(), live: live.clone() }
    }
}

/// The gravest verdict of every square: replicas are one square.
fn squares(events: &[Event]) -> BTreeMap<Key, Verdict> {
    let mut verdicts: BTreeMap<Key, Vec<&Verdict>> = BTreeMap::new();
    for event in events {
        if let Event::CellJudged(cell) = event {
            verdicts.entry(Key::of(cell)).or_default().push(&cell.verdict);
        }
    }
    verdicts.into_iter().map(|(key, of_key)| (key, Verdict::gravest(of_key))).collect()
}

/// Trials that a run did not ask, by what both backends call them.
fn ignored(events: &[Event]) -> BTreeSet<String> {
    let names = events.iter().filter_map(|event| match event {
        Event::TrialIgnored { trial, .. } => Some(trial),
        _ => None,
    });
    names
        .map(|name| name.split_once("::").map_or(name.as_str(), |(_, trial)| trial).to_string())
        .collect()
}

/// Hold one run against the other.
pub fn compare(live: &[Event], offline: &[Event], ledger: &Ledger) -> Agreement {
    let (by_live, by_offline) = (ignored(live), ignored(offline));
    let (mut live, mut offline) = (squares(live), squares(offline));
    // What one of them says it cannot ask is in its own report, and is nothing to agree on.
    live.retain(|key, _| !by_offline.contains(&key.trial));
    offline.retain(|key, _| !by_live.contains(&key.trial));
    let mut agreement = Agreement::default();
    for (key, seen) in &live {
        let Some(told) = offline.remove(key) else {
            agreement.live_only.push(key.square());
            continue;
        };
        agreement.both += 1;
        if told.word() == seen.word() {
            continue;
        }
        let disagreement = key.disagreement(&told, seen);
        match ledger.reason(key, &told, seen) {
            Some(reason) => {
                let reason = reason.to_string();
                agreement.ledger.push(Ledgered { disagreement, reason });
            }
            None => agreement.disagreements.push(disagreement),
        }
    }
    // Two that know nothing agree on nothing.
    let is_judged = |verdict: &&Verdict| !matches!(verdict, Verdict::Undetermined { .. });
    if live.values().filter(is_judged).count() == 0 {
        agreement.both = 0;
    }
    agreement.offline_only = offline.keys().map(Key::square).collect();
    agreement.planned = live.len() + agreement.offline_only.len();
    agreement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(backend: &str, square: &str, verdict: Verdict) -> Event {
        Event::CellJudged(CellResult {
            trial: format!("{backend}::isolation::x"),
            row: "a".to_string(),
            column: "b".to_string(),
            square: square.to_string(),
            from: None,
            to: String::new(),
            expect: "denied".to_string(),
            controls: String::new(),
            evidence: None,
            verdict,
        })
    }

    fn compared(live: &[(&str, Verdict)], offline: &[(&str, Verdict)]) -> Agreement {
        let events = |backend: &str, all: &[(&str, Verdict)]| {
            all.iter().map(|(square, v)| cell(backend, square, v.clone())).collect::<Vec<_>>()
        };
        let entries = vec![Entry {
            trial: "isolation::x".to_string(),
            square: "a -> node".to_string(),
            reason: "left to the implementation".to_string(),
        }];
        compare(&events("kind", live), &events("offline", offline), &Ledger { entries })
    }

    #[test]
    fn the_same_verdicts_agree() {
        let holds = [("a -> b", Verdict::holds())];
        assert!(compared(&holds, &holds).is_agreed());
    }

    #[test]
    fn other_verdicts_disagree() {
        let live = [("a -> b", Verdict::violated("leak"))];
        let agreement = compared(&live, &[("a -> b", Verdict::holds())]);
        assert_eq!(agreement.disagreements.len(), 1);
        assert!(!agreement.is_agreed());
    }

    #[test]
    fn a_square_that_one_side_lacks_is_no_agreement() {
        let holds = [("a -> b", Verdict::holds())];
        let none = compared(&holds, &[]);
        assert_eq!((none.live_only.len(), none.planned, none.both), (1, 1, 0));
        assert!(!none.is_agreed());
        assert!(!compared(&[], &holds).is_agreed());
    }

    #[test]
    fn what_one_side_cannot_ask_is_nothing_to_agree_on() {
        let cells = |trial: &str| {
            let mut events = vec![cell("kind", "a -> b", Verdict::holds())];
            let mut other = events[0].clone();
            if let Event::CellJudged(cell) = &mut other {
                cell.trial = trial.to_string();
            }
            events.push(other);
            events
        };
        let offline = |ignored: &str| {
            let reason = "no file says".to_string();
            vec![
                cell("offline", "a -> b", Verdict::holds()),
                Event::TrialIgnored { trial: ignored.to_string(), reason },
            ]
        };
        let compared = |ignored: &str| {
            compare(&cells("kind::world::y"), &offline(ignored), &Ledger::default())
        };
        assert!(compared("offline::world::y").is_agreed());
        assert!(!compared("offline::world::z").is_agreed());
        assert!(!compared("offline::isolation::x").is_agreed(), "a trial that was left out");
    }

    #[test]
    fn the_ledger_excuses_what_is_unknown_and_no_wrong_answer() {
        let live = [("a -> node", Verdict::holds())];
        let unknown = compared(&live, &[("a -> node", Verdict::undetermined("who knows"))]);
        assert_eq!(unknown.ledger.len(), 1);
        assert!(unknown.is_agreed());
        let leak = [("a -> node", Verdict::violated("leak"))];
        assert!(!compared(&leak, &[("a -> node", Verdict::undetermined("who knows"))]).is_agreed());
        let wrong = compared(&live, &[("a -> node", Verdict::violated("leak"))]);
        assert!(!wrong.is_agreed());
    }

    #[test]
    fn two_that_know_nothing_agree_on_nothing() {
        let unknown = [("a -> b", Verdict::undetermined("who knows"))];
        assert!(!compared(&unknown, &unknown).is_agreed());
    }

    #[test]
    fn replicas_are_one_square_with_the_gravest_verdict() {
        let live = [("a -> b", Verdict::holds()), ("a -> b", Verdict::violated("leak"))];
        let agreement = compared(&live, &[("a -> b", Verdict::holds())]);
        assert_eq!((agreement.planned, agreement.disagreements.len()), (1, 1));
    }
}
