use super::super::catalogue::CATALOGUE;
use super::*;
use partywall_core::event::CellResult;
use partywall_core::source::SourceLocation;

const PEERS: &str = "peers-dropped";

fn mutant(operator: &str, about: &[&str]) -> Generated {
    Generated {
        name: format!("{operator}/x"),
        operator: CATALOGUE.iter().find(|one| one.name == operator).unwrap(),
        change: String::new(),
        location: SourceLocation::new("a.yaml", 1),
        about: about.iter().map(ToString::to_string).collect(),
        files: Ok([].into()),
    }
}

fn run(scenario: &str, square: &str, verdict: Verdict) -> Vec<Event> {
    let trial = format!("offline::{}", scenario.replace('/', "::"));
    vec![
        Event::CellJudged(CellResult {
            trial: trial.clone(),
            row: "a".to_string(),
            column: String::new(),
            square: square.to_string(),
            from: None,
            to: String::new(),
            expect: "denied".to_string(),
            controls: String::new(),
            evidence: None,
            verdict: verdict.clone(),
        }),
        Event::TrialFinished {
            trial,
            claim: String::new(),
            scenario: scenario.to_string(),
            tenant: None,
            verdict,
            cells_planned: 1,
            cells_judged: 1,
            elapsed_ms: 0,
            blame: None,
            repeat: String::new(),
        },
    ]
}

fn leak() -> Verdict {
    Verdict::violated("expected denied, saw reached by the files")
}

#[test]
fn killed_by_the_scenario_for_the_reason_and_in_the_place() {
    let before = run("isolation/egress-alone", "a/x -> open/sink", Verdict::holds());
    let after = run("isolation/egress-alone", "a/x -> open/sink", leak());
    let fate = fate(&mutant(PEERS, &["a/"]), &reds(&before, &after));
    assert!(matches!(fate, Fate::Killed { by, .. } if by == "isolation/egress-alone"));
}

#[test]
fn what_was_red_before_kills_nothing() {
    let after = run("isolation/egress-alone", "a/x -> open/sink", leak());
    assert!(reds(&after, &after).is_empty());
    let fate = fate(&mutant(PEERS, &[]), &reds(&after, &after));
    assert_eq!(fate, Fate::Survived { reason: "nothing went red".to_string() });
}

#[test]
fn another_reason_another_scenario_or_another_place_kills_nothing() {
    let before = run("isolation/egress-alone", "a/x -> open/sink", Verdict::holds());
    let other_reason = Verdict::violated("expected reached, saw dropped");
    let after = run("isolation/egress-alone", "a/x -> open/sink", other_reason);
    let seen = reds(&before, &after);
    assert!(
        matches!(fate(&mutant(PEERS, &[]), &seen), Fate::Survived { reason } if reason.contains("another reason"))
    );
    let after = run("isolation/egress-alone", "a/x -> open/sink", leak());
    let seen = reds(&before, &after);
    assert!(matches!(fate(&mutant("prune-off", &[]), &seen), Fate::Survived { .. }));
    let elsewhere = fate(&mutant(PEERS, &["customer-b"]), &seen);
    assert!(matches!(elsewhere, Fate::Survived { reason } if reason.contains("elsewhere")));
}

#[test]
fn what_cannot_be_told_kills_only_by_words_that_the_operator_names() {
    let before = run("attempts/own-policies", "a", Verdict::holds());
    let unknown = Verdict::undetermined("the control was not created");
    let after = run("attempts/own-policies", "a", unknown);
    let seen = fate(&mutant("role-widened", &[]), &reds(&before, &after));
    assert!(matches!(seen, Fate::Survived { .. }), "{seen:?}");
    let broken = run("attempts/own-policies", "a", Verdict::violated("it was created"));
    let seen = fate(&mutant("role-widened", &[]), &reds(&before, &broken));
    assert!(matches!(seen, Fate::Killed { .. }), "{seen:?}");
    let no_control = Verdict::undetermined("no allowed client reached the same target and port");
    let before = run("isolation/egress-alone", "a", Verdict::holds());
    let after = run("isolation/egress-alone", "a", no_control);
    let seen = fate(&mutant("rule-removed", &[]), &reds(&before, &after));
    assert!(matches!(seen, Fate::Killed { .. }), "{seen:?}");
}

#[test]
fn a_defect_at_another_line_is_the_same_one() {
    let defect = |line: u64, object: &str| {
        Event::DefectFound(Defect {
            name: "prune-off".to_string(),
            summary: format!("see a.yaml:{line}"),
            object: object.to_string(),
            message: String::new(),
            location: Some(SourceLocation::new("a.yaml", line)),
            behind: None,
        })
    };
    assert!(reds(&[defect(1, "x")], &[defect(7, "x")]).is_empty());
    let seen = reds(&[defect(1, "x")], &[defect(7, "x"), defect(7, "y")]);
    assert!(matches!(fate(&mutant("prune-off", &["y"]), &seen), Fate::Killed { trial: None, .. }));
}
