//! The parts of the console report, in the order in which they are read.

use partywall_core::event::Event;

use super::failures::{defects, failures};
use super::matrix::{legend, matrix};
use super::not_judged::not_judged;
use super::paint::{Colour, Tone};
use super::summary::summary;
use crate::matrix::matrices;
use crate::text::{clean, counted, cut, wrap};
use crate::view::RunView;

/// The narrowest terminal that is laid out for; narrower ones wrap by themselves.
const WIDTH_MIN: usize = 40;
/// Longer lines are hard to follow with the eye.
const WIDTH_MAX: usize = 200;

/// How to render for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleOptions {
    /// Whether to colour.
    pub colour: Colour,
    /// Columns of the terminal.
    pub width: usize,
}

/// The whole report: one matrix for each topic, the layout's defects, what is not judged, the
/// first trials that do not hold, and the sum.
pub fn render(events: &[Event], options: &ConsoleOptions) -> String {
    let options = clamped(options);
    let view = RunView::of(events);
    let matrices = matrices(&view);
    let mut sections = vec![head(&view, &options)];
    sections.extend(matrices.iter().map(|of_topic| matrix(of_topic, &options)));
    sections.push(legend(&matrices, view.is_offline(), &options));
    sections.push(defects(&view, &options));
    sections.push(not_judged(&view, &options));
    sections.push(failures(&view, &options));
    sections.push(summary(events, &view, &options));
    let sections: Vec<String> = sections
        .into_iter()
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.iter().map(|line| format!("{}\n", line.trim_end())).collect())
        .collect();
    sections.join("\n")
}

/// The same for a terminal that can be laid out for.
pub(crate) fn clamped(options: &ConsoleOptions) -> ConsoleOptions {
    ConsoleOptions { width: options.width.clamp(WIDTH_MIN, WIDTH_MAX), ..*options }
}

fn head(view: &RunView<'_>, options: &ConsoleOptions) -> Vec<String> {
    let name = options.colour.paint(Tone::Strong, "partywall");
    let mut lines = Vec::new();
    for subject in &view.subjects {
        let subject = cut(&clean(subject), options.width - "partywall · ".len());
        lines.push(format!("{name} · {subject}"));
    }
    if !view.tenants.is_empty() {
        let count = counted(view.tenants.len(), "tenant");
        let tenants = clean(&format!("{count}: {}", view.tenants.join(", ")));
        lines.extend(wrap(&tenants, options.width, 2));
    }
    lines
}
