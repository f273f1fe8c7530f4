//! A run from files alone never speaks as if something had been sent.

use partywall_core::event::Event;
use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::{account, console, github, html, junit, markdown};
use quick_junit::Report;
use rstest::rstest;

use crate::sample;

const PLAIN: ConsoleOptions = ConsoleOptions { colour: Colour::Never, width: 100 };

fn all_reports(events: &[Event]) -> String {
    [
        console::render(events, &PLAIN),
        html::render(events).unwrap_or_default(),
        github::summary(events),
        markdown::render(events),
        github::annotations(events),
        junit::render(events).unwrap_or_default(),
    ]
    .concat()
}

#[test]
fn the_sample_adds_up() {
    let account = account(&sample::offline()).unwrap();
    assert_eq!((account.leaks, account.defects, account.not_judged), (2, 3, 3));
}

#[rstest]
#[case(sample::offline(), "2 of 14 denied squares open by the files")]
#[case(sample::offline_green(), "0 of 6 denied squares open by the files")]
fn nothing_is_said_to_be_sent(#[case] events: Vec<Event>, #[case] bound: &str) {
    let text = all_reports(&events);
    assert!(text.contains(bound), "{text}");
    assert!(text.contains("computed from the files; no cluster was asked"), "{text}");
    let of_cluster = |word: &&str| text.contains(*word);
    let words = [" probe", "packet", "leaks in", "leak in", "traffic pass"];
    assert_eq!(words.into_iter().find(of_cluster), None, "{text}");
}

#[test]
fn a_cluster_is_still_spoken_of_as_one() {
    let text = all_reports(&sample::green());
    assert!(text.contains("0 leaks in 588 probes"));
    assert!(!text.contains("by the files"));
    let both = [sample::green(), sample::offline_green()].concat();
    let bounds = "0 leaks in 588 probes; 0 of 6 denied squares open by the files";
    assert!(all_reports(&both).contains(bounds));
}

#[test]
fn what_is_not_judged_is_in_every_report_and_never_a_pass() {
    let events = sample::offline_not_whole();
    let sentence = "exit 4: what is judged holds, but 3 parts of the layout are not judged";
    for text in [
        console::render(&events, &PLAIN),
        html::render(&events).unwrap(),
        github::summary(&events),
        markdown::render(&events),
    ] {
        assert!(text.contains(sentence), "{text}");
        assert!(
            text.contains("HelmRelease monitoring&#x2f;grafana")
                || text.contains("HelmRelease monitoring/grafana")
        );
        assert!(!text.contains("HOLDS  exit"), "{text}");
    }
    assert!(github::annotations(&events).contains(
        "::warning file=fixtures/deployments/customers/customer-a/cilium.yaml,line=3,title=not judged::"
    ));
    let report = Report::deserialize_from_str(&junit::render(&events).unwrap()).unwrap();
    let suite = &report.test_suites[0];
    assert_eq!((suite.tests, skipped(suite)), (3, 3));
}

fn skipped(suite: &quick_junit::TestSuite) -> usize {
    let is_skipped = |case: &&quick_junit::TestCase| {
        matches!(case.status, quick_junit::TestCaseStatus::Skipped { .. })
    };
    suite.test_cases.iter().filter(is_skipped).count()
}

#[test]
fn console_of_a_run_from_files() {
    insta::assert_snapshot!(console::render(&sample::offline(), &PLAIN));
}

#[test]
fn comment_on_a_run_from_files() {
    insta::assert_snapshot!(markdown::render(&sample::offline()));
}
