//! Outcome, defects and failures first, then the matrices; long parts are folded.

use partywall_core::event::{Defect, Event, NotJudged};

use super::text::{code, details, escape, row};
use crate::exposure;
use crate::failures::{Failure, defect_place, defects_by_kind, failures};
use crate::fold::{Keep, fold_columns, fold_groups, fold_rows};
use crate::layers::Layers;
use crate::load;
use crate::matrix::{Fold, Matrix};
use crate::mutation;
use crate::not_judged::{by_reason, title};
use crate::outcome::outcome;
use crate::scene::{Scene, Topic};
use crate::square::{Square, Word};
use crate::text::{clean, counted, cut, duration};
use crate::view::{COMPUTED, RunView};

/// GitHub refuses a comment of 65,536 characters and more, so ours ends before that.
pub const COMMENT_BYTES_MAX: usize = 65_000;

/// How much may be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub bytes: usize,
    /// Defects, and trials that do not hold.
    pub failures: usize,
}

/// A comment on a pull request.
const COMMENT: Limits = Limits { bytes: COMMENT_BYTES_MAX, failures: 12 };
/// A step summary.
pub(crate) const SUMMARY: Limits = Limits { bytes: 1_000_000, failures: 50 };

/// What the marks of a square mean.
const MARKS: &str = "contract, files, cluster; ○ open or allowed · ■ shut or denied · ◐ some of \
                     each · ✓ kept · ✗ broken · ~ left to the implementation · ? not known · · not \
                     asked; ≠ files and cluster contradict each other";

/// Room for the words that say that something was left out.
const NOTE_BYTES: usize = 200;
const TEXT_MAX: usize = 600;
/// Defects, failures, and reasons that are not folded.
const OPEN_MAX: usize = 5;
/// A matrix of more squares than this is folded.
const OPEN_SQUARES_MAX: usize = 120;
const COLUMNS_MAX: usize = 16;
const KEEP_ROWS: Keep = Keep { well_max: 40, problem_max: 40 };
const KEEP_COLUMNS: Keep = Keep { well_max: 8, problem_max: 20 };

/// The run for a comment on a pull request. Whole sections are left out at the end where it
/// would grow too large, and it says so.
pub fn render(events: &[Event]) -> String {
    compose(&[events], &COMMENT)
}

/// The same of several streams over one layout: what a cluster says beside what the files say.
pub fn render_all(streams: &[&[Event]]) -> String {
    compose(streams, &COMMENT)
}

/// The run within these limits.
pub(crate) fn compose(streams: &[&[Event]], limits: &Limits) -> String {
    let scene = Scene::of(streams);
    let events = scene.of_claims();
    let view = RunView::of(&events);
    let depth = depth(streams);
    let has_claims = events.iter().any(|event| matches!(event, Event::RunStarted { .. }));
    let mut sections = match has_claims || depth.is_empty() {
        true => claims(&scene, &events, &view, limits),
        false => Vec::new(),
    };
    sections.extend(depth);
    join(sections, limits.bytes, view.whole())
}

/// What was put to the claims themselves: mutants, and changes under the exposure meter.
fn depth(streams: &[&[Event]]) -> Vec<String> {
    let is_mutant = |event: &Event| matches!(event, Event::MutantJudged(_));
    let mutated = streams.iter().filter(|events| events.iter().any(is_mutant));
    let exposed = streams.iter().map(|events| exposure::markdown(events));
    let exposed = exposed.filter(|text| !text.is_empty()).map(|text| text + "\n");
    exposed.chain(mutated.map(|events| mutation::markdown(events))).collect()
}

fn claims(scene: &Scene<'_>, events: &[Event], view: &RunView<'_>, limits: &Limits) -> Vec<String> {
    let mut sections = vec![head(events, view)];
    let kinds = defects_by_kind(view);
    let shown: Vec<Part> =
        kinds.iter().take(limits.failures).filter_map(|kind| defect_part(kind)).collect();
    sections.extend(parts(&shown));
    sections.push(rest(kinds.len(), "more defect", limits, view));
    let failures = failures(view);
    let shown: Vec<Part> = failures.iter().take(limits.failures).map(failure_part).collect();
    sections.extend(parts(&shown));
    sections.push(rest(failures.len(), "more trial", limits, view));
    sections.push(not_judged(view, limits));
    let topics = scene.topics();
    sections.extend(topics.iter().map(|topic| matrix_section(&topic.matrix)));
    sections.push(legend(&topics, view.is_offline()));
    sections.push(loads(view));
    sections.push(ignored(view, limits));
    sections
}

/// A section with a title of its own.
struct Part {
    title: String,
    body: String,
}

/// The first as they are, the others folded.
fn parts(all: &[Part]) -> Vec<String> {
    let part = |(place, Part { title, body }): (usize, &Part)| match place < OPEN_MAX {
        true => format!("### {title}\n\n{body}"),
        false => details(title, body),
    };
    all.iter().enumerate().map(part).collect()
}

/// What is left of so many once the first are shown.
fn rest(all: usize, noun: &str, limits: &Limits, view: &RunView<'_>) -> String {
    match all.saturating_sub(limits.failures) {
        0 => String::new(),
        more => format!("…and {} not shown here, {}.\n", counted(more, noun), view.whole()),
    }
}

/// Sections below each other, as many as there is room for; `whole` says where the others are.
pub(crate) fn join(
    sections: impl IntoIterator<Item = String>,
    bytes_max: usize,
    whole: &str,
) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        let is_full = text.len() + section.len() + 1 + NOTE_BYTES > bytes_max;
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
        text.push_str(&format!("\n…{sections} left out, {whole}.\n"));
    }
    text
}

/// What was counted while all tenants sent, by organisation.
fn loads(view: &RunView<'_>) -> String {
    let rows = load::by_organisation(&view.loads);
    if rows.is_empty() {
        return String::new();
    }
    let mut text =
        "### All tenants at once\n\n| org | sent | accepted | found | misplaced | items/s |\n\
                    |---|---:|---:|---:|---:|---:|\n"
            .to_string();
    text.extend(rows.iter().map(|one| row(load::cells(one).iter().map(|cell| escape(cell)))));
    text
}

fn head(events: &[Event], view: &RunView<'_>) -> String {
    let (word, sentence) = outcome(events, view);
    let mut text = format!("## Partywall: {word}\n\n{}\n\n", short(&sentence));
    for subject in &view.subjects {
        text.push_str(&format!("- {}\n", short(subject)));
    }
    text.push_str(&format!("- {}\n", view.tally()));
    if let Some(ending) = view.ending {
        let mut facts = vec![counted(view.cells.len(), "cell")];
        if ending.sent.of > 0 {
            facts.push(counted(ending.sent.of, "probe"));
        }
        facts.push(duration(ending.elapsed_ms));
        text.push_str(&format!("- {}\n- **{}**\n", facts.join(", "), ending.bounds()));
    }
    if let Some(whole) = load::lines(view).first() {
        text.push_str(&format!("- load: {}\n", short(whole)));
    }
    if let Some(latency) = load::latency(view) {
        text.push_str(&format!("- latency: {}\n", short(&latency)));
    }
    if view.is_offline() {
        text.push_str(&format!("- proof: {COMPUTED}\n"));
    }
    text
}

/// Defects of one kind.
fn defect_part(kind: &[Defect]) -> Option<Part> {
    let (defect, others) = kind.split_first()?;
    let mut body = format!("{}\n\n", short(&defect.summary));
    let location = defect.location.as_ref().map(ToString::to_string).unwrap_or_default();
    let fields = [
        ("where", place(&location)),
        ("object", short(&defect.object)),
        ("says", place(&defect.message)),
        ("behind", short(defect.behind.as_deref().unwrap_or_default())),
        ("also", list(others.iter().map(defect_place))),
    ];
    body.push_str(&field_table(fields));
    Some(Part { title: format!("Defect: {}", short(&defect.name)), body })
}

fn failure_part(failure: &Failure) -> Part {
    let fields = failure.fields().into_iter().map(|(label, text)| {
        let value = match (label, &failure.location) {
            ("cause", Some(location)) => {
                format!("{}: {}", place(&location.to_string()), short(&failure.because))
            }
            // A command is repeated as it is, so it is never cut.
            ("repeat", _) => code(&clean(&text)),
            ("cell", _) => place(&text),
            _ => short(&text),
        };
        (label, value)
    });
    let title = format!("{}: {}", failure.word, short(&failure.short));
    Part { title, body: field_table(fields) }
}

/// Text that keeps its characters: a place, a pod, what an object says.
pub(crate) fn place(text: &str) -> String {
    if text.is_empty() { String::new() } else { code(&cut(&clean(text), TEXT_MAX)) }
}

/// Places, the first few of them.
fn list(places: impl ExactSizeIterator<Item = String>) -> String {
    let more = match places.len().saturating_sub(OPEN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown: Vec<String> = places.take(OPEN_MAX).map(|text| place(&text)).collect();
    format!("{}{more}", shown.join(", "))
}

/// What is not judged, one line for each, by reason.
fn not_judged(view: &RunView<'_>, limits: &Limits) -> String {
    let groups = by_reason(view);
    let count: usize = groups.iter().map(Vec::len).sum();
    if count == 0 {
        return String::new();
    }
    let mut list = String::new();
    for group in groups.iter().take(limits.failures) {
        let shown = group.iter().take(OPEN_MAX).map(item).collect::<Vec<_>>().join(", ");
        let more = match group.len().saturating_sub(OPEN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let reason = group.first().map(|item| short(&item.reason)).unwrap_or_default();
        list.push_str(&format!("- {shown}{more}: {reason}\n"));
    }
    list.push_str(&rest(groups.len(), "more reason", limits, view));
    match groups.len() <= OPEN_MAX {
        true => format!("### Not judged: {}\n\n{list}", title(count)),
        false => details(&format!("Not judged: {}", title(count)), &list),
    }
}

fn item(item: &NotJudged) -> String {
    let subject = short(&item.subject);
    match &item.location {
        Some(location) => format!("{subject} ({})", place(&location.to_string())),
        None => subject,
    }
}

/// Labels and texts that are Markdown already; those without a text are left out.
fn field_table(fields: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut text = row(["".to_string(), "".to_string()]);
    text.push_str("|---|---|\n");
    for (label, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&row([label.to_string(), value]));
    }
    text
}

/// Text of a paragraph or a table's square.
pub(crate) fn short(text: &str) -> String {
    escape(&cut(&clean(text), TEXT_MAX))
}

fn matrix_section(whole: &Matrix<Layers>) -> String {
    let mut matrix = fold_rows(whole, KEEP_ROWS);
    if matrix.columns.len() > COLUMNS_MAX {
        matrix = fold_columns(&fold_groups(&matrix), KEEP_COLUMNS);
    }
    let mut text = String::new();
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
    let topic = short(&matrix.topic);
    match matrix.rows.len() * matrix.columns.len() <= OPEN_SQUARES_MAX {
        true => format!("### {topic}\n\n{text}"),
        false => details(&format!("{topic}: {}", total(whole)), &text),
    }
}

/// `ok 270 · LEAK 2`, for a matrix that is folded.
fn total(matrix: &Matrix<Layers>) -> String {
    let total = matrix.total().square();
    let count = |word: Word| format!("{} {}", word.text(), total.count(word));
    total.words().into_iter().map(count).collect::<Vec<_>>().join(" · ")
}

/// Contract, files and cluster by their marks, then the word: `■■■ ok 24`.
fn square(layers: &Layers) -> String {
    if layers.place.is_none() {
        return layers.text();
    }
    let text = format!("{} {}", layers.marks(), layers.text());
    if layers.is_problem() { format!("**{text}**") } else { text }
}

fn legend(topics: &[Topic], is_offline: bool) -> String {
    let mut total = Square::default();
    for topic in topics {
        total.add(&topic.matrix.total().square());
    }
    let entry = |word: Word| format!("{} {}", word.text(), word.meaning(is_offline));
    let entries: Vec<String> = total.words().into_iter().map(entry).collect();
    if entries.is_empty() {
        String::new()
    } else {
        let entries = entries.join(" · ");
        format!("<sub>{entries}</sub>\n\n<sub>Marks: {MARKS}</sub>\n")
    }
}

fn ignored(view: &RunView<'_>, limits: &Limits) -> String {
    let reasons = view.ignored_reasons();
    if reasons.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for (reason, count) in reasons.iter().take(limits.failures) {
        text.push_str(&format!("- {}: {}\n", counted(*count, "trial"), short(reason)));
    }
    details("Ignored", &text)
}
