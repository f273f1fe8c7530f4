//! Runs that are too large to show whole.

use partywall_core::event::{Blame, Event};
use partywall_core::source::SourceLocation;
use partywall_core::verdict::Verdict;
use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::{console, github, html};

use crate::sample;

const PLAIN: ConsoleOptions = ConsoleOptions { colour: Colour::Never, width: 100 };

/// Many tenants, each asked to one pod of each, with a leak from every `leaks`-th tenant.
fn many(tenants: usize, leaks: usize) -> Vec<Event> {
    let names: Vec<String> = (0..tenants).map(|tenant| format!("tenant-{tenant:04}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut builder = sample::Builder::new(&all);
    for (place, tenant) in all.iter().enumerate() {
        let is_leaky = (place + 1) % leaks == 0;
        let verdict = |other: usize| match is_leaky && other == 0 {
            true => Verdict::violated("expected denied, saw reached after 1 ms"),
            false => sample::proven(),
        };
        let cells =
            (0..tenants).map(|other| (format!("{}/web", all[other]), "denied", verdict(other)));
        let blame = Blame {
            location: SourceLocation::new(format!("customers/{tenant}/policy.yaml"), 7),
            because: "x".repeat(3000),
        };
        let claim = format!("{tenant} reaches no pod of any other tenant");
        let blame = is_leaky.then_some(blame);
        builder.trial("isolation/other-tenants", Some(tenant), &claim, cells.collect(), blame);
    }
    builder.finish(u8::from(leaks <= tenants))
}

#[test]
fn a_large_run_fits_a_screen_and_keeps_what_is_wrong_in_sight() {
    let text = console::render(&many(120, 50), &PLAIN);
    insta::assert_snapshot!(text);
}

#[test]
fn many_failures_are_cut_to_a_screen() {
    let events = many(150, 3);
    let text = console::render(&events, &PLAIN);
    assert!(text.lines().count() < 150, "{text}");
    assert!(text.contains("and 46 more, see reports/junit.xml"), "{text}");
}

#[test]
fn the_summary_ends_before_githubs_limit() {
    let events = many(300, 1);
    let summary = github::summary(&events);
    assert!(summary.len() < github::SUMMARY_BYTES_MAX);
    assert!(summary.contains("250 more trials not shown here"));
    assert!(!html::render(&events).unwrap().is_empty());
}

#[test]
fn no_more_errors_than_github_shows() {
    let annotations = github::annotations(&many(40, 1));
    let errors = annotations.lines().filter(|line| line.starts_with("::error ")).count();
    assert_eq!(errors, github::ERRORS_MAX);
    assert!(annotations.ends_with("::notice title=partywall::and 30 more, see the step summary\n"));
}
