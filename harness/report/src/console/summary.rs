//! What the run comes to, in a few lines at the end.

use partywall_core::event::Event;

use super::paint::{Tone, tone_of};
use super::render::ConsoleOptions;
use crate::load;
use crate::outcome::outcome;
use crate::text::{clean, cut, duration, pad, thousands, wrap};
use crate::view::{COMPUTED, RunView};

/// Reasons for ignoring that are shown.
const REASONS_MAX: usize = 4;
const LABEL: usize = 10;

/// Headline, trials, why some were ignored, cells and probes.
pub(super) fn summary(
    events: &[Event],
    view: &RunView<'_>,
    options: &ConsoleOptions,
) -> Vec<String> {
    let mut lines = vec![options.colour.paint(Tone::Quiet, &"─".repeat(options.width))];
    lines.extend(headline(events, view, options));
    lines.push(entry("trials", &trials(view, options)));
    let room = options.width.saturating_sub(LABEL + 2);
    let reasons = view.ignored_reasons();
    for (reason, count) in reasons.iter().take(REASONS_MAX) {
        lines.push(entry("ignored", &cut(&format!("{count}: {}", clean(reason)), room)));
    }
    if reasons.len() > REASONS_MAX {
        lines.push(entry("", &format!("and {} more reasons", reasons.len() - REASONS_MAX)));
    }
    if let Some(ending) = view.ending {
        let tone = if ending.leaks() == 0 { Tone::Good } else { Tone::Bad };
        let leaks = options.colour.paint(tone, &ending.bounds());
        let (cells, took) = (thousands(view.cells.len()), duration(ending.elapsed_ms));
        let rate = ending.rate().map(|rate| format!(", {} probes/s", thousands(rate)));
        let rate = rate.unwrap_or_default();
        lines.push(entry("cells", &format!("{cells} in {took}: {leaks}{rate}")));
    }
    for (index, line) in load::lines(view).iter().enumerate() {
        lines.push(entry(if index == 0 { "load" } else { "" }, &cut(line, room)));
    }
    lines.extend(load::latency(view).map(|line| entry("latency", &cut(&line, room))));
    if view.is_offline() {
        lines.push(entry("proof", COMPUTED));
    }
    lines
}

fn entry(label: &str, text: &str) -> String {
    format!("  {}{text}", pad(label, LABEL))
}

fn headline(events: &[Event], view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    let (word, text) = outcome(events, view);
    let tone = match word {
        "HOLDS" => Tone::Good,
        "UNDETERMINED" => Tone::Unsure,
        _ => Tone::Bad,
    };
    let text = wrap(&text, options.width.saturating_sub(word.len() + 2), 3);
    let first = text.first().map(String::as_str).unwrap_or_default();
    let mut lines = vec![format!("{}  {first}", options.colour.paint(tone, word))];
    lines.extend(text.iter().skip(1).map(|rest| format!("{}  {rest}", pad("", word.len()))));
    lines
}

fn trials(view: &RunView<'_>, options: &ConsoleOptions) -> String {
    let all = thousands(view.trials.len() + view.ignored.len());
    let paint = |(word, text): &(&str, String)| match *word {
        "ignored" => text.clone(),
        word => options.colour.paint(tone_of(word), text),
    };
    let parts: Vec<String> = view.counts().iter().map(paint).collect();
    format!("{all}: {}", parts.join(", "))
}
