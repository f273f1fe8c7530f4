//! Whatever a cluster or a layout says, every report can be rendered and stays well-formed.

use partywall_core::cluster::Backend;
use partywall_core::event::{Blame, CellResult, Defect, Event, NotJudged};
use partywall_core::inventory::PodName;
use partywall_core::source::SourceLocation;
use partywall_core::verdict::Verdict;
use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::{account, console, github, html, json, junit, markdown, sarif};
use proptest::prelude::*;
use quick_junit::Report;

/// Text that a hostile author would choose, and any other.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z-]{1,40}(/[a-z-]{1,40})?",
        "(kind|offline)::(reach|isolation|odd)::[a-z_]{1,60}",
        Just("\u{1b}[2J\u{0}\u{fffe}]]><!-- ::error::x\r\n%|`</code><script>".to_string()),
        Just("日本語のとても長い名前\u{202e}\u{200d}👩‍👩‍👧".repeat(9)),
    ]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::holds()),
        text().prop_map(Verdict::violated),
        text().prop_map(Verdict::undetermined),
        text().prop_map(|seen| Verdict::Recorded { seen }),
    ]
}

fn location() -> impl Strategy<Value = SourceLocation> {
    (text(), any::<u64>()).prop_map(|(file, line)| SourceLocation::new(file, line))
}

fn backend() -> impl Strategy<Value = Backend> {
    prop_oneof![Just(Backend::Kind), Just(Backend::Offline)]
}

fn event() -> impl Strategy<Value = Event> {
    let count = any::<usize>();
    prop_oneof![
        (backend(), text(), proptest::option::of(text()), proptest::collection::vec(text(), 0..4))
            .prop_map(|(backend, layout, commit, names)| Event::RunStarted {
                version: 2,
                backend,
                layout,
                commit,
                tenants: names.clone(),
                planned: names,
                at_ms: 0,
            }),
        (text(), text()).prop_map(|(trial, reason)| Event::TrialIgnored { trial, reason }),
        (text(), text(), proptest::option::of(location()), proptest::option::of(text())).prop_map(
            |(name, message, location, behind)| {
                let (summary, object) = (message.clone(), name.clone());
                Event::DefectFound(Defect { name, summary, object, message, location, behind })
            }
        ),
        (text(), text(), proptest::option::of(location())).prop_map(
            |(subject, reason, location)| {
                Event::NotJudged(NotJudged { subject, reason, location })
            }
        ),
        cell(),
        cell(),
        trial(),
        (count, any::<u64>(), any::<u8>()).prop_map(|(count, elapsed_ms, exit)| {
            Event::RunFinished { probes: count, cells: count, leaks: count, elapsed_ms, exit }
        }),
    ]
}

fn cell() -> impl Strategy<Value = Event> {
    let names = (text(), text(), text(), text());
    (names, proptest::option::of(text()), verdict()).prop_map(
        |((trial, row, column, expect), from, verdict)| {
            Event::CellJudged(CellResult {
                trial,
                row: row.clone(),
                square: row,
                to: column.clone(),
                column,
                from: from.map(|name| PodName::new(name.clone(), name)),
                controls: expect.clone(),
                evidence: None,
                expect,
                verdict,
            })
        },
    )
}

fn trial() -> impl Strategy<Value = Event> {
    let names = (text(), text(), text(), text());
    let blame = proptest::option::of((location(), text()));
    (names, proptest::option::of(text()), verdict(), blame, any::<u64>()).prop_map(
        |((trial, claim, scenario, repeat), tenant, verdict, blame, elapsed_ms)| {
            Event::TrialFinished {
                trial,
                claim,
                scenario,
                tenant,
                verdict,
                cells_planned: 1,
                cells_judged: 1,
                elapsed_ms,
                blame: blame.map(|(location, because)| Blame { location, because }),
                repeat,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_can_be_rendered(
        events in proptest::collection::vec(event(), 0..30),
        width in 0_usize..300,
    ) {
        let _ = account(&events);
        let text = console::render(&events, &ConsoleOptions { colour: Colour::Never, width });
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        let xml = junit::render(&events).unwrap();
        prop_assert!(Report::deserialize_from_str(&xml).is_ok(), "{xml}");
        let summary = github::summary(&events);
        prop_assert!(summary.len() < github::SUMMARY_BYTES_MAX);
        prop_assert!(!summary.contains("<script"));
        let annotations = github::annotations(&events);
        prop_assert!(annotations.lines().count() <= github::ERRORS_MAX + 1 + github::WARNINGS_MAX);
        let is_command = |line: &str| ["::error ", "::notice ", "::warning "].iter().any(|start| line.starts_with(start));
        prop_assert!(annotations.lines().all(is_command));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json::render(&events).unwrap()).is_ok());
        let log = sarif::render(&events).unwrap();
        prop_assert!(serde_json::from_str::<serde_sarif::sarif::Sarif>(&log).is_ok(), "{log}");
        let comment = markdown::render(&events);
        prop_assert!(comment.len() < markdown::COMMENT_BYTES_MAX);
        prop_assert!(!comment.contains("<script"));
        prop_assert_eq!(html::render(&events).unwrap().matches("<script").count(), 1);
    }
}
