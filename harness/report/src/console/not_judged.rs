//! What is not judged: named, because what is passed over looks exactly like what holds.

use partywall_core::event::NotJudged;

use super::failures::{SCREEN_LINES, also, field, room};
use super::paint::Tone;
use super::render::ConsoleOptions;
use crate::not_judged::{by_reason, place, title};
use crate::text::{fit, wrap};
use crate::view::RunView;

/// Everything that is not judged; what has the same reason stands together.
pub(super) fn not_judged(view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    let groups = by_reason(view);
    let count: usize = groups.iter().map(Vec::len).sum();
    if count == 0 {
        return Vec::new();
    }
    let mut lines = vec![options.colour.paint(Tone::Strong, &title(count))];
    for (index, group) in groups.iter().enumerate() {
        let block = block(group, options);
        lines.push(String::new());
        if lines.len() + block.len() > SCREEN_LINES {
            let rest: usize = groups[index..].iter().map(Vec::len).sum();
            lines.push(format!("and {rest} more, {}", view.whole()));
            break;
        }
        lines.extend(block);
    }
    lines
}

fn block(group: &[NotJudged], options: &ConsoleOptions) -> Vec<String> {
    let Some((first, others)) = group.split_first() else {
        return Vec::new();
    };
    let subject = fit(&first.subject, options.width.saturating_sub("not judged  ".len()));
    let word = options.colour.paint(Tone::Unsure, "not judged");
    let mut lines = vec![format!("{word}  {}", options.colour.paint(Tone::Strong, &subject))];
    if let Some(location) = &first.location {
        lines.extend(field("where", &[location.to_string()], options));
    }
    lines.extend(field("why", &wrap(&first.reason, room(options), 3), options));
    let places: Vec<String> = others.iter().map(place).collect();
    lines.extend(field("also", &also(&places, options), options));
    lines
}
