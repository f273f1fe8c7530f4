//! What every report makes of the same run.

use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::{account, console, github, junit};
use quick_junit::Report;

use crate::sample;

const PLAIN: ConsoleOptions = ConsoleOptions { colour: Colour::Never, width: 100 };

#[test]
fn the_sample_runs_add_up() {
    assert_eq!(account(&sample::red()).unwrap().leaks, 2);
    assert_eq!(account(&sample::green()).unwrap().leaks, 0);
}

#[test]
fn console_of_a_red_run() {
    insta::assert_snapshot!(console::render(&sample::red(), &PLAIN));
}

#[test]
fn console_of_a_green_run() {
    insta::assert_snapshot!(console::render(&sample::green(), &PLAIN));
}

#[test]
fn console_of_a_narrow_terminal() {
    let narrow = ConsoleOptions { width: 64, ..PLAIN };
    insta::assert_snapshot!(console::render(&sample::red(), &narrow));
}

#[test]
fn colour_is_only_an_addition() {
    let colour = ConsoleOptions { colour: Colour::Always, ..PLAIN };
    let coloured = console::render(&sample::red(), &colour);
    assert!(coloured.contains("\u{1b}[1;31mLEAK 2/8"));
    assert_eq!(without_colour(&coloured), console::render(&sample::red(), &PLAIN));
}

fn without_colour(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_string();
    let plain = parts.map(|part| part.split_once('m').map_or("", |(_, rest)| rest));
    let all = first + &plain.collect::<String>();
    all.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn no_failure_takes_more_than_fifteen_lines() {
    let narrow = ConsoleOptions { width: 40, ..PLAIN };
    let text = console::render(&sample::red(), &narrow);
    let mut length = 0;
    for line in text.lines().skip_while(|line| !line.contains("do not hold")).skip(1) {
        length = if line.is_empty() { 0 } else { length + 1 };
        assert!(length <= 15, "{text}");
    }
}

#[test]
fn a_run_that_was_killed_is_never_green() {
    let mut killed = sample::green();
    killed.pop();
    assert!(console::render(&killed, &PLAIN).contains("NO RESULT  the run does not add up"));
    assert!(github::summary(&killed).contains("Partywall: NO RESULT"));
    assert!(github::annotations(&killed).starts_with("::error title=no result::"));
    let report = Report::deserialize_from_str(&junit::render(&killed).unwrap()).unwrap();
    assert_eq!(report.errors, 1);
}

#[test]
fn junit_of_a_red_run() {
    let xml = junit::render(&sample::red()).unwrap();
    let report = Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((report.failures, report.errors), (6, 1), "3 defects, 3 violated, 1 undetermined");
    insta::assert_snapshot!(xml);
}

#[test]
fn summary_of_a_red_run() {
    insta::assert_snapshot!(github::summary(&sample::red()));
}

#[test]
fn annotations_of_a_red_run() {
    insta::assert_snapshot!(github::annotations(&sample::red()));
}
