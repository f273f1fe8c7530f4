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
    let twice = Some(VersionsSeen { events: 2, gaps: 1, gaps_by_looks: 1, unwatched_us: 0 });
    let seen = |states: &[_]| {
        judge_kept(&experiment(EdgeExposure { versions: twice, ..looks(states) }), &keeping)
    };
    let unseen = judge_kept(&experiment(looks(&[(100, Open)])), &keeping);
    assert_eq!(word(&unseen), "undetermined");
    let by_looks_alone = experiment(looks(&[(50, Open), (9, Closed), (50, Open)]));
    assert_eq!(word(&judge_kept(&by_looks_alone, &keeping)), "undetermined");
    assert_eq!(word(&seen(&[(50, Open), (9, Closed), (50, Open)])), "holds");
    assert_eq!(word(&seen(&[(50, Open), (50, Closed)])), "violated");
}

/// Two seconds of looks that found everything right, and a watch beside them.
fn watched(told: &[(u64, ExposedState)], events: usize) -> EdgeExposure {
    let looks: Vec<Told> =
        (0..50).map(|index| Told { at_us: index * PERIOD, state: Open }).collect();
    let told: Vec<Told> =
        told.iter().map(|(at_us, state)| Told { at_us: *at_us, state: *state }).collect();
    let gaps = told.iter().filter(|one| one.state == Closed).count();
    let lane = ("HelmRelease a/x".to_string(), "the Secret behind valuesFrom (v)".to_string());
    kept_and_watched(&lane, &looks, &LaneVersions { told, events, gaps }, 0, PERIOD)
}

#[test]
fn a_gap_between_two_looks_is_a_violation_by_the_watch() {
    let between = 10 * PERIOD + 5000;
    let edge = watched(&[(0, Open), (between, Closed), (between + 7000, Open)], 2);
    assert_eq!(edge.versions.unwrap().gaps_by_looks, 0);
    let Judgement::Violated(defect) = judge_kept(&experiment(edge.clone()), &keeping()) else {
        panic!("the gap was not seen");
    };
    assert!(defect.message.contains("absent or wrong for 7 ms, first 405 ms on"), "{defect:?}");
    assert_eq!(
        edge.statement(),
        "absent or wrong in 0 of 50 looks; gaps by the watch: 1 in 2 versions"
    );
    assert_eq!(word(&judge_kept(&experiment(watched(&[(0, Open)], 4)), &keeping())), "holds");
}

#[test]
fn where_nobody_watched_no_watch_is_told_of() {
    let mut edge = watched(&[], 0);
    let versions = |unwatched_us| VersionsSeen { unwatched_us, ..VersionsSeen::default() };
    edge.versions = Some(versions(50 * PERIOD));
    let told = "absent or wrong in 0 of 50 looks; nobody watched, and the looks tell alone";
    assert_eq!(edge.statement(), told);
    edge.versions = Some(versions(PERIOD));
    assert!(
        edge.statement()
            .ends_with("; gaps by the watch: 0 in 0 versions (for 40 ms the looks alone tell)")
    );
}

#[test]
fn a_gap_of_no_time_at_all_is_one() {
    let at = 10 * PERIOD;
    let edge = watched(&[(0, Open), (at, Closed), (at, Open)], 2);
    assert_eq!(word(&judge_kept(&experiment(edge), &keeping())), "violated");
}

#[test]
fn a_meter_on_trial_must_see_its_gap_by_looks_and_by_watch() {
    let keeping = Keeping { must_see_gap: true, ..keeping() };
    let seen = |gaps, gaps_by_looks| {
        let mut edge = looks(&[(50, Open), (9, Closed), (50, Open)]);
        edge.versions = Some(VersionsSeen { events: 2, gaps, gaps_by_looks, unwatched_us: 0 });
        word(&judge_kept(&experiment(edge), &keeping))
    };
    assert_eq!(seen(1, 1), "holds");
    assert_eq!(seen(0, 1), "undetermined");
    assert_eq!(seen(1, 0), "undetermined");
}
