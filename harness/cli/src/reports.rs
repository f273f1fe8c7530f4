//! Events to files and to the screen.

use std::fs;
use std::path::Path;

use partywall_core::event::Event;
use partywall_report::console::{Colour, ConsoleOptions};
use partywall_report::{
    account, console as console_report, events, github as github_report, html, json,
    junit as junit_report, markdown, sarif,
};

use crate::args::Format;
use crate::failure::Failure;
use crate::{paths, print};

const EVENTS: &str = "events";
const JUNIT: &str = "junit.xml";
const PAGE: &str = "report.html";

/// Write the run's events, JUnit and, for GitHub, the step summary.
pub fn write(folder: &Path, run: &[Event]) -> Result<(), Failure> {
    let failed = not_written(folder);
    remove(folder)?;
    write_events(folder, run)?;
    fs::write(folder.join(JUNIT), junit(run)?).map_err(&failed)?;
    fs::write(folder.join(PAGE), page(&[run])?).map_err(&failed)?;
    if let Some(summary) = paths::variable("GITHUB_STEP_SUMMARY") {
        fs::write(summary, github(run)).map_err(failed)?;
        print::note(&github_report::annotations(run));
    }
    Ok(())
}

/// Write the run's events alone.
pub fn write_events(folder: &Path, run: &[Event]) -> Result<(), Failure> {
    let failed = not_written(folder);
    let events_folder = folder.join(EVENTS);
    fs::create_dir_all(&events_folder).map_err(&failed)?;
    let lines = run.iter().map(|event| serde_json::to_string(event).map(|line| line + "\n"));
    let text = lines.collect::<Result<String, _>>().map_err(Failure::environment)?;
    fs::write(events_folder.join("run.jsonl"), text).map_err(failed)
}

fn not_written(folder: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| {
        Failure::environment(format!("failed to write reports to {}: {error}", folder.display()))
    }
}

/// Remove the reports of an earlier run.
pub fn remove(folder: &Path) -> Result<(), Failure> {
    let events_folder = folder.join(EVENTS);
    if events_folder.is_dir() {
        fs::remove_dir_all(&events_folder)?;
    }
    for name in [JUNIT, PAGE] {
        if folder.join(name).is_file() {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// Refuse a run that does not add up.
pub fn accounted(run: &[Event]) -> Result<(), Failure> {
    account(run).map(|_account| ()).map_err(|error| {
        Failure::environment(format!("the run does not add up, so it is no result: {error}"))
    })
}

/// Print the run, and refuse one that does not add up.
pub fn show(run: &[Event], folder: &Path) -> Result<(), Failure> {
    print::result(&console(run));
    print::note(&format!("reports: {}", folder.display()));
    accounted(run)
}

/// Read an earlier run: from the folder's `events`, or from the folder itself.
pub fn read(folder: &Path) -> Result<Vec<Event>, Failure> {
    let of_events = folder.join(EVENTS);
    let folder = if of_events.is_dir() { of_events.as_path() } else { folder };
    events::read(folder).map_err(Failure::usage)
}

/// Matrices and failures for a terminal.
pub fn console(run: &[Event]) -> String {
    console_report::render(run, &console_options())
}

/// Colours and width of the terminal.
pub fn console_options() -> ConsoleOptions {
    let colour = match paths::variable("NO_COLOR") {
        Some(_) => Colour::Never,
        None if std::io::IsTerminal::is_terminal(&std::io::stdout()) => Colour::Always,
        None => Colour::Never,
    };
    let width = paths::variable("COLUMNS").and_then(|columns| columns.parse().ok());
    ConsoleOptions { colour, width: width.unwrap_or(110) }
}

/// The run in a format.
pub fn rendered(format: Format, run: &[Event]) -> Result<String, Failure> {
    match format {
        Format::Console => Ok(console(run)),
        Format::Junit => junit(run),
        Format::Github => Ok(github(run)),
        Format::Markdown => Ok(markdown::render(run)),
        Format::Json => json::render(run).map_err(Failure::environment),
        Format::Sarif => sarif::render(run).map_err(Failure::environment),
        Format::Html => page(&[run]),
    }
}

/// Several runs over one layout in a format that can show them together.
pub fn rendered_together(format: Format, runs: &[&[Event]]) -> Result<String, Failure> {
    match (format, runs) {
        (_, [run]) => rendered(format, run),
        (Format::Html, _) => page(runs),
        (Format::Markdown, _) => Ok(markdown::render_all(runs)),
        _ => Err(Failure::usage("`--with` goes with `--format html` or `--format markdown`")),
    }
}

fn page(runs: &[&[Event]]) -> Result<String, Failure> {
    html::render_all(runs).map_err(Failure::environment)
}

/// JUnit XML.
pub fn junit(run: &[Event]) -> Result<String, Failure> {
    junit_report::render(run).map_err(Failure::environment)
}

/// A GitHub step summary.
pub fn github(run: &[Event]) -> String {
    github_report::summary(run)
}
