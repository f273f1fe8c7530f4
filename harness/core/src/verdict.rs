//! What an observation means for a claim.

use serde::{Deserialize, Serialize};

/// How strong the evidence for a deny is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofLevel {
    /// Computed from the files by a model of Flux, the policies and the collector. No packet was
    /// sent; no contract can ask for it.
    Computed,
    /// Controls alone: the client works, the target answers others. Holds only where the
    /// contract says `proof: control`.
    Control,
    /// Controls, and the server's own record shows that the nonce never arrived.
    Receipt,
}

/// The judgement of one cell, or of a trial (the gravest of its cells).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// The claim is proven.
    Holds {
        /// How strongly; `None` where the question has no levels.
        proof: Option<ProofLevel>,
    },
    /// The claim is disproven.
    Violated {
        /// One line: what was expected and what was seen.
        reason: String,
    },
    /// Neither: a control failed, evidence is missing. Never green.
    Undetermined {
        /// One line: which evidence is missing.
        reason: String,
    },
    /// Implementation-defined behaviour: shown, never judged.
    Recorded {
        /// What was seen.
        seen: String,
    },
}

impl Verdict {
    /// A claim proven without proof levels.
    pub const fn holds() -> Self {
        Self::Holds { proof: None }
    }

    /// A claim disproven.
    pub fn violated(reason: impl Into<String>) -> Self {
        Self::Violated { reason: reason.into() }
    }

    /// Evidence is missing.
    pub fn undetermined(reason: impl Into<String>) -> Self {
        Self::Undetermined { reason: reason.into() }
    }

    /// `holds`, `violated`, `undetermined` or `recorded`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Holds { .. } => "holds",
            Self::Violated { .. } => "violated",
            Self::Undetermined { .. } => "undetermined",
            Self::Recorded { .. } => "recorded",
        }
    }

    /// The reason, empty where the claim holds.
    pub fn reason(&self) -> &str {
        match self {
            Self::Violated { reason } | Self::Undetermined { reason } => reason,
            Self::Recorded { seen } => seen,
            Self::Holds { .. } => "",
        }
    }

    const fn gravity(&self) -> u8 {
        match self {
            Self::Recorded { .. } => 0,
            Self::Holds { .. } => 1,
            Self::Undetermined { .. } => 2,
            Self::Violated { .. } => 3,
        }
    }

    /// The gravest of many; no verdict at all is undetermined, because a trial that judged
    /// nothing has proven nothing.
    pub fn gravest<'a>(verdicts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut gravest: Option<&Self> = None;
        for verdict in verdicts {
            if gravest.is_none_or(|so_far| verdict.gravity() > so_far.gravity()) {
                gravest = Some(verdict);
            }
        }
        gravest.cloned().unwrap_or_else(|| Self::undetermined("no cell was judged"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_judged_is_undetermined() {
        assert_eq!(Verdict::gravest([]).word(), "undetermined");
    }

    #[test]
    fn one_violation_outweighs_everything() {
        let verdicts = [
            Verdict::holds(),
            Verdict::undetermined("x"),
            Verdict::violated("leak"),
            Verdict::holds(),
        ];
        assert_eq!(Verdict::gravest(&verdicts).word(), "violated");
    }
}
