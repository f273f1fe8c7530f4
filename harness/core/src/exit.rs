//! The exit codes of `partywall`, the same for every command.

use crate::verdict::Verdict;

/// What the process exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every claim holds.
    Holds = 0,
    /// At least one claim is violated.
    Violated = 1,
    /// Usage or bad input: a malformed contract, an unknown key, a missing file.
    Usage = 2,
    /// The environment is not fit: no Docker, an image missing, the canary did not bite.
    Environment = 3,
    /// At least one claim could not be determined, and none is violated.
    Undetermined = 4,
    /// A certificate is not valid.
    Certificate = 5,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Of several reasons the one that is reported: 2, 3, 1, 4, then 5 and 0.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        const ORDER: [Exit; 6] = [
            Exit::Usage,
            Exit::Environment,
            Exit::Violated,
            Exit::Undetermined,
            Exit::Certificate,
            Exit::Holds,
        ];
        let rank = |exit| ORDER.iter().position(|candidate| *candidate == exit);
        if rank(self) <= rank(other) { self } else { other }
    }
}

impl From<&Verdict> for Exit {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Holds { .. } | Verdict::Recorded { .. } => Self::Holds,
            Verdict::Violated { .. } => Self::Violated,
            Verdict::Undetermined { .. } => Self::Undetermined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Exit::Violated, Exit::Undetermined, Exit::Violated)]
    #[case(Exit::Violated, Exit::Environment, Exit::Environment)]
    #[case(Exit::Environment, Exit::Usage, Exit::Usage)]
    #[case(Exit::Holds, Exit::Undetermined, Exit::Undetermined)]
    fn the_graver_reason_wins(#[case] one: Exit, #[case] other: Exit, #[case] wins: Exit) {
        assert_eq!(one.and(other), wins);
        assert_eq!(other.and(one), wins);
    }

    #[rstest]
    #[case(Exit::Holds, 0)]
    #[case(Exit::Violated, 1)]
    #[case(Exit::Usage, 2)]
    #[case(Exit::Environment, 3)]
    #[case(Exit::Undetermined, 4)]
    #[case(Exit::Certificate, 5)]
    fn codes_are_as_designed(#[case] exit: Exit, #[case] code: u8) {
        assert_eq!(exit.code(), code);
    }
}
