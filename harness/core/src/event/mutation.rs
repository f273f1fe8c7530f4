//! What became of a generated mutant.

use serde::{Deserialize, Serialize};

use crate::source::SourceLocation;

/// One generated mutant of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutantResult {
    /// Its name, unique in the run: `policy-removed/customer-a/default-deny-all`.
    pub name: String,
    /// The operator of the catalogue that made it: `policy-removed`.
    pub operator: String,
    /// What was changed, for people: `ingress rule 1 lets everyone in`.
    pub change: String,
    /// Where in the layout.
    pub location: SourceLocation,
    /// What the files say of it.
    pub offline: Fate,
    /// What the cluster says of it.
    pub live: Fate,
}

/// What became of a mutant on one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "kebab-case")]
pub enum Fate {
    /// A scenario, or a defect of the layout, went red for the reason that the operator names.
    Killed {
        /// The scenario or the defect that did: `isolation/other-tenants`, `workload-before-policy`.
        by: String,
        /// The trial, where a scenario did.
        trial: Option<String>,
        /// Its reason.
        reason: String,
        /// Others that went red for a reason that the operator names, so that it is known what
        /// only one of them sees.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<String>,
    },
    /// Nothing went red for that reason.
    Survived {
        /// What was seen instead.
        reason: String,
    },
    /// It cannot be killed: it allows exactly what the layout allows.
    Equivalent {
        /// How that is known.
        reason: String,
    },
    /// It was not put to this backend.
    NotRun {
        /// Why not.
        reason: String,
    },
}

impl Fate {
    /// One word for tables.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Killed { .. } => "killed",
            Self::Survived { .. } => "survived",
            Self::Equivalent { .. } => "equivalent",
            Self::NotRun { .. } => "not run",
        }
    }
}
