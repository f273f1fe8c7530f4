//! Defects of the layout, and trials that do not hold: never more than a screen of each.

use partywall_core::event::Defect;

use super::paint::{Tone, tone_of};
use super::render::ConsoleOptions;
use crate::failures::{Failure, defect_place, defects_by_kind, failures as failures_of};
use crate::text::{counted, cut, fit, pad, wrap};
use crate::view::RunView;

/// Lines of all failures that are shown in full, and of all defects.
pub(super) const SCREEN_LINES: usize = 46;
/// Names of failures that are not shown in full.
const NAMES_MAX: usize = 6;
/// Other places of one defect.
const PLACES_MAX: usize = 3;
const INDENT: usize = 2;
const LABEL: usize = 10;

/// The trials that do not hold.
pub(super) fn failures(view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    let failures = failures_of(view);
    if failures.is_empty() {
        return Vec::new();
    }
    let heading = format!("{} not hold", does(failures.len(), "trial"));
    let mut lines = vec![options.colour.paint(Tone::Strong, &heading)];
    let mut shown = 0;
    for failure in &failures {
        let block = block(failure, options);
        if lines.len() + block.len() > SCREEN_LINES {
            break;
        }
        lines.push(String::new());
        lines.extend(block);
        shown += 1;
    }
    lines.extend(the_rest(&failures[shown..], view, options));
    lines
}

fn does(count: usize, noun: &str) -> String {
    format!("{} do{}", counted(count, noun), if count == 1 { "es" } else { "" })
}

fn the_rest(rest: &[Failure], view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    if rest.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), format!("and {} more, {}", rest.len(), view.whole())];
    for failure in rest.iter().take(NAMES_MAX) {
        let name = fit(&failure.short, options.width.saturating_sub(INDENT + 14));
        lines.push(format!("{}{}  {name}", " ".repeat(INDENT), word(failure, options)));
    }
    if rest.len() > NAMES_MAX {
        lines.push(format!("{}…", " ".repeat(INDENT)));
    }
    lines
}

fn word(failure: &Failure, options: &ConsoleOptions) -> String {
    options.colour.paint(tone_of(failure.word), &pad(failure.word, "undetermined".len()))
}

/// One failure in at most 15 lines: 1 of title, and as many for each field as given here. The
/// command is one line whatever its length, so that it can be pasted.
fn block(failure: &Failure, options: &ConsoleOptions) -> Vec<String> {
    let name = fit(&failure.short, options.width.saturating_sub(14));
    let title = options.colour.paint(Tone::Strong, &name);
    let mut lines = vec![format!("{}  {title}", word(failure, options))];
    for (label, text) in failure.fields() {
        let lines_max = match label {
            "claim" | "seen" | "control" => 2,
            "cell" => 2,
            "cause" => 3,
            _ => 1,
        };
        let texts = match label {
            "repeat" => vec![text],
            "cause" => cause(failure, options),
            _ => wrap(&text, room(options), lines_max),
        };
        lines.extend(field(label, &texts, options));
    }
    lines
}

/// The place on a line of its own, for terminals that make it a link.
fn cause(failure: &Failure, options: &ConsoleOptions) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(location) = &failure.location {
        lines.push(location.to_string());
    }
    lines.extend(wrap(&failure.because, room(options), 2));
    lines
}

pub(super) fn room(options: &ConsoleOptions) -> usize {
    options.width.saturating_sub(INDENT + LABEL)
}

pub(super) fn field(label: &str, texts: &[String], options: &ConsoleOptions) -> Vec<String> {
    let label = options.colour.paint(Tone::Quiet, &pad(label, LABEL));
    let margin = " ".repeat(LABEL);
    let lines = texts.iter().enumerate();
    let line = |(place, text): (usize, &String)| {
        let start = if place == 0 { &label } else { &margin };
        format!("{}{start}{text}", " ".repeat(INDENT))
    };
    lines.map(line).collect()
}

/// The defects of the layout, in the order in which they were found. Several of one name, as
/// one mistake in every tenant's folder makes them, stand together.
pub(super) fn defects(view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    if view.defects.is_empty() {
        return Vec::new();
    }
    let heading = format!("{} of the layout", counted(view.defects.len(), "defect"));
    let mut lines = vec![options.colour.paint(Tone::Strong, &heading)];
    let kinds = defects_by_kind(view);
    for (place, kind) in kinds.iter().enumerate() {
        let block = defect_block(kind, options);
        if lines.len() + block.len() > SCREEN_LINES {
            lines.push(String::new());
            let rest: usize = kinds[place..].iter().map(Vec::len).sum();
            lines.push(format!("and {rest} more, {}", view.whole()));
            break;
        }
        lines.push(String::new());
        lines.extend(block);
    }
    lines
}

fn defect_block(kind: &[Defect], options: &ConsoleOptions) -> Vec<String> {
    let Some((defect, others)) = kind.split_first() else {
        return Vec::new();
    };
    let name = fit(&defect.name, options.width.saturating_sub(12));
    let word = options.colour.paint(Tone::Bad, "defect");
    let mut lines = vec![format!("{word}  {}", options.colour.paint(Tone::Strong, &name))];
    let mut add = |label: &str, texts: &[String]| lines.extend(field(label, texts, options));
    add("what", &wrap(&defect.summary, room(options), 2));
    if let Some(location) = &defect.location {
        add("where", &[location.to_string()]);
    }
    if !defect.object.is_empty() {
        add("object", &[cut(&defect.object, room(options))]);
    }
    if !defect.message.is_empty() {
        add("says", &wrap(&defect.message, room(options), 2));
    }
    if let Some(behind) = &defect.behind {
        let text = format!("behind {behind}: seen once that one was mended in a scratch commit");
        add("hidden", &[cut(&text, room(options))]);
    }
    let places: Vec<String> = others.iter().map(defect_place).collect();
    add("also", &also(&places, options));
    lines
}

/// Where else the same is to be found, one place a line.
pub(super) fn also(places: &[String], options: &ConsoleOptions) -> Vec<String> {
    let shown = places.iter().take(PLACES_MAX);
    let mut lines: Vec<String> = shown.map(|place| cut(place, room(options))).collect();
    if places.len() > PLACES_MAX {
        lines.push(format!("and {} more", places.len() - PLACES_MAX));
    }
    lines
}
