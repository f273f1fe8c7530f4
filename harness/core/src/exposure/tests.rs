//! Tables of probes, and what they come to.

use rstest::rstest;

use super::*;
use crate::event::{EdgeExposure, Experiment, ExposedState};
use crate::inventory::PodName;
use crate::port::Port;

const PERIOD: u64 = 20_000;

fn edge(forbidden: bool) -> Edge {
    Edge {
        from: PodName::new("a", "client-0"),
        from_label: "a/client".to_string(),
        to_label: "b/server 80/TCP".to_string(),
        address: "10.0.0.1".to_string(),
        port: Port::tcp(80),
        server: PodName::new("b", "server-0"),
        forbidden,
        steady: false,
    }
}

/// One letter a probe, one probe a period: `o`pen, `c`losed, `?` unknown, `_` never put.
fn record(forbidden: bool, text: &str) -> EdgeRecord {
    let state = |letter| match letter {
        'o' => Some(ExposedState::Open),
        'c' => Some(ExposedState::Closed),
        '?' => Some(ExposedState::Unknown),
        _ => None,
    };
    let placed = (0_u64..).zip(text.chars());
    let probes = placed
        .filter_map(|(place, letter)| Some(Told { at_us: place * PERIOD, state: state(letter)? }));
    EdgeRecord { edge: edge(forbidden), probes: probes.collect() }
}

/// Stretches in periods: `c3 o2`.
fn told(exposure: &EdgeExposure) -> String {
    let word = |state| match state {
        ExposedState::Open => "o",
        ExposedState::Closed => "c",
        ExposedState::Unknown => "?",
    };
    let stretches = exposure.intervals.iter().map(|interval| {
        format!("{}{}", word(interval.state), (interval.to_us - interval.from_us) / PERIOD)
    });
    stretches.collect::<Vec<_>>().join(" ")
}

#[rstest]
#[case("", "", 0, 0, 0)]
#[case("ccc", "c3", 3, 0, 0)]
#[case("cccoocc", "c3 o2 c2", 7, 2, 0)]
#[case("c", "c1", 1, 0, 0)]
#[case("o", "o1", 1, 1, 0)]
// What was lost is unknown, and never closed.
#[case("cc??cc", "c2 ?2 c2", 6, 0, 2)]
#[case("??", "?2", 2, 0, 2)]
// What was never put is unknown too.
#[case("cc___cc", "c2 ?3 c2", 7, 0, 3)]
#[case("cc___oo", "c2 ?3 o2", 7, 2, 3)]
#[case("c_c", "c1 ?1 c1", 3, 0, 1)]
#[case("o?_c", "o1 ?2 c1", 4, 1, 2)]
fn probes_come_to_stretches(
    #[case] text: &str,
    #[case] expected: &str,
    #[case] probes: usize,
    #[case] reached: usize,
    #[case] lost: usize,
) {
    let exposure = exposure(&record(true, text), PERIOD);
    assert_eq!(told(&exposure), expected);
    assert_eq!((exposure.probes, exposure.reached, exposure.lost), (probes, reached, lost));
}

#[rstest]
#[case(true, "ccooocc", 3)]
#[case(true, "ccoco", 2)]
#[case(true, "cc???", 0)]
#[case(false, "ooccoo", 2)]
#[case(false, "oo??oo", 0)]
fn time_against_the_contract_is_what_was_seen(
    #[case] forbidden: bool,
    #[case] text: &str,
    #[case] periods: u64,
) {
    let exposure = exposure(&record(forbidden, text), PERIOD);
    assert_eq!(exposure.against_us, periods * PERIOD);
}

#[rstest]
#[case("ccooccoc", &[(2, 4), (6, 7)])]
#[case("coo??ooc", &[(1, 7)])]
#[case("coo??ccoc", &[(1, 3), (7, 8)])]
#[case("??o??", &[(2, 3)])]
#[case("ooc_o", &[(0, 2), (4, 5)])]
fn a_lost_probe_does_not_cut_an_exposure_in_two(
    #[case] text: &str,
    #[case] expected: &[(u64, u64)],
) {
    let told = windows(&exposure(&record(true, text), PERIOD));
    let told: Vec<(u64, u64)> =
        told.iter().map(|window| (window.from_us / PERIOD, window.to_us / PERIOD)).collect();
    assert_eq!(told, expected);
}

/// A small generator, so that failures repeat.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Whatever the probes are: the stretches have no gaps and do not repeat a state, no time is
/// closed in which no probe was closed, and no leak is lost.
#[test]
fn stretches_of_any_probes_are_whole_and_claim_nothing() {
    let mut seed = 7;
    for _round in 0..2000 {
        let length = random(&mut seed) % 40;
        let letters = ['o', 'c', '?', '_'];
        let text: String = (0..length).map(|_| letters[(random(&mut seed) % 4) as usize]).collect();
        let mut record = record(true, &text);
        for probe in &mut record.probes {
            probe.at_us += random(&mut seed) % 5_000;
        }
        let told = exposure(&record, PERIOD);
        for pair in told.intervals.windows(2) {
            assert_eq!(pair[0].to_us, pair[1].from_us, "{text}");
            assert_ne!(pair[0].state, pair[1].state, "{text}");
        }
        let at = |state: ExposedState, at: u64| {
            told.intervals.iter().any(|interval| {
                interval.state == state && (interval.from_us..interval.to_us).contains(&at)
            })
        };
        assert!(record.probes.iter().all(|probe| at(probe.state, probe.at_us)), "{text}");
        let closed = told.intervals.iter().filter(|one| one.state == ExposedState::Closed);
        for interval in closed {
            let seen = record.probes.iter().filter(|probe| {
                (interval.from_us..interval.to_us).contains(&probe.at_us)
                    && probe.state == ExposedState::Closed
            });
            let longest = seen.count() as u64 * (PERIOD * 3 / 2);
            assert!(interval.to_us - interval.from_us <= longest, "{text}");
        }
        assert_eq!(told.reached, text.chars().filter(|letter| *letter == 'o').count());
        assert!(told.probes >= told.lost + told.reached);
    }
}

fn experiment(edges: &[(bool, &str)]) -> Experiment {
    let longest = edges.iter().map(|(_, text)| text.len() as u64 * PERIOD).max();
    let edges = edges.iter().map(|(forbidden, text)| exposure(&record(*forbidden, text), PERIOD));
    Experiment {
        name: "policy-renamed".to_string(),
        summary: String::new(),
        layout: String::new(),
        commit: None,
        network_plugin: String::new(),
        rate_per_second: 50,
        elapsed_us: longest.unwrap_or(0),
        moments: Vec::new(),
        edges: edges.collect(),
        finding: None,
    }
}

fn expectation(open: &[(u64, u64)]) -> Expectation {
    let window = |(from, to): &(u64, u64)| Window { from_us: from * PERIOD, to_us: to * PERIOD };
    Expectation {
        open_allowed: open.iter().map(window).collect(),
        finding: Finding {
            name: "gap".to_string(),
            summary: String::new(),
            object: String::new(),
            location: None,
        },
        must_recover: true,
        is_lasting: true,
    }
}

fn verdict(edges: &[(bool, &str)], open: &[(u64, u64)]) -> String {
    match judge(&experiment(edges), &expectation(open)) {
        Judgement::Holds => "holds".to_string(),
        Judgement::Violated(defect) => defect.name,
        Judgement::Undetermined(reason) => reason,
    }
}

#[test]
fn a_forbidden_edge_may_be_open_only_where_the_experiment_opens_it() {
    let closed = "c".repeat(40);
    let leak = format!("{}oo{}", "c".repeat(20), "c".repeat(20));
    assert_eq!(verdict(&[(true, &closed)], &[]), "holds");
    assert_eq!(verdict(&[(true, &leak)], &[]), "gap");
    assert_eq!(verdict(&[(true, &leak)], &[(19, 30)]), "holds");
    assert_eq!(verdict(&[(true, &leak)], &[(21, 30)]), "gap");
    // One leak is enough, whatever else is not known.
    assert_eq!(verdict(&[(true, &leak), (true, "??")], &[]), "gap");
}

#[test]
fn what_was_not_told_does_not_hold() {
    let closed = "c".repeat(40);
    assert!(verdict(&[], &[]).contains("no forbidden edge"));
    assert!(verdict(&[(false, &"o".repeat(40))], &[]).contains("no forbidden edge"));
    assert!(verdict(&[(true, &"?".repeat(400))], &[]).contains("0 probes told"));
    assert!(verdict(&[(true, &"c".repeat(29))], &[]).contains("29 probes told"));
    // A meter that ignores its samples has nothing to say of an edge.
    assert!(verdict(&[(true, &closed), (true, "")], &[]).contains("0 probes told"));
}

#[test]
fn an_edge_must_be_as_it_was_at_the_end() {
    let closed = "c".repeat(40);
    let open = format!("{}{}", "c".repeat(20), "o".repeat(20));
    assert_eq!(verdict(&[(true, &open)], &[(0, 60)]), "exposure-does-not-end");
    let broken = format!("{}{}", "o".repeat(20), "c".repeat(20));
    assert_eq!(verdict(&[(true, &closed), (false, &broken)], &[]), "allowed-edge-stays-closed");
    let interrupted = format!("{}cc{}", "o".repeat(20), "o".repeat(20));
    assert_eq!(verdict(&[(true, &closed), (false, &interrupted)], &[]), "holds");
}

#[rstest]
#[case::a_short_hole_hides_nothing(30, 50, true, true)]
#[case::a_long_hole_may_hide_a_leak(30, 51, true, false)]
#[case::also_where_ends_come_and_go(30, 51, false, false)]
fn what_is_unknown_between_probes_is_short(
    #[case] told: usize,
    #[case] lost: usize,
    #[case] is_lasting: bool,
    #[case] holds: bool,
) {
    let text = format!("{}{}{}", "c".repeat(told), "?".repeat(lost), "c".repeat(told));
    let expected = Expectation { is_lasting, ..expectation(&[]) };
    let judged = judge(&experiment(&[(true, &text)]), &expected);
    assert_eq!(judged == Judgement::Holds, holds, "{judged:?}");
}

#[test]
fn an_edge_that_lasts_is_probed_to_the_end() {
    let (short, long) = ("c".repeat(40), "c".repeat(120));
    assert!(
        verdict(&[(true, &short), (true, &long)], &[]).contains("nothing is known for 1600 ms")
    );
    let leaving = Expectation { is_lasting: false, ..expectation(&[]) };
    let judged = judge(&experiment(&[(true, &short), (true, &long)]), &leaving);
    assert_eq!(judged, Judgement::Holds);
}

#[test]
fn a_client_that_reaches_nothing_proves_nothing() {
    let closed = "c".repeat(40);
    let told = verdict(&[(true, &closed), (false, &closed)], &[]);
    assert!(told.contains("never came through, and neither did"), "{told}");
}
