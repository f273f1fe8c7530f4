use super::*;
use crate::attempt::Hostile;
use crate::contract::Tenant;
use crate::inventory::PodName;
use crate::observation::{AttemptEffect, Layer, Trying};
use crate::port::Port;
use crate::probe::{By, ReachProbe, Speak, Target};
use rstest::rstest;

fn asked(want: Want) -> AttemptReach {
    let target = Target {
        label: "partywall-open/open-sink".to_string(),
        by: By::Pod,
        address: "10.0.0.9".to_string(),
        port: Port::tcp(8080),
        speak: Speak::Nonce,
        servers: Vec::new(),
    };
    AttemptReach {
        probe: ReachProbe { from: PodName::new("a", "web"), target },
        want,
        leads_to: None,
        proof: ProofLevel::Receipt,
        client_controls: Vec::new(),
        target_controls: Vec::new(),
    }
}

fn probe(hostile: Hostile, want: Want) -> AttemptProbe {
    let tenant = Tenant {
        name: "a".to_string(),
        namespaces: vec!["a".to_string()],
        org: "a".to_string(),
        secrets: None,
    };
    AttemptProbe {
        tenant,
        hostile,
        name: "partywall-attempt-x".to_string(),
        setting: Default::default(),
        markers: Vec::new(),
        reaches: vec![asked(want)],
    }
}

fn saw(outcome: Outcome, receipt: ReceiptState) -> Observation {
    let echoed = outcome == Outcome::Reached;
    let detail = String::new();
    Observation::Reach(ReachObservation { outcome, echoed, receipt, elapsed_us: 1000, detail })
}

fn reached() -> Observation {
    saw(Outcome::Reached, ReceiptState::Present)
}

fn refusal(layer: Layer) -> AttemptAnswer {
    AttemptAnswer::Refused { layer, message: "no".to_string() }
}

fn unknown_answer() -> AttemptAnswer {
    AttemptAnswer::Unknown { detail: "who knows".to_string() }
}

fn seen(answers: Vec<AttemptAnswer>, control: AttemptControl) -> AttemptObservation {
    let trying = |(place, answer)| Trying {
        identity: Identity::new("a", format!("account-{place}")),
        answer,
    };
    AttemptObservation {
        object: "NetworkPolicy a/x".to_string(),
        tried: answers.into_iter().enumerate().map(trying).collect(),
        control,
        effect: None,
        left: None,
    }
}

fn applied(
    seen_there: Observation,
    client: Vec<Observation>,
    target: Vec<Observation>,
) -> AttemptObservation {
    let reaches = vec![AttemptReachSeen { seen: seen_there, client, target }];
    AttemptObservation {
        effect: Some(AttemptEffect { unrealised: None, reaches }),
        ..seen(vec![refusal(Layer::Rights), AttemptAnswer::Applied], AttemptControl::Accepted)
    }
}

fn closed() -> Observation {
    saw(Outcome::Dropped, ReceiptState::Absent)
}

fn word(hostile: Hostile, want: Want, seen: &AttemptObservation) -> &'static str {
    judge(Expect::Contained, &probe(hostile, want), seen).word()
}

#[rstest]
#[case::refused_by_rights(vec![refusal(Layer::Rights)], AttemptControl::Accepted, "holds")]
#[case::refused_by_admission(vec![refusal(Layer::Admission)], AttemptControl::Innocent, "holds")]
#[case::refused_to_everybody(
    vec![refusal(Layer::Validation)],
    AttemptControl::Failed { detail: "no".to_string() },
    "undetermined"
)]
#[case::nobody_tried(vec![], AttemptControl::Accepted, "undetermined")]
#[case::one_not_known(vec![refusal(Layer::Rights), unknown_answer()], AttemptControl::Accepted, "undetermined")]
#[case::not_known_and_then_applied(vec![unknown_answer(), AttemptAnswer::Applied], AttemptControl::Accepted, "undetermined")]
#[case::applied_and_not_asked(vec![AttemptAnswer::Applied], AttemptControl::Accepted, "undetermined")]
fn judges_refusals(
    #[case] answers: Vec<AttemptAnswer>,
    #[case] control: AttemptControl,
    #[case] expected: &str,
) {
    let seen = seen(answers, control);
    assert_eq!(word(Hostile::AllowAllPolicy, Want::Denied, &seen), expected);
}

#[rstest]
#[case::closed(closed(), vec![reached()], vec![reached()], "holds")]
#[case::open(reached(), vec![reached()], vec![reached()], "violated")]
#[case::open_whatever_the_controls(reached(), vec![], vec![], "violated")]
#[case::reply_lost(saw(Outcome::Dropped, ReceiptState::Present), vec![reached()], vec![reached()], "violated")]
#[case::no_client_control(closed(), vec![], vec![reached()], "undetermined")]
#[case::client_dead(closed(), vec![closed()], vec![reached()], "undetermined")]
#[case::no_target_control(closed(), vec![reached()], vec![], "undetermined")]
#[case::target_dead(closed(), vec![reached()], vec![closed()], "undetermined")]
#[case::no_receipt(saw(Outcome::Dropped, ReceiptState::NoServer), vec![reached()], vec![reached()], "undetermined")]
#[case::probe_lost(Observation::Failed { detail: String::new() }, vec![reached()], vec![reached()], "undetermined")]
fn judges_what_an_applied_object_opened(
    #[case] seen_there: Observation,
    #[case] client: Vec<Observation>,
    #[case] target: Vec<Observation>,
    #[case] expected: &str,
) {
    let seen = applied(seen_there, client, target);
    assert_eq!(word(Hostile::AllowAllPolicy, Want::Denied, &seen), expected);
}

#[test]
fn what_may_not_stand_at_all_is_a_breach_once_it_does() {
    let seen = applied(reached(), vec![], vec![]);
    let verdict = judge(Expect::Contained, &probe(Hostile::HostNetworkPod, Want::Denied), &seen);
    assert_eq!(
        verdict.reason(),
        "NetworkPolicy a/x was applied as a/account-1, and a/web to partywall-open/open-sink \
         8080/TCP was reached"
    );
    let unasked = AttemptObservation { effect: None, ..seen };
    assert_eq!(word(Hostile::HostNetworkPod, Want::Denied, &unasked), "violated");
}

#[rstest]
#[case::still_there(reached(), "holds")]
#[case::somebody_else(saw(Outcome::Reached, ReceiptState::Absent), "violated")]
#[case::gone(saw(Outcome::Dropped, ReceiptState::Absent), "violated")]
#[case::not_known(saw(Outcome::ProbeError, ReceiptState::Absent), "undetermined")]
fn traffic_that_lands_elsewhere_is_a_breach(
    #[case] seen_there: Observation,
    #[case] expected: &str,
) {
    let seen = applied(seen_there, vec![reached()], vec![reached()]);
    assert_eq!(word(Hostile::ExternalIps, Want::Unmoved, &seen), expected);
}

#[test]
fn an_object_that_may_not_act_yet_proves_nothing() {
    let mut seen = applied(closed(), vec![reached()], vec![reached()]);
    seen.effect.as_mut().unwrap().unrealised = Some("the canary".to_string());
    assert_eq!(word(Hostile::AllowAllPolicy, Want::Denied, &seen), "undetermined");
    let mut open = applied(reached(), vec![reached()], vec![reached()]);
    open.effect.as_mut().unwrap().unrealised = Some("the canary".to_string());
    assert_eq!(word(Hostile::AllowAllPolicy, Want::Denied, &open), "violated");
}

#[test]
fn an_object_that_stays_behind_and_answers_that_were_not_given_prove_nothing() {
    let closed = applied(closed(), vec![reached()], vec![reached()]);
    let left = AttemptObservation { left: Some("it stands".to_string()), ..closed.clone() };
    assert_eq!(word(Hostile::AllowAllPolicy, Want::Denied, &left), "undetermined");
    let mut unasked = closed;
    unasked.effect.as_mut().unwrap().reaches.clear();
    assert_eq!(word(Hostile::AllowAllPolicy, Want::Denied, &unasked), "undetermined");
}

#[test]
fn what_is_recorded_is_not_judged() {
    let seen = seen(vec![AttemptAnswer::Applied], AttemptControl::Accepted);
    let verdict = judge(Expect::Recorded, &probe(Hostile::NeighbourHost, Want::Denied), &seen);
    assert_eq!(verdict.reason(), "NetworkPolicy a/x: applied as a/account-0");
    assert_eq!(verdict.word(), "recorded");
}
