use rstest::rstest;

use super::*;

const PERIOD: u64 = 40_000;

fn keeping() -> Keeping {
    Keeping {
        finding: Finding {
            name: "secret-gap".to_string(),
            summary: "no valid Secret".to_string(),
            object: "Secrets of a".to_string(),
            location: None,
        },
        must_see_gap: false,
        found: None,
        unproven: None,
    }
}

fn looks(states: &[(usize, ExposedState)]) -> EdgeExposure {
    let each = states.iter().flat_map(|(count, state)| std::iter::repeat_n(*state, *count));
    let told = each.enumerate().map(|(index, state)| Told { at_us: index as u64 * PERIOD, state });
    kept("HelmRelease a/x", "Secret", &told.collect::<Vec<_>>(), PERIOD)
}

fn experiment(edge: EdgeExposure) -> Experiment {
    let elapsed_us = edge.intervals.last().map_or(0, |last| last.to_us);
    Experiment {
        name: "key-rotated".to_string(),
        summary: String::new(),
        layout: String::new(),
        commit: None,
        network_plugin: String::new(),
        rate_per_second: 25,
        elapsed_us,
        moments: Vec::new(),
        edges: vec![edge],
        finding: None,
    }
}

fn word(judgement: &Judgement) -> &'static str {
    match judgement {
        Judgement::Holds => "holds",
        Judgement::Violated(_) => "violated",
        Judgement::Undetermined(_) => "undetermined",
    }
}

use ExposedState::{Closed, Open, Unknown};

#[rstest]
#[case::always_there(&[(100, Open)], "holds")]
#[case::gone_for_one_look(&[(50, Open), (1, Closed), (50, Open)], "violated")]
#[case::a_short_blink(&[(50, Open), (5, Unknown), (50, Open)], "holds")]
#[case::dark_for_long(&[(50, Open), (30, Unknown), (50, Open)], "undetermined")]
#[case::gone_in_the_dark(&[(50, Open), (30, Unknown), (1, Closed), (50, Open)], "violated")]
#[case::too_few(&[(20, Open)], "undetermined")]
#[case::wrong_to_the_end(&[(50, Open), (50, Closed)], "violated")]
fn a_gap_of_one_look_is_a_violation(
    #[case] states: &[(usize, ExposedState)],
    #[case] expected: &str,
) {
    assert_eq!(word(&judge_kept(&experiment(looks(states)), &keeping())), expected);
}

#[test]
fn a_gap_is_told_in_milliseconds() {
    let states = [(50, Open), (3, Closed), (50, Open)];
    let Judgement::Violated(defect) = judge_kept(&experiment(looks(&states)), &keeping()) else {
        panic!("the gap was not seen");
    };
    let told = "Secret of HelmRelease a/x was absent or wrong for 120 ms, first 2000 ms on";
    assert_eq!(defect.message, told);
}

#[test]
fn an_end_that_nobody_saw_is_not_holding() {
    let mut late = experiment(looks(&[(100, Open)]));
    late.elapsed_us += 2_000_000;
    assert_eq!(word(&judge_kept(&late, &keeping())), "undetermined");
    let mut empty = experiment(looks(&[(100, Open)]));
    empty.edges.clear();
    assert_eq!(word(&judge_kept(&empty, &keeping())), "undetermined");
}

#[test]
fn a_meter_on_trial_must_see_its_gap_and_its_end() {
    let keeping = Keeping { must_see_gap: true, ..keeping() };
    let seen = |states: &[_]| judge_kept(&experiment(looks(states)), &keeping);
    assert_eq!(word(&seen(&[(100, Open)])), "undetermined");
    assert_eq!(word(&seen(&[(50, Open), (9, Closed), (50, Open)])), "holds");
    assert_eq!(word(&seen(&[(50, Open), (50, Closed)])), "violated");
}
