//! Every broken guard turns a good run red, each for its own reason.

#![expect(clippy::ptr_arg, reason = "every way of breaking a run has the type of a test case")]

use partywall_core::event::Event;
use partywall_core::verdict::Verdict;
use partywall_report::account;
use rstest::rstest;

use crate::sample;

type Break = fn(&mut Vec<Event>);

fn first_cell(events: &[Event]) -> usize {
    events.iter().position(|event| matches!(event, Event::CellJudged(_))).unwrap_or_default()
}

fn first_trial(events: &[Event]) -> usize {
    let is_trial = |event: &Event| matches!(event, Event::TrialFinished { .. });
    events.iter().position(is_trial).unwrap_or_default()
}

fn drop_trial(events: &mut Vec<Event>) {
    events.remove(first_trial(events));
}

fn drop_cell(events: &mut Vec<Event>) {
    events.remove(first_cell(events));
}

fn drop_end(events: &mut Vec<Event>) {
    events.pop();
}

fn drop_start(events: &mut Vec<Event>) {
    events.remove(0);
}

fn start_late(events: &mut Vec<Event>) {
    events.swap(0, 1);
}

fn go_on_after_the_end(events: &mut Vec<Event>) {
    events.push(events[first_cell(events)].clone());
}

fn report_twice(events: &mut Vec<Event>) {
    let trial = first_trial(events);
    events.insert(trial, events[trial].clone());
}

fn ignore_what_was_judged(events: &mut Vec<Event>) {
    let trial = "kind::reach::contracted_ports::customer_a".to_string();
    events.insert(1, Event::TrialIgnored { trial, reason: String::new() });
}

fn forget_a_tenant(events: &mut Vec<Event>) {
    let Event::RunStarted { tenants, .. } = &mut events[0] else {
        return;
    };
    tenants.push("customer-c".to_string());
}

fn plan_nothing(events: &mut Vec<Event>) {
    let Event::RunStarted { planned, .. } = &mut events[0] else {
        return;
    };
    planned.clear();
}

fn plan_twice(events: &mut Vec<Event>) {
    let Event::RunStarted { planned, .. } = &mut events[0] else {
        return;
    };
    planned.push(planned[0].clone());
}

fn plan_less(events: &mut Vec<Event>) {
    let Event::RunStarted { planned, .. } = &mut events[0] else {
        return;
    };
    planned.remove(0);
}

fn plan_more(events: &mut Vec<Event>) {
    let Event::RunStarted { planned, .. } = &mut events[0] else {
        return;
    };
    planned.push("kind::reach::forgotten".to_string());
}

fn plan_more_cells(events: &mut Vec<Event>) {
    let trial = first_trial(events);
    let Event::TrialFinished { cells_planned, .. } = &mut events[trial] else {
        return;
    };
    *cells_planned += 1;
}

fn judge_fewer_cells(events: &mut Vec<Event>) {
    let trial = first_trial(events);
    let Event::TrialFinished { cells_judged, .. } = &mut events[trial] else {
        return;
    };
    *cells_judged -= 1;
}

fn hold_nothing(events: &mut Vec<Event>) {
    let trial = first_trial(events);
    let Event::TrialFinished { cells_planned, cells_judged, .. } = &mut events[trial] else {
        return;
    };
    (*cells_planned, *cells_judged) = (0, 0);
    events.drain(1..trial);
}

fn cell_of_nobody(events: &mut Vec<Event>) {
    let cell = first_cell(events);
    let mut stray = events[cell].clone();
    if let Event::CellJudged(cell) = &mut stray {
        cell.trial = "kind::reach::nobody".to_string();
    }
    events.insert(cell, stray);
}

fn gloss_over_a_cell(events: &mut Vec<Event>) {
    let cell = first_cell(events);
    let Event::CellJudged(cell) = &mut events[cell] else {
        return;
    };
    cell.verdict = Verdict::undetermined("the server was silent");
}

fn miscount_cells(events: &mut Vec<Event>) {
    let Some(Event::RunFinished { cells, .. }) = events.last_mut() else {
        return;
    };
    *cells += 1;
}

fn miscount_leaks(events: &mut Vec<Event>) {
    let Some(Event::RunFinished { leaks, .. }) = events.last_mut() else {
        return;
    };
    *leaks += 1;
}

fn hide_a_defect(events: &mut Vec<Event>) {
    let defect = sample::red().into_iter().find(|event| matches!(event, Event::DefectFound(_)));
    events.splice(1..1, defect);
}

fn hide_what_is_not_judged(events: &mut Vec<Event>) {
    events.splice(1..1, sample::not_judged());
}

#[rstest]
#[case::not_judged(hide_what_is_not_judged, "the run exits 0 although not every claim holds")]
#[case::no_events(|events: &mut Vec<Event>| events.clear(), "no run was started")]
#[case::no_start(drop_start, "no run was started")]
#[case::late_start(
    start_late,
    "events came before `run-started`, so nobody knows which run they belong to"
)]
#[case::no_end(drop_end, "the run did not finish")]
#[case::after_the_end(go_on_after_the_end, "events came after `run-finished`")]
#[case::nothing_planned(plan_nothing, "no trial was planned")]
#[case::planned_twice(
    plan_twice,
    "trial kind::reach::contracted_ports::customer_a was planned more than once"
)]
#[case::trial_lost(
    drop_trial,
    "trial kind::reach::contracted_ports::customer_a was planned but neither judged nor ignored"
)]
#[case::trial_forgotten(
    plan_more,
    "trial kind::reach::forgotten was planned but neither judged nor ignored"
)]
#[case::not_planned(
    plan_less,
    "trial kind::reach::contracted_ports::customer_a was judged but never planned"
)]
#[case::reported_twice(
    report_twice,
    "trial kind::reach::contracted_ports::customer_a was reported more than once"
)]
#[case::judged_and_ignored(
    ignore_what_was_judged,
    "trial kind::reach::contracted_ports::customer_a was reported more than once"
)]
#[case::cell_lost(
    drop_cell,
    "trial kind::reach::contracted_ports::customer_a: 48 cells planned, 48 judged, 47 reported"
)]
#[case::cell_not_judged(
    plan_more_cells,
    "trial kind::reach::contracted_ports::customer_a: 49 cells planned, 48 judged, 48 reported"
)]
#[case::cell_miscounted(
    judge_fewer_cells,
    "trial kind::reach::contracted_ports::customer_a: 48 cells planned, 47 judged, 48 reported"
)]
#[case::holds_nothing(
    hold_nothing,
    "trial kind::reach::contracted_ports::customer_a holds without a single judged cell"
)]
#[case::stray_cell(
    cell_of_nobody,
    "a cell was judged for trial kind::reach::nobody, which did not end"
)]
#[case::glossed_over(
    gloss_over_a_cell,
    "trial kind::reach::contracted_ports::customer_a ends as `holds`, but one of its cells as `undetermined`"
)]
#[case::tenant_forgotten(forget_a_tenant, "no cell was judged for tenant customer-c")]
#[case::cells_miscounted(miscount_cells, "the run counts 493 cells, its events 492")]
#[case::leaks_miscounted(miscount_leaks, "the run counts 1 leaks, its events 0")]
#[case::defect_hidden(hide_a_defect, "the run exits 0 although not every claim holds")]
fn a_broken_guard_goes_red(#[case] broken: Break, #[case] message: &str) {
    let mut events = sample::green();
    broken(&mut events);
    assert_eq!(account(&events).unwrap_err().to_string(), message);
}

#[test]
fn a_good_run_adds_up() {
    insta::assert_debug_snapshot!(account(&sample::red()).unwrap());
}

#[test]
fn merged_runs_add_up_one_by_one() {
    let merged = [sample::green(), sample::red()].concat();
    let account_of_both = account(&merged).unwrap();
    assert_eq!((account_of_both.runs, account_of_both.cells), (2, 492 + 496));
    let mut killed = sample::green();
    killed.pop();
    let error = account(&[killed, sample::red()].concat()).unwrap_err();
    assert_eq!(error.to_string(), "the run did not finish");
}
