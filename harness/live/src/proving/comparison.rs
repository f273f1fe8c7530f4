//! Evidence against an evaluator.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use partywall_offline::netpol::{Answer, Policies, Side};
use serde_json::Value;

use super::evidence::{Evidence, Ground, Round, Seen, Square};

/// A ground on which one answer is rarer than one in this many proves little.
const RARE: usize = 10;
/// More late squares than one in this many: then the sentinel does not show what it should.
const LATE: usize = 100;
/// Squares of one round that are shown.
const SHOWN: usize = 12;

/// What an evaluator and the evidence say about each other.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// How many rounds there were.
    pub rounds: usize,
    /// How many policies stood in all.
    pub policies: usize,
    /// How many of them select a pod.
    pub selecting: usize,
    /// Policies that the cluster took and the evaluator refuses.
    pub refused: Vec<String>,
    /// Squares that were compared and reached.
    pub reached: usize,
    /// Squares that were compared and not reached.
    pub closed: usize,
    /// Squares of which the evaluator does not say, by its reason.
    pub unknown: BTreeMap<String, usize>,
    /// Squares that agreed only after a while.
    pub late: Vec<String>,
    /// Rounds in which the two differ.
    pub disagreements: Vec<Disagreement>,
}

/// A round in which evaluator and evidence differ.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// Its number, from 1.
    pub round: usize,
    /// The squares in words, with what each says.
    pub squares: Vec<String>,
    /// The policies that select an end of such a square, as YAML.
    pub policies: Vec<String>,
}

impl Evidence {
    /// Hold an evaluator against what was seen.
    pub fn compare(&self, evaluate: impl Fn(&Ground, &[Value]) -> Policies) -> Comparison {
        let mut comparison = Comparison { rounds: self.rounds.len(), ..Comparison::default() };
        let squares = self.ground.squares();
        for (place, round) in self.rounds.iter().enumerate() {
            let policies = evaluate(&self.ground, &round.policies);
            comparison.add(place + 1, round, &self.ground, &squares, &policies);
        }
        comparison
    }
}

/// Whether an answer and what was seen are the same.
pub(super) fn agrees(answer: &Answer, seen: &Seen) -> bool {
    matches!((answer, seen), (Answer::Yes, Seen::Reached) | (Answer::No, Seen::Closed))
}

/// A policy as a person writes it.
pub(super) fn yaml(policy: &Value) -> String {
    serde_saphyr::to_string(policy).unwrap_or_else(|_| policy.to_string())
}

impl Comparison {
    /// How many squares were compared and agree.
    pub const fn compared(&self) -> usize {
        self.reached + self.closed
    }

    /// How many squares differ.
    pub fn differing(&self) -> usize {
        self.disagreements.iter().map(|disagreement| disagreement.squares.len()).sum()
    }

    /// Why this is no proof that the evaluator is right; empty where it is one.
    pub fn faults(&self, policies_least: usize) -> Vec<String> {
        let mut faults = Vec::new();
        if self.policies < policies_least {
            faults.push(format!("{} policies, and not {policies_least}", self.policies));
        }
        if self.compared() == 0 {
            faults.push("no square was compared".to_string());
        }
        for (word, count) in [("reached", self.reached), ("not reached", self.closed)] {
            if count * RARE < self.compared() {
                faults.push(format!("only {count} of {} squares {word}", self.compared()));
            }
        }
        if self.late.len() * LATE > self.compared() {
            faults.push(format!("squares realised late: {}", self.late.len()));
        }
        if !self.refused.is_empty() {
            faults.push(format!("policies that only the cluster takes: {}", self.refused.len()));
        }
        if !self.disagreements.is_empty() {
            faults.push(format!("squares that differ: {}", self.differing()));
        }
        faults
    }

    fn add(
        &mut self,
        number: usize,
        round: &Round,
        ground: &Ground,
        squares: &[Square],
        policies: &Policies,
    ) {
        self.policies += round.policies.len();
        let mut selecting = BTreeSet::new();
        let mut differing = Vec::new();
        let mut concerned = BTreeSet::new();
        for square in squares {
            let decision = square.decide(policies);
            let ends = [&decision.egress, &decision.ingress];
            let ends: BTreeSet<usize> = ends.into_iter().flat_map(selecting_of).collect();
            selecting.extend(ends.iter().copied());
            if let Answer::Unknown { reason } = &decision.verdict {
                *self.unknown.entry(reason.to_string()).or_default() += 1;
                continue;
            }
            match round.seen.get(square) {
                Some(seen) if agrees(&decision.verdict, seen) => self.count(seen),
                other => {
                    let seen = other.map_or("never asked".to_string(), ToString::to_string);
                    let said = said(&decision.verdict, &decision.egress, &decision.ingress);
                    differing.push(format!("{}: {seen}, evaluator: {said}", ground.words(*square)));
                    concerned.extend(ends);
                }
            }
        }
        self.selecting += selecting.len();
        let refused = policies.refused().iter();
        self.refused.extend(refused.map(|one| {
            let policy = round.policies.get(one.policy).map(yaml).unwrap_or_default();
            format!("{}\n{policy}", one.error)
        }));
        self.late.extend(round.late.iter().map(|late| {
            let why = if late.is_old_flow { " (a UDP flow of an earlier round)" } else { "" };
            format!("round {number}: {}: first {}{why}", ground.words(late.square), late.first)
        }));
        if !differing.is_empty() {
            let policies = concerned.into_iter().filter_map(|place| round.policies.get(place));
            let policies = policies.map(yaml).collect();
            self.disagreements.push(Disagreement { round: number, squares: differing, policies });
        }
    }

    fn count(&mut self, seen: &Seen) {
        match seen {
            Seen::Reached => self.reached += 1,
            _ => self.closed += 1,
        }
    }
}

fn selecting_of(side: &Side) -> Vec<usize> {
    match side {
        Side::Open => Vec::new(),
        Side::Isolated(isolation) => isolation.policies.clone(),
    }
}

/// `no (egress yes, ingress no)`.
fn said(verdict: &Answer, egress: &Side, ingress: &Side) -> String {
    let word = |answer: &Answer| match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Unknown { .. } => "unknown",
    };
    let (egress, ingress) = (egress.answer(), ingress.answer());
    format!("{} (egress {}, ingress {})", word(verdict), word(&egress), word(&ingress))
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} policies in {} rounds, {} of them select a pod",
            self.policies, self.rounds, self.selecting
        )?;
        writeln!(
            formatter,
            "squares compared and equal: {} ({} reached, {} not reached)",
            self.compared(),
            self.reached,
            self.closed
        )?;
        for (reason, count) in &self.unknown {
            writeln!(formatter, "squares left out: {count} ({reason})")?;
        }
        writeln!(formatter, "squares realised late: {}", self.late.len())?;
        for late in self.late.iter().take(SHOWN) {
            writeln!(formatter, "  {late}")?;
        }
        for refused in &self.refused {
            writeln!(formatter, "the cluster takes what the evaluator refuses: {refused}")?;
        }
        writeln!(formatter, "squares that differ: {}", self.differing())?;
        self.disagreements.iter().try_for_each(|one| write!(formatter, "{one}"))
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "in round {}: {}", self.round, self.squares.len())?;
        for square in self.squares.iter().take(SHOWN) {
            writeln!(formatter, "  {square}")?;
        }
        for policy in &self.policies {
            writeln!(formatter, "---\n{}", policy.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
