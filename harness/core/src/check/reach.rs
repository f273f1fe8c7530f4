//! Judging reach: an allow by its echo, a deny by its controls and the server's receipts.

use crate::observation::{Observation, Outcome, ReachObservation, ReceiptState};
use crate::plan::Unproven;
use crate::scenario::Expect;
use crate::verdict::{ProofLevel, Verdict};

/// Everything that bears on one reach cell.
pub(super) struct Evidence<'a> {
    pub seen: &'a ReachObservation,
    pub client: ControlState,
    pub target: ControlState,
    pub proof: ProofLevel,
    pub unproven: Option<Unproven>,
}

/// How the controls of one side went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ControlState {
    /// One was reached.
    Reached,
    /// None was; says what happened instead.
    Failed(String),
    /// None was, and each was refused at once: nothing listens.
    Refused(String),
    /// There is none.
    Missing,
}

/// The controls at these places of the batch.
pub(super) fn controls(indices: &[usize], observations: &[Observation]) -> ControlState {
    let mut last = ControlState::Missing;
    for index in indices {
        match observations.get(*index) {
            Some(Observation::Reach(seen)) if succeeded(seen) => return ControlState::Reached,
            Some(Observation::Reach(seen))
                if seen.outcome == Outcome::Refused
                    && matches!(last, ControlState::Missing | ControlState::Refused(_)) =>
            {
                last = ControlState::Refused(describe(seen));
            }
            Some(Observation::Reach(seen)) => last = ControlState::Failed(describe(seen)),
            Some(Observation::Failed { detail }) => last = ControlState::Failed(detail.clone()),
            _ => last = ControlState::Failed("the control was never answered".to_string()),
        }
    }
    last
}

/// An answer counts only if the server that was meant has the nonce, where it keeps receipts.
fn succeeded(seen: &ReachObservation) -> bool {
    seen.outcome == Outcome::Reached
        && matches!(
            seen.receipt,
            ReceiptState::NoServer | ReceiptState::Present | ReceiptState::Computed
        )
}

pub(super) fn judge(expect: Expect, evidence: &Evidence<'_>) -> Verdict {
    match expect {
        Expect::Reached => reached(evidence),
        Expect::Denied => denied(evidence),
        _ => Verdict::Recorded { seen: describe(evidence.seen) },
    }
}

fn reached(evidence: &Evidence<'_>) -> Verdict {
    let seen = evidence.seen;
    if succeeded(seen) {
        return match seen.receipt {
            ReceiptState::Computed => Verdict::Holds { proof: Some(ProofLevel::Computed) },
            _ => Verdict::holds(),
        };
    }
    if seen.outcome == Outcome::Reached {
        return Verdict::undetermined(format!(
            "something answered, but not the server that was meant ({})",
            seen.detail
        ));
    }
    if seen.outcome == Outcome::ProbeError {
        return Verdict::undetermined(format!("the probe could not be made: {}", seen.detail));
    }
    if let ControlState::Failed(control) | ControlState::Refused(control) = &evidence.target {
        return Verdict::undetermined(format!(
            "{}, but the target answers nobody: the control saw {control}",
            describe(seen)
        ));
    }
    Verdict::violated(format!("expected reached, saw {}", describe(seen)))
}

fn denied(evidence: &Evidence<'_>) -> Verdict {
    let seen = evidence.seen;
    if seen.outcome == Outcome::Reached {
        return Verdict::violated(format!("expected denied, saw {}", describe(seen)));
    }
    if matches!(seen.receipt, ReceiptState::Present | ReceiptState::Accepted) {
        return Verdict::violated(
            "expected denied: the reply was lost, but the server received the probe",
        );
    }
    if matches!(seen.outcome, Outcome::ProbeError | Outcome::Unresolved) {
        return Verdict::undetermined(format!("no packet was judged: saw {}", describe(seen)));
    }
    if let ReceiptState::Unknown { detail } = &seen.receipt {
        return Verdict::undetermined(format!(
            "the server could not be asked for receipts: {detail}"
        ));
    }
    if let (ControlState::Reached, Some(why)) = (&evidence.client, unproven(evidence)) {
        return Verdict::Recorded { seen: format!("not judged: {why}; saw {}", describe(seen)) };
    }
    let sides = [
        (&evidence.client, "the same client reached nothing that it may reach"),
        (&evidence.target, "no allowed client reached the same target and port"),
    ];
    for (state, meaning) in sides {
        match state {
            ControlState::Reached => {}
            ControlState::Failed(control) | ControlState::Refused(control) => {
                return Verdict::undetermined(format!("{meaning}: the control saw {control}"));
            }
            ControlState::Missing => {
                return Verdict::undetermined(format!("{meaning}: there is no control"));
            }
        }
    }
    match (&seen.receipt, evidence.proof) {
        (ReceiptState::Computed, _) => Verdict::Holds { proof: Some(ProofLevel::Computed) },
        (ReceiptState::Absent, _) => Verdict::Holds { proof: Some(ProofLevel::Receipt) },
        (ReceiptState::NoServer, ProofLevel::Control) => {
            Verdict::Holds { proof: Some(ProofLevel::Control) }
        }
        (ReceiptState::NoServer, _) => Verdict::undetermined(
            "the target keeps no receipts and the contract does not accept `proof: control`",
        ),
        (ReceiptState::Unknown { .. } | ReceiptState::Present | ReceiptState::Accepted, _) => {
            unreachable!("judged above")
        }
    }
}

/// Why there is no client that may reach the target, where that is as it should be. Such a deny is
/// shown and proves nothing.
fn unproven(evidence: &Evidence<'_>) -> Option<&'static str> {
    match (evidence.unproven?, &evidence.target) {
        (Unproven::MayBeIdle, ControlState::Refused(_)) => {
            Some("nothing listens: even a client without walls is refused")
        }
        (Unproven::LeadsAway, ControlState::Failed(_) | ControlState::Refused(_)) => Some(
            "nobody may pass: the door leads to a pod of another node, whose policies see a \
             node's address in place of the client's",
        ),
        _ => None,
    }
}

fn describe(seen: &ReachObservation) -> String {
    let word = match seen.outcome {
        Outcome::Reached => "reached",
        Outcome::Refused => "refused",
        Outcome::Dropped => "dropped",
        Outcome::Unresolved => "unresolved",
        Outcome::ProbeError => "a probe error",
    };
    if seen.receipt == ReceiptState::Computed {
        return match seen.outcome {
            Outcome::ProbeError => seen.detail.clone(),
            _ if seen.detail.is_empty() => format!("{word} by the files"),
            _ => format!("{word} by the files ({})", seen.detail),
        };
    }
    let milliseconds = seen.elapsed_us / 1000;
    if seen.detail.is_empty() {
        format!("{word} after {milliseconds} ms")
    } else {
        format!("{word} after {milliseconds} ms ({})", seen.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn seen(outcome: Outcome, receipt: ReceiptState) -> ReachObservation {
        let echoed = outcome == Outcome::Reached;
        ReachObservation { outcome, echoed, receipt, elapsed_us: 1000, detail: String::new() }
    }

    fn word(
        expect: Expect,
        seen: &ReachObservation,
        client: ControlState,
        target: ControlState,
        proof: ProofLevel,
    ) -> &'static str {
        judge(expect, &Evidence { seen, client, target, proof, unproven: None }).word()
    }

    const OK: ControlState = ControlState::Reached;

    #[rstest]
    #[case::proven(Outcome::Dropped, ReceiptState::Absent, "holds")]
    #[case::reset_is_a_deny(Outcome::Refused, ReceiptState::Absent, "holds")]
    #[case::leak(Outcome::Reached, ReceiptState::Present, "violated")]
    #[case::leak_without_receipt(Outcome::Reached, ReceiptState::NoServer, "violated")]
    #[case::reply_lost(Outcome::Dropped, ReceiptState::Present, "violated")]
    #[case::accepted(Outcome::Dropped, ReceiptState::Accepted, "violated")]
    #[case::probe_broken(Outcome::ProbeError, ReceiptState::Absent, "undetermined")]
    #[case::dns_broken(Outcome::Unresolved, ReceiptState::Absent, "undetermined")]
    #[case::no_receipts(Outcome::Dropped, ReceiptState::NoServer, "undetermined")]
    #[case::server_silent(Outcome::Dropped, ReceiptState::Unknown { detail: String::new() }, "undetermined")]
    fn judges_denies(
        #[case] outcome: Outcome,
        #[case] receipt: ReceiptState,
        #[case] expected: &str,
    ) {
        let seen = seen(outcome, receipt);
        assert_eq!(word(Expect::Denied, &seen, OK, OK, ProofLevel::Receipt), expected);
    }

    #[rstest]
    #[case::client_dead(ControlState::Failed("dropped".into()), OK)]
    #[case::server_dead(OK, ControlState::Failed("refused".into()))]
    #[case::no_client_control(ControlState::Missing, OK)]
    #[case::no_target_control(OK, ControlState::Missing)]
    fn a_deny_without_controls_is_undetermined(
        #[case] client: ControlState,
        #[case] target: ControlState,
    ) {
        let seen = seen(Outcome::Dropped, ReceiptState::Absent);
        assert_eq!(
            word(Expect::Denied, &seen, client, target, ProofLevel::Receipt),
            "undetermined"
        );
    }

    #[test]
    fn what_is_computed_says_so_and_claims_no_receipt() {
        let dropped = seen(Outcome::Dropped, ReceiptState::Computed);
        let evidence = Evidence {
            seen: &dropped,
            client: OK,
            target: OK,
            proof: ProofLevel::Receipt,
            unproven: None,
        };
        let computed = Verdict::Holds { proof: Some(ProofLevel::Computed) };
        assert_eq!(judge(Expect::Denied, &evidence), computed);
        let reached = seen(Outcome::Reached, ReceiptState::Computed);
        let evidence = Evidence { seen: &reached, ..evidence };
        assert_eq!(judge(Expect::Reached, &evidence), computed);
        assert_eq!(judge(Expect::Denied, &evidence).word(), "violated");
    }

    #[test]
    fn control_alone_holds_only_where_the_contract_says_so() {
        let seen = seen(Outcome::Dropped, ReceiptState::NoServer);
        assert_eq!(word(Expect::Denied, &seen, OK, OK, ProofLevel::Control), "holds");
    }

    #[rstest]
    #[case::idle(Unproven::MayBeIdle, ControlState::Refused("refused".into()), "recorded")]
    #[case::silent(Unproven::MayBeIdle, ControlState::Failed("dropped".into()), "undetermined")]
    #[case::unasked(Unproven::MayBeIdle, ControlState::Missing, "undetermined")]
    #[case::leads_away(Unproven::LeadsAway, ControlState::Failed("dropped".into()), "recorded")]
    #[case::open_to_others(Unproven::LeadsAway, OK, "holds")]
    #[case::listens(Unproven::MayBeIdle, OK, "holds")]
    fn a_deny_that_nobody_could_disprove_is_recorded_and_does_not_hold(
        #[case] unproven: Unproven,
        #[case] target: ControlState,
        #[case] expected: &str,
    ) {
        let judged = |outcome: Outcome, receipt: ReceiptState, client: ControlState| {
            let seen = &seen(outcome, receipt);
            let (target, proof) = (target.clone(), ProofLevel::Receipt);
            let unproven = Some(unproven);
            judge(Expect::Denied, &Evidence { seen, client, target, proof, unproven })
        };
        assert_eq!(judged(Outcome::Dropped, ReceiptState::Absent, OK).word(), expected);
        // A leak is a leak, and a client that reaches nothing proves nothing.
        assert_eq!(judged(Outcome::Reached, ReceiptState::Present, OK).word(), "violated");
        assert_eq!(judged(Outcome::Dropped, ReceiptState::Present, OK).word(), "violated");
        let dead = ControlState::Failed("dropped".into());
        assert_eq!(judged(Outcome::Dropped, ReceiptState::Absent, dead).word(), "undetermined");
    }

    #[test]
    fn an_allow_that_fails_is_a_violation_only_while_the_target_answers_others() {
        let seen = seen(Outcome::Dropped, ReceiptState::Absent);
        assert_eq!(word(Expect::Reached, &seen, OK, OK, ProofLevel::Receipt), "violated");
        let dead = ControlState::Failed("dropped".into());
        assert_eq!(word(Expect::Reached, &seen, OK, dead, ProofLevel::Receipt), "undetermined");
    }

    #[test]
    fn an_allow_whose_nonce_did_not_arrive_is_not_an_allow() {
        for receipt in [ReceiptState::Absent, ReceiptState::Accepted] {
            let seen = seen(Outcome::Reached, receipt);
            assert_eq!(word(Expect::Reached, &seen, OK, OK, ProofLevel::Receipt), "undetermined");
        }
    }
}
