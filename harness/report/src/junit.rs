//! The run as JUnit XML: one test suite for each topic, one test case for each trial.
//!
//! A violated trial is a failure of type `violated`. An undetermined one is an error of type
//! `undetermined`, never a skipped test. Defects of the layout, and books that do not balance,
//! are test cases of their own, so that no reader of the file alone sees green. What was not
//! judged is a skipped test case with its reason.

use std::collections::HashMap;
use std::time::Duration;

use partywall_core::event::{Defect, Event};
use partywall_core::verdict::Verdict;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::account::account;
use crate::error::ReportError;
use crate::failures::{Failure, clean_defect, failures};
use crate::not_judged::{by_reason, place};
use crate::text::clean;
use crate::view::{RunView, TrialView, topic, topics};

/// The report as XML.
pub fn render(events: &[Event]) -> Result<String, ReportError> {
    let view = RunView::of(events);
    let mut report = Report::new("partywall");
    if let Some(ending) = view.ending {
        report.set_time(Duration::from_millis(ending.elapsed_ms));
    }
    report.add_test_suites(run_suite(events));
    report.add_test_suites(layout_suite(&view));
    report.add_test_suites(not_judged_suite(&view));
    report.add_test_suites(topic_suites(&view));
    Ok(report.to_string()?)
}

/// Only where the run is no result.
fn run_suite(events: &[Event]) -> Option<TestSuite> {
    let error = account(events).err()?;
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("no-result").set_message(clean(&error.to_string()));
    let mut suite = TestSuite::new("run");
    suite.add_test_case(TestCase::new("planned = executed = reported", status));
    Some(suite)
}

/// Only where the layout has defects.
fn layout_suite(view: &RunView<'_>) -> Option<TestSuite> {
    if view.defects.is_empty() {
        return None;
    }
    let mut suite = TestSuite::new("layout");
    suite.add_test_cases(view.defects.iter().map(|defect| defect_case(&clean_defect(defect))));
    Some(suite)
}

/// Only where something was not judged: skipped test cases, which no reader counts as passed.
fn not_judged_suite(view: &RunView<'_>) -> Option<TestSuite> {
    if view.not_judged.is_empty() {
        return None;
    }
    let mut suite = TestSuite::new("not judged");
    for item in by_reason(view).iter().flatten() {
        let mut status = TestCaseStatus::skipped();
        status.set_message(item.reason.as_str());
        let mut case = TestCase::new(place(item), status);
        case.set_classname("not-judged");
        suite.add_test_case(case);
    }
    Some(suite)
}

fn defect_case(defect: &Defect) -> TestCase {
    let mut text = format!("object    {}\nsays      {}\n", defect.object, defect.message);
    if let Some(behind) = &defect.behind {
        text.push_str(&format!("hidden    behind {behind}\n"));
    }
    if let Some(location) = &defect.location {
        text.push_str(&format!("where     {location}\n"));
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type("defect").set_message(defect.summary.as_str()).set_description(text);
    let mut case = TestCase::new(format!("{} {}", defect.name, defect.object), status);
    case.set_classname("layout");
    case
}

fn topic_suites(view: &RunView<'_>) -> Vec<TestSuite> {
    let failures: HashMap<String, Failure> =
        failures(view).into_iter().map(|failure| (failure.trial.clone(), failure)).collect();
    let ignored = view.ignored.iter().map(|(trial, _)| *trial);
    let names = topics(view.trials.iter().map(|trial| trial.name).chain(ignored));
    let suite = |name: &str| {
        let mut suite = TestSuite::new(clean(name));
        let of_topic = view.trials.iter().filter(|trial| topic(trial.name) == name);
        suite.add_test_cases(of_topic.map(|trial| trial_case(trial, &failures)));
        let of_topic = view.ignored.iter().filter(|(trial, _)| topic(trial) == name);
        suite.add_test_cases(of_topic.map(|(trial, reason)| ignored_case(trial, reason)));
        suite
    };
    names.into_iter().map(suite).collect()
}

fn trial_case(trial: &TrialView<'_>, failures: &HashMap<String, Failure>) -> TestCase {
    let name = clean(trial.name);
    let status = match (trial.verdict, failures.get(&name)) {
        (Verdict::Violated { .. }, Some(failure)) => status(NonSuccessKind::Failure, failure),
        (Verdict::Undetermined { .. }, Some(failure)) => status(NonSuccessKind::Error, failure),
        _ => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(clean(trial.scenario))
        .set_time(Duration::from_millis(trial.elapsed_ms))
        .set_assertions(trial.cells.len());
    if let Verdict::Recorded { seen } = trial.verdict {
        case.set_system_out(clean(seen));
    }
    case
}

fn status(kind: NonSuccessKind, failure: &Failure) -> TestCaseStatus {
    let lines = failure.fields().into_iter().map(|(label, text)| format!("{label:<10}{text}\n"));
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(failure.word)
        .set_message(format!("{}: {}", failure.claim, failure.seen))
        .set_description(lines.collect::<String>());
    status
}

fn ignored_case(trial: &str, reason: &str) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_message(clean(reason));
    TestCase::new(clean(trial), status)
}
