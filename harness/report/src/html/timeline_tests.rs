use partywall_core::event::Interval;
use rstest::rstest;

use super::*;

fn edge(forbidden: bool, states: &[(u64, u64, ExposedState)]) -> EdgeExposure {
    EdgeExposure {
        from: "a/x".to_string(),
        to: "b/y 1/TCP".to_string(),
        forbidden,
        probes: 100,
        reached: 1,
        lost: 0,
        against_us: 1,
        intervals: states
            .iter()
            .map(|(from_us, to_us, state)| Interval {
                from_us: *from_us,
                to_us: *to_us,
                state: *state,
            })
            .collect(),
        versions: None,
    }
}

fn experiment(elapsed_us: u64, moments: &[u64], edges: Vec<EdgeExposure>) -> Experiment {
    let moment = |at_us: &u64| Moment { at_us: *at_us, kind: MomentKind::Git, what: String::new() };
    Experiment {
        name: "x".to_string(),
        summary: String::new(),
        layout: String::new(),
        commit: None,
        network_plugin: String::new(),
        rate_per_second: 50,
        elapsed_us,
        moments: moments.iter().map(moment).collect(),
        edges,
        finding: None,
    }
}

const HOUR: u64 = 3_600_000_000;

#[test]
fn a_window_of_a_millisecond_within_an_hour_is_seen() {
    let states = [
        (0, HOUR / 2, ExposedState::Closed),
        (HOUR / 2, HOUR / 2 + 1_000, ExposedState::Open),
        (HOUR / 2 + 1_000, HOUR, ExposedState::Closed),
    ];
    let drawn = drawing(&experiment(HOUR, &[1_000, HOUR - 1_000], vec![edge(true, &states)]));
    let against: Vec<&Bar> =
        drawn.rows[0].bars.iter().filter(|bar| bar.class == "open against").collect();
    assert_eq!((against.len(), against[0].width), (1, 1));
}

#[test]
fn a_flapping_edge_takes_no_more_room_than_slots() {
    let state = |place: u64| {
        let state = if place.is_multiple_of(2) { ExposedState::Open } else { ExposedState::Closed };
        (place * 10, place * 10 + 10, state)
    };
    let states: Vec<(u64, u64, ExposedState)> = (0..100_000).map(state).collect();
    let drawn = drawing(&experiment(1_000_000, &[], vec![edge(false, &states)]));
    assert!(drawn.rows[0].bars.len() <= usize::try_from(SLOTS).unwrap());
}

#[test]
fn bars_lie_within_the_plot_and_not_on_each_other() {
    let states =
        [(0, 7, ExposedState::Closed), (7, 9, ExposedState::Open), (9, 3, ExposedState::Unknown)];
    for elapsed in [0, 1, 9, 1_000, u64::MAX] {
        let drawn = drawing(&experiment(elapsed, &[5, u64::MAX], vec![edge(true, &states)]));
        let mut end = LEFT;
        for bar in &drawn.rows[0].bars {
            assert!(bar.x >= end && bar.x + bar.width <= LEFT + SLOTS);
            end = bar.x + bar.width;
        }
        assert!(drawn.ticks.iter().all(|tick| tick.x <= LEFT + SLOTS));
        assert!(drawn.ticks.len() <= 10);
    }
}

#[test]
fn only_the_part_in_which_something_changes_is_drawn() {
    let drawn = drawing(&experiment(60_000_000, &[20_000_000, 21_000_000], Vec::new()));
    assert_eq!(drawn.window, "drawn: 19,875.0 ms to 21,125.0 ms of 60,000.0 ms");
}

#[test]
fn labels_of_marks_at_one_time_are_in_lanes_of_their_own() {
    let drawn = drawing(&experiment(1_000_000, &[500_000, 500_000, 500_000], Vec::new()));
    let lanes: Vec<u64> = drawn.marks.iter().map(|mark| mark.y).collect();
    assert_eq!(lanes, [LANE, 2 * LANE, 3 * LANE]);
}

#[rstest]
#[case(10_000, "2 ms")]
#[case(1_000_000, "0.2 s")]
#[case(3_000_000, "0.5 s")]
#[case(60_000_000, "10 s")]
fn ticks_are_round_times(#[case] elapsed: u64, #[case] second: &str) {
    let drawn = drawing(&experiment(elapsed, &[], Vec::new()));
    assert_eq!(drawn.ticks[1].label, second);
}
