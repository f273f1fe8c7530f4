use partywall_core::event::{Defect, Interval};
use partywall_core::source::SourceLocation;

use super::*;
use crate::console::Colour;

const PLAIN: ConsoleOptions = ConsoleOptions { colour: Colour::Never, width: 100 };

fn edge(to: &str, forbidden: bool, reached: usize, open: (u64, u64)) -> EdgeExposure {
    let interval =
        |from: u64, to: u64, state| Interval { from_us: from * 1000, to_us: to * 1000, state };
    EdgeExposure {
        from: "a/x".to_string(),
        to: to.to_string(),
        forbidden,
        probes: 110,
        reached,
        lost: 10,
        against_us: (open.1 - open.0) * 1000,
        intervals: vec![
            interval(0, open.0, ExposedState::Closed),
            interval(open.0, open.1, ExposedState::Open),
            interval(open.1, 2000, ExposedState::Closed),
            interval(2000, 2200, ExposedState::Unknown),
        ],
        versions: None,
    }
}

fn events() -> Vec<Event> {
    let moment = |at: u64, kind, what: &str| Moment { at_us: at * 1000, kind, what: what.into() };
    let experiment = Experiment {
        name: "tenant-born".to_string(),
        summary: "a: namespace, policies | workloads <arrive>".to_string(),
        layout: "layout".to_string(),
        commit: Some("0123456789abcdef".to_string()),
        network_plugin: "calico v3.28".to_string(),
        rate_per_second: 50,
        elapsed_us: 2_200_000,
        moments: vec![
            moment(100, MomentKind::Git, "0123456789 brings the tenant"),
            moment(350, MomentKind::DataPlane, "first forbidden edge open: a/x to b/y 1/TCP"),
        ],
        edges: vec![
            edge("b/y 1/TCP", true, 20, (350, 750)),
            edge("b/z 1/UDP", true, 0, (500, 500)),
        ],
        finding: Some(Defect {
            name: "workload-before-policy".to_string(),
            summary: "turn it round".to_string(),
            object: "Kustomization f/a".to_string(),
            message: "a/x to b/y 1/TCP was open for 400 ms from 350 ms on".to_string(),
            location: Some(SourceLocation::new("flux.yaml", 7)),
            behind: None,
        }),
    };
    let measured = Distribution {
        name: "policy at the API server to the last packet".to_string(),
        under: "calico v3.28".to_string(),
        unit: "us".to_string(),
        count: 5,
        p50: 210_000,
        p99: 330_000,
        max: 330_000,
    };
    vec![Event::ExperimentFinished(experiment), Event::Measured(measured)]
}

#[test]
fn moments_edges_the_finding_and_the_numbers() {
    insta::assert_snapshot!(text(&events(), &PLAIN));
}

#[test]
fn a_table_for_a_pull_request() {
    insta::assert_snapshot!(markdown(&events()));
}

#[test]
fn nothing_is_said_of_nothing() {
    assert_eq!((text(&[], &PLAIN).as_str(), markdown(&[]).as_str()), ("", ""));
}
