use super::*;
use crate::console::Colour;
use partywall_core::cluster::Backend;
use partywall_core::event::EVENT_VERSION;
use partywall_core::source::SourceLocation;
use partywall_core::verdict::Verdict;

const PLAIN: ConsoleOptions = ConsoleOptions { colour: Colour::Never, width: 100 };

fn killed(by: &str, also: &[&str]) -> Fate {
    Fate::Killed {
        by: by.to_string(),
        trial: by.contains('/').then(|| format!("offline::{}", by.replace('/', "::"))),
        reason: "expected denied, saw reached".to_string(),
        also: also.iter().map(ToString::to_string).collect(),
    }
}

fn survived() -> Fate {
    Fate::Survived { reason: "nothing went red".to_string() }
}

fn not_run() -> Fate {
    Fate::NotRun { reason: "only the files were asked".to_string() }
}

fn mutant(name: &str, offline: Fate, live: Fate) -> Event {
    Event::MutantJudged(MutantResult {
        name: name.to_string(),
        operator: name.split('/').next().unwrap().to_string(),
        change: "egress rule 1 of a/allow is for everybody".to_string(),
        location: SourceLocation::new("policies.yaml", 7),
        offline,
        live,
    })
}

fn trial(scenario: &str) -> Event {
    Event::TrialFinished {
        trial: format!("offline::{}", scenario.replace('/', "::")),
        claim: String::new(),
        scenario: scenario.to_string(),
        tenant: None,
        verdict: Verdict::holds(),
        cells_planned: 1,
        cells_judged: 1,
        elapsed_ms: 1,
        blame: None,
        repeat: String::new(),
    }
}

fn run(mutants: Vec<Event>) -> Vec<Event> {
    let start = Event::RunStarted {
        version: EVENT_VERSION,
        backend: Backend::Offline,
        layout: "deployments".to_string(),
        commit: None,
        tenants: vec!["a".to_string()],
        planned: Vec::new(),
        at_ms: 0,
    };
    let scenarios = ["isolation/egress-alone", "reach/contracted-ports", "reach/never"].map(trial);
    [start].into_iter().chain(scenarios).chain(mutants).collect()
}

fn sample() -> Vec<Event> {
    run(vec![
        mutant(
            "peers-dropped/a/allow",
            killed("isolation/egress-alone", &["uncontracted-flow"]),
            killed("isolation/egress-alone", &[]),
        ),
        mutant("rule-removed/a/allow", killed("reach/contracted-ports", &[]), not_run()),
        mutant(
            "policy-renamed/a/allow",
            Fate::Equivalent { reason: "the same".to_string() },
            not_run(),
        ),
        mutant("port-added/a/allow", survived(), not_run()),
        mutant("recipient-added/a", not_run(), not_run()),
    ])
}

#[test]
fn one_line_a_mutant_the_survivors_and_the_scores() {
    insta::assert_snapshot!(text(&sample(), &PLAIN));
}

#[test]
fn a_comment_for_a_pull_request() {
    insta::assert_snapshot!(markdown(&sample()));
}

#[test]
fn a_scenario_that_kills_nothing_is_named() {
    let score = Score::of(&sample());
    assert_eq!(score.idle().collect::<Vec<_>>(), ["reach/never"]);
    let of = |name: &str| score.witnesses.iter().find(|one| one.name == name).unwrap().clone();
    let egress = of("isolation/egress-alone");
    assert_eq!((egress.killed, egress.alone, egress.killed_live), (1, 0, 1));
    assert_eq!(
        (of("reach/contracted-ports").alone, of("uncontracted-flow").is_scenario),
        (1, false)
    );
}

#[test]
fn killed_of_killable_and_the_exit() {
    let score = Score::of(&sample());
    assert_eq!((score.killed, score.killable, score.equivalent, score.not_run), (2, 3, 1, 1));
    assert_eq!(score.exit(), Exit::Violated);
    let dead = run(vec![mutant("a", killed("reach/x", &[]), not_run())]);
    assert_eq!(Score::of(&dead).exit(), Exit::Holds);
    let none = run(vec![mutant("a", not_run(), not_run())]);
    assert_eq!(Score::of(&none).exit(), Exit::Undetermined);
}

#[test]
fn what_lives_on_a_cluster_lives_whatever_the_files_say() {
    let lives = run(vec![mutant("a", killed("reach/x", &[]), survived())]);
    assert_eq!(Score::of(&lives).exit(), Exit::Violated);
    let dies = run(vec![mutant("a", survived(), killed("reach/x", &[]))]);
    assert_eq!(Score::of(&dies).exit(), Exit::Holds);
}

#[test]
fn json_holds_the_score_and_every_mutant() {
    let value: serde_json::Value = serde_json::from_str(&json(&sample()).unwrap()).unwrap();
    assert_eq!(value["score"]["killable"], 3);
    assert_eq!(value["mutants"].as_array().unwrap().len(), 5);
    assert_eq!(value["mutants"][0]["offline"]["also"][0], "uncontracted-flow");
}
