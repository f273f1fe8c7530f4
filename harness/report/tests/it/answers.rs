//! Explanations and agreements.

use partywall_core::exit::Exit;
use partywall_core::source::SourceLocation;
use partywall_core::verdict::{ProofLevel, Verdict};
use partywall_report::agreement::{self, Agreement, Disagreement, Ledgered, Square};
use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::explain::{self, Explanation, Line, Side};
use rstest::rstest;

const PLAIN: ConsoleOptions = ConsoleOptions { colour: Colour::Never, width: 90 };

fn explanation() -> Explanation {
    let policies =
        |line| Some(SourceLocation::new("customers/customer-a/network-policies.yaml", line));
    let default = Line {
        location: policies(1),
        snippet: Some(
            "kind: NetworkPolicy\nmetadata:\n  name: default-deny-all\nspec:\n  podSelector: {}"
                .to_string(),
        ),
        text: "default-deny-all selects the client, so what no rule allows is denied".to_string(),
    };
    let rule = Line {
        location: policies(31),
        snippet: Some("    - to:\n        - podSelector: {}".to_string()),
        text: "allow-internal-and-shared, egress rule 1, selects pods of the same namespace only"
            .to_string(),
    };
    let nobody = Line {
        text: "no ingress policy selects the target, so everything is let in".to_string(),
        ..Line::default()
    };
    Explanation {
        question: "customer-a/open-webui → customer-b/postgres on 5432/TCP".to_string(),
        verdict: "denied: the client's own egress wall stops it; the target's ingress is open"
            .to_string(),
        sides: vec![
            Side {
                title: "egress of customer-a/open-webui: denied".to_string(),
                lines: vec![default, rule],
            },
            Side {
                title: "ingress of customer-b/postgres: allowed".to_string(),
                lines: vec![nobody],
            },
        ],
    }
}

#[test]
fn text_of_an_explanation() {
    insta::assert_snapshot!(explain::text(&explanation(), &PLAIN));
}

#[test]
fn an_explanation_survives_json() {
    let text = explain::json(&explanation()).unwrap();
    assert_eq!(serde_json::from_str::<Explanation>(&text).unwrap(), explanation());
}

#[test]
fn a_snippet_cannot_steer_a_terminal() {
    let line = Line {
        location: Some(SourceLocation::new("a\u{1b}[2J.yaml", 1)),
        snippet: Some("  x: \u{1b}]0;title\u{7}\r\n    y: \u{202e}1".to_string()),
        text: "a\nb".to_string(),
    };
    let side = Side { title: "\u{9b}2J".to_string(), lines: vec![line] };
    let text = explain::text(&Explanation { sides: vec![side], ..Explanation::default() }, &PLAIN);
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    assert!(text.contains("\n        x: ]0;title\n          y: 1\n"), "{text}");
}

fn square(place: usize) -> Square {
    Square {
        trial: "isolation::other_tenants::customer_a".to_string(),
        row: "customer-a".to_string(),
        from: format!("customer-a/open-webui-{place}"),
        to: "customer-b/postgres 5432/TCP by pod".to_string(),
    }
}

fn disagreement(place: usize) -> Disagreement {
    let Square { trial, row, from, to } = square(place);
    let live = Verdict::violated("expected denied, saw reached after 2 ms (echo of nonce 7d41)");
    let offline = Verdict::Holds { proof: Some(ProofLevel::Computed) };
    Disagreement { trial, row, from, to, offline, live }
}

fn agreed() -> Agreement {
    let reason = "node traffic is implementation-defined".to_string();
    let ledger = vec![Ledgered { disagreement: disagreement(9), reason }];
    Agreement { planned: 496, both: 496, ledger, ..Agreement::default() }
}

#[test]
fn text_of_a_disagreement() {
    let disagreements = (0..2).map(disagreement).collect();
    let agreement =
        Agreement { both: 490, disagreements, live_only: (0..7).map(square).collect(), ..agreed() };
    insta::assert_snapshot!(agreement::text(&agreement, &PLAIN));
}

#[rstest]
#[case::agreed(agreed(), Exit::Holds, "AGREE  offline and live say the same of 496 squares")]
#[case::one_missing(
    Agreement { both: 495, ..agreed() },
    Exit::Undetermined,
    "NO RESULT  only 495 of 496 squares were judged by both; fewer than planned fails"
)]
#[case::nothing_planned(
    Agreement { planned: 0, both: 0, ..agreed() },
    Exit::Undetermined,
    "NO RESULT  no square was planned"
)]
#[case::one_differs(
    Agreement { disagreements: vec![disagreement(0)], ..agreed() },
    Exit::Violated,
    "DISAGREE  offline and live say different things of 1 square"
)]
fn only_everything_the_same_is_agreement(
    #[case] agreement: Agreement,
    #[case] exit: Exit,
    #[case] headline: &str,
) {
    assert_eq!(agreement.exit(), exit);
    assert_eq!(agreement.is_agreed(), exit == Exit::Holds);
    let text = agreement::text(&agreement, &PLAIN);
    assert!(text.contains(headline), "{text}");
    assert!(text.contains("1: node traffic is implementation-defined"), "{text}");
    let json = agreement::json(&agreement).unwrap();
    assert_eq!(serde_json::from_str::<Agreement>(&json).unwrap(), agreement);
}

#[test]
fn disagreements_come_first_and_are_cut_to_a_screen() {
    let disagreements = (0..200).map(disagreement).collect();
    let text = agreement::text(&Agreement { disagreements, ..agreed() }, &PLAIN);
    assert!(text.starts_with("disagree  isolation::other_tenants::customer_a"), "{text}");
    assert!(text.contains("and 180 more disagreements"), "{text}");
}
