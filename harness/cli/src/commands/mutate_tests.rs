use super::*;
use partywall_core::event::Fate;

const WIDENED: &str = "peers-dropped/shared-services/allow-tenants-to-gateway/ingress-1";
const NARROWED: &str = "port-removed/observability/allow-alloy-from-customer-a/ingress-1/14317-tcp";

/// The two mutants of the reference layout, judged by the built-in scenarios that are kept.
fn judged(keep: impl Fn(&str) -> bool) -> (Vec<MutantResult>, Score) {
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/deployments");
    let rendering = rendering(None, false).unwrap();
    let opened = open_at(&layout, None, None, &rendering).unwrap();
    let project = &opened.files.project;
    let mut mutants = generate(&Ground {
        layout: &project.layout,
        rendered: &opened.judgeable.rendered,
        contract: &project.contract,
        keys: &opened.keys,
    });
    mutants.retain(|mutant| [WIDENED, NARROWED].contains(&mutant.name.as_str()));
    let mut scenarios = scenarios(None).unwrap();
    scenarios.retain(|scenario| keep(&scenario.path));
    let trials = selected_trials(BACKEND, &scenarios, &project.contract, None).unwrap();
    let bench = Bench {
        files: &opened.files,
        judgeable: &opened.judgeable,
        keys: &opened.keys,
        trials: &trials,
        rendering: &rendering,
    };
    let unmutated = bench.unmutated().unwrap();
    let results = bench.judge(&unmutated, &mutants, &|_| ());
    let score = Score::of(&with_mutants(&unmutated.outcome.events, &results));
    (results, score)
}

#[test]
fn scenarios_that_see_kill_by_name_and_reason() {
    let (results, score) = judged(|_| true);
    let by = |result: &MutantResult| match &result.offline {
        Fate::Killed { by, reason, .. } => (by.clone(), reason.clone()),
        other => panic!("{}: {other:?}", result.name),
    };
    let (widened, why) = by(&results[0]);
    assert_eq!(widened, "isolation/platform-ingress-alone");
    assert!(why.starts_with("expected denied, saw reached"), "{why}");
    assert_eq!(by(&results[1]).0, "reach/contracted-ports");
    assert_eq!(score.exit(), Exit::Holds);
}

#[test]
fn without_the_scenarios_that_see_it_a_mutant_lives_and_the_idle_are_named() {
    let (results, score) = judged(|path| !path.starts_with("isolation/"));
    let Fate::Survived { reason } = &results[0].offline else { panic!("{:?}", results[0]) };
    assert!(reason.starts_with("nothing went red"), "{reason}");
    assert!(matches!(results[1].offline, Fate::Killed { .. }));
    let idle: Vec<&str> = score.idle().collect();
    assert!(idle.contains(&"reach/same-tenant"), "{idle:?}");
    assert!(!idle.contains(&"reach/contracted-ports"), "{idle:?}");
    assert!(
        !idle.contains(&"attempts/followed-names"),
        "what judges nothing is not idle: {idle:?}"
    );
    assert_eq!((score.killed, score.killable), (1, 2));
    assert_eq!(score.exit(), Exit::Violated);
}
