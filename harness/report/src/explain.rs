//! The answer to one question, with the lines that decide it.

use partywall_core::source::SourceLocation;
use serde::{Deserialize, Serialize};

use crate::console::{ConsoleOptions, Tone, clamped, tone_of};
use crate::error::ReportError;
use crate::failures::clean_location;
use crate::json as object;
use crate::text::{clean, cut, wrap};

/// Lines of one snippet that are shown.
const SNIPPET_MAX: usize = 14;
const INDENT: &str = "  ";

/// Why something is as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// `customer-a/open-webui → customer-b/postgres on 5432/TCP`.
    pub question: String,
    /// The answer: `denied`, `allowed`, `holds`, …, and what more there is to say in one line.
    pub verdict: String,
    /// What decides it, from each side that has a say.
    pub sides: Vec<Side>,
}

/// One side of a question: egress of the client, ingress of the target, the chain of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// `egress of customer-a/open-webui: denied`.
    pub title: String,
    /// What was found, in the order in which it applies.
    pub lines: Vec<Line>,
}

/// One thing that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Where it stands.
    pub location: Option<SourceLocation>,
    /// What stands there; never a secret.
    pub snippet: Option<String>,
    /// What it means.
    pub text: String,
}

/// For a terminal.
pub fn text(explanation: &Explanation, options: &ConsoleOptions) -> String {
    let options = clamped(options);
    let strong = |text: &str| options.colour.paint(Tone::Strong, text);
    let mut lines: Vec<String> = Vec::new();
    lines.extend(wrap(&clean(&explanation.question), options.width, 3).iter().map(|q| strong(q)));
    let verdict = clean(&explanation.verdict);
    let tone = tone(&verdict);
    let paint = |line: &String| format!("{INDENT}{}", options.colour.paint(tone, line));
    lines.extend(wrap(&verdict, options.width - INDENT.len(), 3).iter().map(paint));
    for side in &explanation.sides {
        lines.push(String::new());
        lines.extend(wrap(&clean(&side.title), options.width, 2).iter().map(|line| strong(line)));
        for line in &side.lines {
            lines.extend(line_lines(line, &options));
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The tone of an answer, by its first word.
fn tone(verdict: &str) -> Tone {
    let first = verdict.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    tone_of(first)
}

/// The place, what it means, and what stands there behind a gutter of two spaces more.
fn line_lines(line: &Line, options: &ConsoleOptions) -> Vec<String> {
    let deep = INDENT.repeat(2);
    let mut lines = Vec::new();
    let indent = match &line.location {
        Some(location) => {
            lines.push(format!("{INDENT}{}", clean_location(location)));
            deep.as_str()
        }
        None => INDENT,
    };
    let room = options.width.saturating_sub(indent.len());
    lines.extend(wrap(&clean(&line.text), room, 4).iter().map(|text| format!("{indent}{text}")));
    let snippet: Vec<&str> = line.snippet.as_deref().unwrap_or_default().lines().collect();
    let gutter = format!("{indent}{INDENT}");
    for text in snippet.iter().take(SNIPPET_MAX) {
        let text = cut(&kept(text), options.width.saturating_sub(gutter.len()));
        lines.push(format!("{gutter}{}", options.colour.paint(Tone::Quiet, &text)));
    }
    if snippet.len() > SNIPPET_MAX {
        lines.push(format!("{gutter}… {} more lines", snippet.len() - SNIPPET_MAX));
    }
    lines
}

/// A line of a file, clean but for the spaces that it begins with: in YAML they mean something.
fn kept(line: &str) -> String {
    let rest = line.trim_start_matches(' ');
    format!("{}{}", " ".repeat(line.len() - rest.len()), clean(rest))
}

/// The data itself, indented.
pub fn json(explanation: &Explanation) -> Result<String, ReportError> {
    object::text(explanation)
}
