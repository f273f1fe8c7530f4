//! Whether two backends say the same of the same squares.

use partywall_core::exit::Exit;
use partywall_core::verdict::Verdict;
use serde::{Deserialize, Serialize};

use crate::console::{ConsoleOptions, Tone, clamped, tone_of};
use crate::error::ReportError;
use crate::json as object;
use crate::text::{clean, counted, fit, pad, thousands, wrap};

/// Disagreements and squares that are shown.
const SHOWN_MAX: usize = 20;
const FEW_MAX: usize = 5;
const INDENT: &str = "  ";
const LABEL: usize = 14;

/// What the files and a cluster say of the same squares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Squares that both were to judge.
    pub planned: usize,
    /// Squares that both judged, those of the ledger among them.
    pub both: usize,
    /// Squares that only the cluster judged.
    pub live_only: Vec<Square>,
    /// Squares that only the files judged.
    pub offline_only: Vec<Square>,
    /// Squares of which they say different things, and nobody knows why they may.
    pub disagreements: Vec<Disagreement>,
    /// Squares of which they say different things for a reason that is written down.
    pub ledger: Vec<Ledgered>,
}

/// One square of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Square {
    /// The trial without its backend.
    pub trial: String,
    /// Row of the matrix: the tenant.
    pub row: String,
    /// The client.
    pub from: String,
    /// The target with its port.
    pub to: String,
}

/// One square, two verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The trial without its backend.
    pub trial: String,
    /// Row of the matrix: the tenant.
    pub row: String,
    /// The client.
    pub from: String,
    /// The target with its port.
    pub to: String,
    /// By the files.
    pub offline: Verdict,
    /// By the cluster.
    pub live: Verdict,
}

/// A disagreement that is known, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledgered {
    /// The square.
    #[serde(flatten)]
    pub disagreement: Disagreement,
    /// Why both may be right.
    pub reason: String,
}

impl Agreement {
    /// Whether everything that was planned was judged by both, and they say the same.
    pub fn is_agreed(&self) -> bool {
        self.planned > 0 && self.both >= self.planned && self.disagreements.is_empty()
    }

    /// Violated where they disagree; undetermined where fewer squares than planned, or none,
    /// were judged by both.
    pub fn exit(&self) -> Exit {
        match (self.disagreements.is_empty(), self.is_agreed()) {
            (false, _) => Exit::Violated,
            (true, false) => Exit::Undetermined,
            (true, true) => Exit::Holds,
        }
    }

    fn headline(&self) -> (&'static str, Tone, String) {
        let planned = thousands(self.planned);
        if !self.disagreements.is_empty() {
            let count = counted(self.disagreements.len(), "square");
            let text = format!("offline and live say different things of {count}");
            return ("DISAGREE", Tone::Bad, text);
        }
        if self.planned == 0 {
            return ("NO RESULT", Tone::Bad, "no square was planned".to_string());
        }
        if self.both < self.planned {
            let text = format!("only {} of {planned} squares were judged by both", self.both);
            return ("NO RESULT", Tone::Bad, format!("{text}; fewer than planned fails"));
        }
        ("AGREE", Tone::Good, format!("offline and live say the same of {planned} squares"))
    }
}

/// For a terminal: disagreements first, then counts.
pub fn text(agreement: &Agreement, options: &ConsoleOptions) -> String {
    let options = clamped(options);
    let mut lines = Vec::new();
    for disagreement in agreement.disagreements.iter().take(SHOWN_MAX) {
        lines.extend(disagreement_lines(disagreement, &options));
        lines.push(String::new());
    }
    if agreement.disagreements.len() > SHOWN_MAX {
        let more = agreement.disagreements.len() - SHOWN_MAX;
        lines.push(format!("and {more} more disagreements, see `--format json`"));
        lines.push(String::new());
    }
    let (word, tone, sentence) = agreement.headline();
    let sentence = wrap(&sentence, options.width.saturating_sub(word.len() + 2), 3).join("\n  ");
    lines.push(format!("{}  {sentence}", options.colour.paint(tone, word)));
    let both = format!("{} of {}", thousands(agreement.both), thousands(agreement.planned));
    lines.push(entry("both judged", &both));
    lines.extend(only("live only", &agreement.live_only, &options));
    lines.extend(only("offline only", &agreement.offline_only, &options));
    lines.extend(ledger(&agreement.ledger, &options));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn entry(label: &str, text: &str) -> String {
    format!("{INDENT}{}{text}", pad(label, LABEL))
}

fn disagreement_lines(disagreement: &Disagreement, options: &ConsoleOptions) -> Vec<String> {
    let Disagreement { trial, row, from, to, offline, live } = disagreement;
    let head = options.colour.paint(Tone::Bad, "disagree");
    let name = fit(&clean(trial), options.width.saturating_sub("disagree  ".len()));
    let mut lines = vec![format!("{head}  {}", options.colour.paint(Tone::Strong, &name))];
    lines.push(entry("tenant", &clean(row)));
    lines.push(entry("square", &clean(&format!("{from} → {to}"))));
    for (label, verdict) in [("offline", offline), ("live", live)] {
        let word = options.colour.paint(tone_of(verdict.word()), verdict.word());
        let reason = clean(verdict.reason());
        let room = options.width.saturating_sub(INDENT.len() + LABEL);
        let texts = wrap(&format!("{}: {reason}", verdict.word()), room, 3);
        let rest = texts.first().and_then(|first| first.strip_prefix(verdict.word()));
        let first = match reason.is_empty() {
            true => word,
            false => format!("{word}{}", rest.unwrap_or_default()),
        };
        lines.push(entry(label, &first));
        lines.extend(texts.iter().skip(1).map(|text| entry("", text)));
    }
    lines
}

fn only(label: &str, squares: &[Square], options: &ConsoleOptions) -> Vec<String> {
    let mut lines = vec![entry(label, &thousands(squares.len()))];
    let room = options.width.saturating_sub(INDENT.len() + LABEL);
    for Square { trial, from, to, .. } in squares.iter().take(FEW_MAX) {
        let square = clean(&format!("{from} → {to} ({trial})"));
        lines.push(entry("", &fit(&square, room)));
    }
    if squares.len() > FEW_MAX {
        lines.push(entry("", &format!("and {} more", squares.len() - FEW_MAX)));
    }
    lines
}

/// How many squares are let pass, for each reason.
fn ledger(ledger: &[Ledgered], options: &ConsoleOptions) -> Vec<String> {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for known in ledger {
        match reasons.iter_mut().find(|(reason, _)| *reason == known.reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((&known.reason, 1)),
        }
    }
    let mut lines = vec![entry("ledger", &thousands(ledger.len()))];
    let room = options.width.saturating_sub(INDENT.len() + LABEL);
    for (reason, count) in reasons {
        let text = format!("{count}: {}", clean(reason));
        lines.extend(wrap(&text, room, 3).iter().map(|line| entry("", line)));
    }
    lines
}

/// The data itself, indented.
pub fn json(agreement: &Agreement) -> Result<String, ReportError> {
    object::text(agreement)
}
