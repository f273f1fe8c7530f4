//! The step summary: outcome, defects and failures first, then the matrices.

use partywall_core::event::{Defect, Event};

use super::markdown::{code, escape, row};
use crate::failures::{Failure, clean_defect, failures};
use crate::fold::{Keep, fold_columns, fold_groups, fold_rows};
use crate::matrix::{Matrix, matrices};
use crate::outcome::outcome;
use crate::square::{Square, Word};
use crate::text::{clean, counted, cut, duration};
use crate::view::RunView;

/// GitHub refuses a summary of 1 MiB and more as a whole, so ours ends before that.
pub const SUMMARY_BYTES_MAX: usize = 1_000_000;

/// Room for the words that say that something was left out.
const NOTE_BYTES: usize = 200;
const TEXT_MAX: usize = 600;
const FAILURES_MAX: usize = 50;
const COLUMNS_MAX: usize = 16;
const KEEP_ROWS: Keep = Keep { well_max: 40, problem_max: 40 };
const KEEP_COLUMNS: Keep = Keep { well_max: 8, problem_max: 20 };

/// The summary in Markdown. Whole sections are left out at the end where it would grow too
/// large, and it says so.
pub fn summary(events: &[Event]) -> String {
    let view = RunView::of(events);
    let mut sections = vec![head(events, &view)];
    let defects = view.defects.iter().take(FAILURES_MAX);
    sections.extend(defects.map(|defect| defect_section(&clean_defect(defect))));
    sections.push(rest(view.defects.len(), "more defect"));
    let failures = failures(&view);
    sections.extend(failures.iter().take(FAILURES_MAX).map(failure_section));
    sections.push(rest(failures.len(), "more trial"));
    let matrices = matrices(&view);
    sections.extend(matrices.iter().map(matrix_section));
    sections.push(legend(&matrices));
    sections.push(ignored(&view));
    join(sections.into_iter().filter(|section| !section.is_empty()))
}

/// What is left of so many once the first are shown.
fn rest(all: usize, noun: &str) -> String {
    match all.saturating_sub(FAILURES_MAX) {
        0 => String::new(),
        more => format!("…and {} not shown here, see the JUnit report.\n", counted(more, noun)),
    }
}

fn join(sections: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    for section in sections {
        let is_full = text.len() + section.len() + 1 + NOTE_BYTES > SUMMARY_BYTES_MAX;
        if is_full || left_out > 0 {
            left_out += 1;
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&section);
    }
    if left_out > 0 {
        let sections = counted(left_out, "section");
        text.push_str(&format!("\n…{sections} left out, see the JUnit report.\n"));
    }
    text
}

fn head(events: &[Event], view: &RunView<'_>) -> String {
    let (word, sentence) = outcome(events, view);
    let mut text = format!("## Partywall: {word}\n\n{}\n\n", short(&sentence));
    for subject in &view.subjects {
        text.push_str(&format!("- {}\n", short(subject)));
    }
    let parts: Vec<String> = view.counts().into_iter().map(|(_, text)| text).collect();
    let trials = counted(view.trials.len() + view.ignored.len(), "trial");
    text.push_str(&format!("- {trials}: {}\n", parts.join(", ")));
    if let Some(ending) = view.ending {
        let probes = counted(ending.probes, "probe");
        let cells = counted(view.cells.len(), "cell");
        let took = duration(ending.elapsed_ms);
        text.push_str(&format!("- {cells}, {probes}, {took}\n"));
        text.push_str(&format!("- **{} in {probes}**\n", counted(ending.leaks, "leak")));
    }
    text
}

fn defect_section(defect: &Defect) -> String {
    let mut text = format!("### Defect: {}\n\n{}\n\n", short(&defect.name), short(&defect.summary));
    let location = defect.location.as_ref().map(ToString::to_string).unwrap_or_default();
    let behind = defect.behind.clone().unwrap_or_default();
    let fields = [
        ("where", location),
        ("object", defect.object.clone()),
        ("says", defect.message.clone()),
        ("behind", behind),
    ];
    text.push_str(&field_table(&fields));
    text
}

fn failure_section(failure: &Failure) -> String {
    let mut text = format!("### {}: {}\n\n", failure.word, short(&failure.short));
    text.push_str(&field_table(&failure.fields()));
    text
}

/// Labels and texts; a command and a place keep their characters.
fn field_table(fields: &[(&str, String)]) -> String {
    let mut text = row(["".to_string(), "".to_string()]);
    text.push_str("|---|---|\n");
    for (label, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        let value = match *label {
            "repeat" => code(&clean(value)),
            "where" | "says" | "cell" => code(&cut(&clean(value), TEXT_MAX)),
            _ => short(value),
        };
        text.push_str(&row([(*label).to_string(), value]));
    }
    text
}

fn short(text: &str) -> String {
    escape(&cut(&clean(text), TEXT_MAX))
}

fn matrix_section(whole: &Matrix) -> String {
    let mut matrix = fold_rows(whole, KEEP_ROWS);
    if matrix.columns.len() > COLUMNS_MAX {
        matrix = fold_columns(&fold_groups(&matrix), KEEP_COLUMNS);
    }
    let mut text = format!("### {}\n\n", short(&matrix.topic));
    let names = matrix.columns.iter().map(|column| match column.group.as_str() {
        "" => short(&column.name),
        group => format!("{}<br>{}", short(group), short(&column.name)),
    });
    text.push_str(&row(std::iter::once(String::new()).chain(names)));
    text.push_str(&format!("|{}\n", "---|".repeat(matrix.columns.len() + 1)));
    for (name, squares) in matrix.rows.iter().zip(&matrix.squares) {
        let name = format!("**{}**", short(name));
        text.push_str(&row(std::iter::once(name).chain(squares.iter().map(square))));
    }
    text
}

fn square(square: &Square) -> String {
    let text = square.to_string();
    if square.is_problem() { format!("**{text}**") } else { text }
}

fn legend(matrices: &[Matrix]) -> String {
    let mut total = Square::default();
    for matrix in matrices {
        total.add(&matrix.total());
    }
    let entry = |word: Word| format!("{} {}", word.text(), word.meaning());
    let entries: Vec<String> = total.words().into_iter().map(entry).collect();
    if entries.is_empty() {
        String::new()
    } else {
        format!("<sub>{}</sub>\n", entries.join(" · "))
    }
}

fn ignored(view: &RunView<'_>) -> String {
    let reasons = view.ignored_reasons();
    if reasons.is_empty() {
        return String::new();
    }
    let mut text = "### Ignored\n\n".to_string();
    for (reason, count) in reasons.iter().take(FAILURES_MAX) {
        text.push_str(&format!("- {}: {}\n", counted(*count, "trial"), short(reason)));
    }
    text
}
