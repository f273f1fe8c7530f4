//! Colour, only ever in addition to words.

use crate::square::{Square, Word};

/// Whether to colour. Who asks decides; nothing here looks at the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// With ANSI colours.
    Always,
    /// Plain text.
    Never,
}

/// What a colour is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Unsure,
    Quiet,
    Strong,
}

impl Colour {
    /// The text in this tone. Widths are measured before this.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Unsure => "1;33",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        match self {
            Self::Always if !text.is_empty() => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            _ => text.to_string(),
        }
    }
}

/// The tone of a verdict's word.
pub(crate) fn tone_of(word: &str) -> Tone {
    match word {
        "holds" => Tone::Good,
        "violated" => Tone::Bad,
        "undetermined" => Tone::Unsure,
        _ => Tone::Quiet,
    }
}

/// The tone of a square.
pub(super) fn tone_of_square(square: &Square) -> Tone {
    square.word().map_or(Tone::Quiet, tone_of_word)
}

pub(super) const fn tone_of_word(word: Word) -> Tone {
    match word {
        Word::Ok => Tone::Good,
        Word::Leak | Word::Cut | Word::Fail => Tone::Bad,
        Word::Unknown => Tone::Unsure,
        Word::Recorded => Tone::Quiet,
    }
}
