//! A change as text, as Markdown, and as JSON.

use super::model::Change;
use super::sections::{Entry, Section, headline, sections};
use crate::console::{ConsoleOptions, Tone, clamped};
use crate::error::ReportError;
use crate::json as object;
use crate::markdown::{COMMENT_BYTES_MAX, details, join, place, short};
use crate::text::{counted, wrap};

/// Places of one entry that are shown.
const PLACES_MAX: usize = 3;
/// Entries of one section that a terminal shows.
const ENTRIES_MAX: usize = 20;
/// Entries of one section that are not folded in Markdown.
const OPEN_MAX: usize = 10;
/// Entries of one section that Markdown holds.
const FOLDED_MAX: usize = 60;
const INDENT: &str = "  ";
const WHOLE: &str = "see `--format json`";

/// For a terminal: first what the contract does not foresee.
pub fn text(change: &Change, options: &ConsoleOptions) -> String {
    let options = clamped(options);
    let tone = match (change.breaks_contract(), change.not_judged.is_empty()) {
        (true, _) => Tone::Bad,
        (false, false) => Tone::Unsure,
        (false, true) => Tone::Good,
    };
    let mut lines: Vec<String> = wrap(&headline(change), options.width, 3)
        .iter()
        .map(|line| options.colour.paint(tone, line))
        .collect();
    for section in sections(change) {
        lines.push(String::new());
        let tone = if section.is_bad { Tone::Bad } else { Tone::Strong };
        lines.push(options.colour.paint(tone, section.title));
        for entry in section.entries.iter().take(ENTRIES_MAX) {
            lines.extend(entry_lines(entry, &options));
        }
        if section.entries.len() > ENTRIES_MAX {
            let more = section.entries.len() - ENTRIES_MAX;
            lines.push(format!("{INDENT}and {more} more, {WHOLE}"));
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The first places stand on lines of their own, for terminals that make them links.
fn entry_lines(entry: &Entry, options: &ConsoleOptions) -> Vec<String> {
    let room = options.width.saturating_sub(2 * INDENT.len());
    let mut lines = Vec::new();
    for (place, line) in wrap(&entry.text, room, 4).iter().enumerate() {
        let indent = if place == 0 { INDENT.to_string() } else { INDENT.repeat(2) };
        lines.push(format!("{indent}{line}"));
    }
    let deep = INDENT.repeat(2);
    for location in entry.places.iter().take(PLACES_MAX) {
        lines.push(format!("{deep}{location}"));
    }
    if entry.places.len() > PLACES_MAX {
        lines.push(format!("{deep}and {} more places", entry.places.len() - PLACES_MAX));
    }
    if !entry.because.is_empty() {
        let because = wrap(&entry.because, room, 3);
        let quiet = |line: &String| format!("{deep}{}", options.colour.paint(Tone::Quiet, line));
        lines.extend(because.iter().map(quiet));
    }
    lines
}

/// For a comment on a pull request.
pub fn markdown(change: &Change) -> String {
    let word = match (change.breaks_contract(), change.is_empty()) {
        (true, _) => "this change goes against the contract",
        (false, true) => "nothing changes",
        (false, false) => "this change is within the contract",
    };
    let word = match (change.breaks_contract(), change.not_judged.is_empty()) {
        (false, false) => "not everything is judged",
        _ => word,
    };
    let head = format!("## Partywall: {word}\n\n{}\n", short(&headline(change)));
    let all = sections(change);
    join(std::iter::once(head).chain(all.iter().map(section)), COMMENT_BYTES_MAX, WHOLE)
}

fn section(section: &Section) -> String {
    let list = |entries: &[Entry]| entries.iter().map(item).collect::<String>();
    let count = section.entries.len();
    let mut text = format!("### {}\n\n", capital(section.title));
    text.push_str(&list(&section.entries[..count.min(OPEN_MAX)]));
    if count > OPEN_MAX {
        let folded = &section.entries[OPEN_MAX..count.min(FOLDED_MAX)];
        let mut body = list(folded);
        if count > FOLDED_MAX {
            body.push_str(&format!("\n…and {} more, {WHOLE}.\n", count - FOLDED_MAX));
        }
        text.push('\n');
        text.push_str(&details(&counted(count - OPEN_MAX, "more line"), &body));
    }
    text
}

fn capital(title: &str) -> String {
    let mut characters = title.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), characters.as_str())
}

fn item(entry: &Entry) -> String {
    let shown = entry.places.iter().take(PLACES_MAX).map(|location| place(&location.to_string()));
    let mut places = shown.collect::<Vec<_>>().join(", ");
    if entry.places.len() > PLACES_MAX {
        places.push_str(&format!(" and {} more", entry.places.len() - PLACES_MAX));
    }
    let because = short(&entry.because);
    let why = match (places.is_empty(), because.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("<br>{because}"),
        (false, true) => format!("<br>{places}"),
        (false, false) => format!("<br>{places}: {because}"),
    };
    format!("- **{}**{why}\n", short(&entry.text))
}

/// The data itself, indented.
pub fn json(change: &Change) -> Result<String, ReportError> {
    object::text(change)
}
