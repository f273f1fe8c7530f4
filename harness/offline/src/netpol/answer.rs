//! Yes, no, or unknown with its reason.

use std::fmt;

/// Whether something is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Neither can be said.
    Unknown {
        /// Why not.
        reason: Doubt,
    },
}

impl Answer {
    /// Either is enough: a certain yes wins, then a doubt.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Yes, _) | (Self::Unknown { .. }, Self::No | Self::Unknown { .. }) => self,
            _ => other,
        }
    }

    /// Both are needed: a certain no wins, then a doubt.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::No, _) | (Self::Unknown { .. }, Self::Yes | Self::Unknown { .. }) => self,
            _ => other,
        }
    }
}

impl From<bool> for Answer {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

/// Why neither yes nor no can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A pod that calls itself.
    Hairpin,
    /// A selector selects a pod that has its node's address.
    HostNetworkPeer,
    /// A node is always let through to the pods that run on it, and which they are is not said.
    NodeToItsPods,
    /// The addresses are not known, and the block holds a part of the private ones.
    PrivateAddress {
        /// The block.
        block: String,
    },
    /// The block holds some of the party's addresses, not all.
    OneOfItsAddresses {
        /// The block.
        block: String,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hairpin => {
                write!(formatter, "hairpin: whether a pod reaches itself is implementation-defined")
            }
            Self::HostNetworkPeer => write!(
                formatter,
                "hostNetwork pods have their node's address: whether a selector finds them is \
                 implementation-defined"
            ),
            Self::NodeToItsPods => write!(
                formatter,
                "a node reaches the pods on it whatever the policies: which pods these are, and \
                 by which address, is implementation-defined"
            ),
            Self::PrivateAddress { block } => write!(
                formatter,
                "{block} holds some private addresses, and which address this party gets is not \
                 written anywhere"
            ),
            Self::OneOfItsAddresses { block } => {
                write!(formatter, "{block} holds some of this party's addresses, not all")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const DOUBT: Answer = Answer::Unknown { reason: Doubt::Hairpin };

    #[rstest]
    #[case(Answer::Yes, Answer::No, Answer::Yes, Answer::No)]
    #[case(Answer::Yes, DOUBT, Answer::Yes, DOUBT)]
    #[case(Answer::No, DOUBT, DOUBT, Answer::No)]
    #[case(DOUBT, DOUBT, DOUBT, DOUBT)]
    #[case(Answer::No, Answer::No, Answer::No, Answer::No)]
    #[case(Answer::Yes, Answer::Yes, Answer::Yes, Answer::Yes)]
    fn three_values(
        #[case] one: Answer,
        #[case] other: Answer,
        #[case] or: Answer,
        #[case] and: Answer,
    ) {
        assert_eq!(one.clone().or(other.clone()), or);
        assert_eq!(other.clone().or(one.clone()), or);
        assert_eq!(one.clone().and(other.clone()), and);
        assert_eq!(other.and(one), and);
    }
}
