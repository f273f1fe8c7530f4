//! Judging attempts: a refusal by its control, an applied object by what it opened.

use super::reach::{self, ControlState, Evidence};
use crate::attempt::{AttemptProbe, AttemptReach, Effect, Identity, Want};
use crate::observation::{
    AttemptAnswer, AttemptControl, AttemptObservation, AttemptReachSeen, Observation, Outcome,
    ReachObservation, ReceiptState,
};
use crate::scenario::Expect;
use crate::verdict::{ProofLevel, Verdict};

pub(super) fn judge(expect: Expect, probe: &AttemptProbe, seen: &AttemptObservation) -> Verdict {
    if expect == Expect::Recorded {
        return Verdict::Recorded { seen: recorded(seen) };
    }
    let applied = seen.tried.iter().find(|trying| trying.answer == AttemptAnswer::Applied);
    if let Some(trying) = applied {
        let verdict = applied_as(probe, seen, &trying.identity);
        if verdict.word() != "holds" {
            return verdict;
        }
        // What this identity could not open, another that is not known might have.
        return unknown(seen).or_else(|| left(seen)).unwrap_or(verdict);
    }
    if seen.tried.is_empty() {
        return Verdict::undetermined("no account is known that acts for the tenant's folder");
    }
    unknown(seen).or_else(|| left(seen)).unwrap_or_else(|| refused(seen))
}

/// What every identity was told, for what is shown and not judged.
fn recorded(seen: &AttemptObservation) -> String {
    let told = seen.tried.iter().map(|trying| match &trying.answer {
        AttemptAnswer::Refused { layer, .. } => {
            format!("refused as {} by {}", trying.identity, layer.word())
        }
        AttemptAnswer::Applied => format!("applied as {}", trying.identity),
        AttemptAnswer::Unknown { .. } => format!("not known as {}", trying.identity),
    });
    let told = told.collect::<Vec<_>>().join(", ");
    format!("{}: {told}", seen.object)
}

fn unknown(seen: &AttemptObservation) -> Option<Verdict> {
    seen.tried.iter().find_map(|trying| match &trying.answer {
        AttemptAnswer::Unknown { detail } => Some(Verdict::undetermined(format!(
            "{} as {}: nobody knows what became of it: {detail}",
            seen.object, trying.identity
        ))),
        _ => None,
    })
}

fn left(seen: &AttemptObservation) -> Option<Verdict> {
    let left = seen.left.as_ref()?;
    Some(Verdict::undetermined(format!("{} could not be taken away again: {left}", seen.object)))
}

fn refused(seen: &AttemptObservation) -> Verdict {
    match &seen.control {
        AttemptControl::Failed { detail } => Verdict::undetermined(format!(
            "{} is refused to everybody, so that its refusal proves nothing: {detail}",
            seen.object
        )),
        AttemptControl::Computed => Verdict::Holds { proof: Some(ProofLevel::Computed) },
        AttemptControl::Accepted | AttemptControl::Innocent => Verdict::holds(),
    }
}

fn applied_as(probe: &AttemptProbe, seen: &AttemptObservation, identity: &Identity) -> Verdict {
    let applied = format!("{} was applied as {identity}", seen.object);
    let reaches: &[AttemptReachSeen] = seen.effect.as_ref().map_or(&[], |effect| &effect.reaches);
    let pairs = || probe.reaches.iter().zip(reaches);
    if matches!(probe.hostile.effect(), Effect::Breach | Effect::Release) {
        let shown = pairs().find(|(_, seen)| is_open(&seen.seen));
        let shown = shown.map(|(asked, _)| format!(", and {} was reached", describe(asked)));
        return Verdict::violated(format!("{applied}{}", shown.unwrap_or_default()));
    }
    let Some(effect) = &seen.effect else {
        return Verdict::undetermined(format!("{applied}, and nothing was asked of it"));
    };
    if reaches.is_empty() || reaches.len() != probe.reaches.len() {
        return Verdict::undetermined(format!("{applied}, and not all was asked of it"));
    }
    let verdicts: Vec<Verdict> = pairs()
        .map(|(asked, seen)| {
            explained(reach(asked, seen), &format!("{applied}: {}", describe(asked)))
        })
        .collect();
    let gravest = Verdict::gravest(&verdicts);
    match (&gravest, &effect.unrealised) {
        (Verdict::Violated { .. }, _) => gravest,
        (_, Some(why)) => Verdict::undetermined(format!("{applied}, and may not act yet: {why}")),
        (Verdict::Holds { .. }, None) => Verdict::Holds { proof: weakest(&verdicts) },
        _ => gravest,
    }
}

/// One reach probe of an attempt by the rule of every other.
fn reach(asked: &AttemptReach, seen: &AttemptReachSeen) -> Verdict {
    let observation = match &seen.seen {
        Observation::Reach(observation) => observation,
        Observation::Failed { detail } => {
            return Verdict::undetermined(format!("the probe could not be made: {detail}"));
        }
        _ => return Verdict::undetermined("the answer is of another kind than the question"),
    };
    if asked.want == Want::Unmoved && is_moved(observation) {
        return Verdict::violated("another server answers in the place of the one that was meant");
    }
    let of = |observations: &[Observation]| -> ControlState {
        let places: Vec<usize> = (0..observations.len()).collect();
        reach::controls(&places, observations)
    };
    let evidence = Evidence {
        seen: observation,
        client: of(&seen.client),
        target: of(&seen.target),
        proof: asked.proof,
        unproven: None,
    };
    let expect = match asked.want {
        Want::Denied => Expect::Denied,
        Want::Unmoved => Expect::Reached,
    };
    reach::judge(expect, &evidence)
}

fn is_moved(seen: &ReachObservation) -> bool {
    seen.outcome == Outcome::Reached
        && matches!(seen.receipt, ReceiptState::Absent | ReceiptState::Accepted)
}

fn is_open(seen: &Observation) -> bool {
    let Observation::Reach(seen) = seen else { return false };
    seen.outcome == Outcome::Reached
        || matches!(seen.receipt, ReceiptState::Present | ReceiptState::Accepted)
}

fn explained(verdict: Verdict, about: &str) -> Verdict {
    match verdict {
        Verdict::Violated { reason } => Verdict::violated(format!("{about}: {reason}")),
        Verdict::Undetermined { reason } => Verdict::undetermined(format!("{about}: {reason}")),
        other => other,
    }
}

/// `customer-a/web to partywall-open/open-sink 8080/TCP`.
fn describe(asked: &AttemptReach) -> String {
    let target = &asked.probe.target;
    format!("{} to {} {}", asked.probe.from, target.label, target.port)
}

fn weakest(verdicts: &[Verdict]) -> Option<ProofLevel> {
    let levels = verdicts.iter().filter_map(|verdict| match verdict {
        Verdict::Holds { proof } => *proof,
        _ => None,
    });
    levels.min()
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
