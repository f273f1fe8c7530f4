//! The three layers of a square: what the contract says, what the files compute, and what was
//! seen on a cluster.

use partywall_core::event::CellResult;
use partywall_core::verdict::Verdict;

use crate::matrix::Fold;
use crate::square::{Square, Word};

/// What one layer says of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Traffic passes.
    Open,
    /// Traffic does not pass.
    Shut,
    /// A claim that is not about traffic holds.
    Kept,
    /// Such a claim does not hold.
    Broken,
    /// Left to the implementation.
    Recorded,
    /// Asked, and not known.
    Unknown,
}

impl State {
    const ALL: [Self; 6] =
        [Self::Open, Self::Shut, Self::Kept, Self::Broken, Self::Recorded, Self::Unknown];

    /// What the contract wants.
    pub fn intended(expect: &str) -> Self {
        match expect {
            "reached" => Self::Open,
            "denied" => Self::Shut,
            "recorded" => Self::Recorded,
            _ => Self::Kept,
        }
    }

    /// What a backend answered.
    pub fn answered(cell: &CellResult) -> Self {
        match (&cell.verdict, Self::intended(&cell.expect)) {
            (Verdict::Holds { .. }, intended) => intended,
            (Verdict::Violated { .. }, Self::Open) => Self::Shut,
            (Verdict::Violated { .. }, Self::Shut) => Self::Open,
            (Verdict::Violated { .. }, _) => Self::Broken,
            (Verdict::Undetermined { .. }, _) => Self::Unknown,
            (Verdict::Recorded { seen }, _) => match seen.split(' ').next() {
                Some("reached") => Self::Open,
                Some("dropped" | "refused") => Self::Shut,
                _ => Self::Recorded,
            },
        }
    }

    /// A mark whose shape alone tells it from the others, for print and for eyes that do not
    /// tell colours apart.
    pub const fn mark(self) -> char {
        match self {
            Self::Open => '○',
            Self::Shut => '■',
            Self::Kept => '✓',
            Self::Broken => '✗',
            Self::Recorded => '~',
            Self::Unknown => '?',
        }
    }

    /// The same in a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Shut => "shut",
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::Recorded => "not judged",
            Self::Unknown => "unknown",
        }
    }
}

/// The mark of a layer whose cells are of several kinds, and of one in which nothing was asked.
pub(crate) const MIXED: char = '◐';
pub(crate) const NOT_ASKED: char = '·';
/// The mark of a layer that was asked of some cells of its square only.
pub(crate) const PARTLY: char = '◌';

/// The states of one layer in a square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    /// A bit for each state that occurs.
    states: u8,
    /// Cells of the other backend that were not asked here.
    missing: usize,
    /// Cells that were asked here only.
    extra: usize,
}

impl Layer {
    fn enter(&mut self, state: State) {
        self.states |= 1 << state as u8;
    }

    fn add(&mut self, other: Self) {
        self.states |= other.states;
        self.missing += other.missing;
        self.extra += other.extra;
    }

    fn states(self) -> impl Iterator<Item = State> {
        State::ALL.into_iter().filter(move |state| self.states & (1 << *state as u8) != 0)
    }

    /// Whether it answers for fewer cells than the other backend.
    const fn is_partly(self) -> bool {
        self.missing > self.extra
    }

    pub fn mark(self) -> char {
        let mut states = self.states();
        match (states.next(), states.next()) {
            (None, _) => NOT_ASKED,
            _ if self.is_partly() => PARTLY,
            (Some(state), None) => state.mark(),
            _ if self.states().any(|state| state == State::Unknown) => State::Unknown.mark(),
            _ => MIXED,
        }
    }

    /// `open and shut`, `not asked`.
    pub fn words(self) -> String {
        let words: Vec<&str> = self.states().map(State::word).collect();
        match (words.is_empty(), self.is_partly()) {
            (true, _) => "not asked".to_string(),
            (false, false) => words.join(" and "),
            (false, true) => format!("{}, of some cells only", words.join(" and ")),
        }
    }
}

/// What a square of the picture shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layers {
    pub intent: Layer,
    pub policy: Layer,
    pub observed: Layer,
    /// Cells of which the files and a cluster say contrary things.
    pub contrary: usize,
    /// Cells that a cluster was asked, by their words.
    pub seen: Square,
    /// Cells that only the files answer, by their words.
    pub computed: Square,
    /// Where it stands: row and column. Of several that are folded, the first that a reader has
    /// to look at, or the first.
    pub place: Option<(usize, usize)>,
}

impl Layers {
    /// Take in a cell: what the files and what a cluster say of it.
    pub fn enter(&mut self, cell: &CellResult, policy: Option<State>, observed: Option<State>) {
        let intended = State::intended(&cell.expect);
        self.intent.enter(intended);
        match policy {
            Some(policy) => self.policy.enter(policy),
            None => self.policy.missing += 1,
        }
        match observed {
            Some(observed) => self.observed.enter(observed),
            // The files name a target of which a cluster has several once, so what only they
            // answer may stand for what only a cluster answers.
            None => self.policy.extra += 1,
        }
        self.contrary += usize::from(are_contrary(intended, policy, observed));
        let square = if observed.is_some() { &mut self.seen } else { &mut self.computed };
        square.enter(Word::of(cell));
    }

    /// Contract, files, cluster: `■■■`.
    pub fn marks(&self) -> String {
        [self.intent, self.policy, self.observed].map(Layer::mark).into_iter().collect()
    }

    /// The same in words.
    pub fn words(&self) -> String {
        let [intent, policy, observed] =
            [self.intent, self.policy, self.observed].map(Layer::words);
        format!("contract: {intent}; files: {policy}; cluster: {observed}")
    }

    /// `ok 23`, `≠ LEAK 1/3`; behind a plus what only the files say.
    pub fn text(&self) -> String {
        let contrary = if self.contrary > 0 { "≠ " } else { "" };
        match (self.seen.word(), self.computed.word()) {
            (Some(_), Some(word)) if word.is_problem() => {
                format!("{contrary}{} +{}", self.seen, self.computed)
            }
            (Some(_), _) | (None, None) => format!("{contrary}{}", self.seen),
            (None, Some(_)) => format!("{contrary}{}", self.computed),
        }
    }

    /// All cells by their words.
    pub fn square(&self) -> Square {
        let mut all = self.seen;
        all.add(&self.computed);
        all
    }

    /// The gravest word of all cells.
    pub fn word(&self) -> Option<Word> {
        self.square().word()
    }
}

/// Whether files and cluster contradict each other. What is left to the implementation, and
/// what the files cannot tell, is no contradiction.
pub(crate) fn are_contrary(
    intended: State,
    policy: Option<State>,
    observed: Option<State>,
) -> bool {
    let is_known = |state: &State| !matches!(state, State::Unknown | State::Recorded);
    match (policy.filter(is_known), observed.filter(is_known)) {
        (Some(policy), Some(observed)) => intended != State::Recorded && policy != observed,
        _ => false,
    }
}

impl Fold for Layers {
    fn add(&mut self, other: &Self) {
        self.place = match (self.place, other.place) {
            (None, place) => place,
            (Some(_), Some(place)) if other.is_problem() && !self.is_problem() => Some(place),
            (place, _) => place,
        };
        self.intent.add(other.intent);
        self.policy.add(other.policy);
        self.observed.add(other.observed);
        self.contrary += other.contrary;
        self.seen.add(&other.seen);
        self.computed.add(&other.computed);
    }

    fn is_problem(&self) -> bool {
        self.contrary > 0 || self.seen.is_problem() || self.computed.is_problem()
    }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
