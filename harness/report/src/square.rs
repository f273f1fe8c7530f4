//! One square of a matrix: many cells, one word.

use std::fmt;

use partywall_core::event::CellResult;
use partywall_core::verdict::Verdict;

use crate::matrix::Fold;

/// What a square says, from the gravest to the mildest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    /// Traffic passed where it is denied.
    Leak,
    /// Traffic did not pass where it is promised.
    Cut,
    /// Another claim is disproven.
    Fail,
    /// Evidence is missing.
    Unknown,
    /// Proven.
    Ok,
    /// Shown, not judged.
    Recorded,
}

impl Word {
    pub const ALL: [Self; 6] =
        [Self::Leak, Self::Cut, Self::Fail, Self::Unknown, Self::Ok, Self::Recorded];

    /// The word of a single cell.
    pub fn of(cell: &CellResult) -> Self {
        match (&cell.verdict, cell.expect.as_str()) {
            (Verdict::Holds { .. }, _) => Self::Ok,
            (Verdict::Recorded { .. }, _) => Self::Recorded,
            (Verdict::Undetermined { .. }, _) => Self::Unknown,
            (Verdict::Violated { .. }, "denied") => Self::Leak,
            (Verdict::Violated { .. }, "reached") => Self::Cut,
            (Verdict::Violated { .. }, _) => Self::Fail,
        }
    }

    /// As it is shown.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Leak => "LEAK",
            Self::Cut => "CUT",
            Self::Fail => "FAIL",
            Self::Unknown => "??",
            Self::Ok => "ok",
            Self::Recorded => "rec",
        }
    }

    /// For the legend. Offline nothing passes: the files say what would.
    pub const fn meaning(self, is_offline: bool) -> &'static str {
        match self {
            Self::Leak if is_offline => "open by the files, and must not be",
            Self::Cut if is_offline => "promised, and closed by the files",
            Self::Ok if is_offline => "holds by the files",
            Self::Leak => "traffic passes that must not",
            Self::Cut => "promised traffic does not pass",
            Self::Fail => "claim disproven",
            Self::Unknown => "not determined, never green",
            Self::Ok => "proven",
            Self::Recorded => "recorded, not judged",
        }
    }

    /// Whether a reader has to look at it.
    pub const fn is_problem(self) -> bool {
        matches!(self, Self::Leak | Self::Cut | Self::Fail | Self::Unknown)
    }
}

/// How many cells of a square came to each word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Square {
    counts: [usize; 6],
}

impl Square {
    pub fn enter(&mut self, word: Word) {
        self.counts[word as usize] += 1;
    }

    pub const fn count(&self, word: Word) -> usize {
        self.counts[word as usize]
    }

    /// Cells that were judged, so without those that are only recorded.
    pub fn judged(&self) -> usize {
        self.counts.iter().sum::<usize>() - self.count(Word::Recorded)
    }

    /// The gravest word; `None` where nothing was asked.
    pub fn word(&self) -> Option<Word> {
        Word::ALL.into_iter().find(|word| self.count(*word) > 0)
    }

    /// The words that occur: what is proven, then problems, then what is only recorded.
    pub fn words(&self) -> Vec<Word> {
        let order = [Word::Ok, Word::Leak, Word::Cut, Word::Fail, Word::Unknown, Word::Recorded];
        order.into_iter().filter(|word| self.count(*word) > 0).collect()
    }
}

impl Fold for Square {
    fn add(&mut self, other: &Self) {
        for (count, of_other) in self.counts.iter_mut().zip(other.counts) {
            *count += of_other;
        }
    }

    fn is_problem(&self) -> bool {
        self.word().is_some_and(Word::is_problem)
    }
}

impl fmt::Display for Square {
    /// `ok 24`, `LEAK 2/24`, `rec 4`, or a dot where nothing was asked.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            None => formatter.write_str("·"),
            Some(word @ (Word::Ok | Word::Recorded)) => {
                write!(formatter, "{} {}", word.text(), self.count(word))
            }
            Some(word) => {
                write!(formatter, "{} {}/{}", word.text(), self.count(word), self.judged())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], "·")]
    #[case(&[Word::Ok, Word::Ok], "ok 2")]
    #[case(&[Word::Recorded], "rec 1")]
    #[case(&[Word::Ok, Word::Recorded], "ok 1")]
    #[case(&[Word::Ok, Word::Unknown, Word::Ok], "?? 1/3")]
    #[case(&[Word::Ok, Word::Unknown, Word::Leak, Word::Recorded], "LEAK 1/3")]
    #[case(&[Word::Cut, Word::Cut], "CUT 2/2")]
    fn says_the_gravest_of_its_cells(#[case] words: &[Word], #[case] text: &str) {
        let mut square = Square::default();
        for word in words {
            square.enter(*word);
        }
        assert_eq!(square.to_string(), text);
    }

    #[test]
    fn a_word_is_the_index_of_its_count() {
        for (index, word) in Word::ALL.into_iter().enumerate() {
            assert_eq!(word as usize, index);
        }
    }
}
