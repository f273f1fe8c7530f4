//! The difference of two revisions.

use partywall_core::event::{Blame, Defect, NotJudged};
use serde::{Deserialize, Serialize};

/// What lies between two revisions of a layout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The revision before, for people.
    pub base: String,
    /// The revision after.
    pub head: String,
    /// Flows that are possible after and were not before.
    pub opened: Vec<Flow>,
    /// Flows that were possible before and are not after.
    pub closed: Vec<Flow>,
    /// Secrets that other keys open, or that are kept in another way.
    pub secrets: Vec<SecretChange>,
    /// Telemetry that arrives elsewhere.
    pub orgs: Vec<OrgChange>,
    /// Defects of the layout after that it did not have before.
    pub defects_added: Vec<Defect>,
    /// Defects that are gone.
    pub defects_removed: Vec<Defect>,
    /// What could not be judged in either revision, so that nothing is known of its change.
    pub not_judged: Vec<NotJudged>,
}

impl Change {
    /// Whether nothing is different in what could be judged.
    pub fn is_empty(&self) -> bool {
        let flows = self.opened.is_empty() && self.closed.is_empty();
        let rest = self.secrets.is_empty() && self.orgs.is_empty();
        flows && rest && self.defects_added.is_empty() && self.defects_removed.is_empty()
    }

    /// Whether it takes the layout away from its contract: opens what the contract does not
    /// allow, closes what it promises, moves a secret or telemetry to where they do not belong,
    /// or adds a defect.
    pub fn breaks_contract(&self) -> bool {
        self.opened.iter().any(|flow| !flow.contracted)
            || self.closed.iter().any(|flow| flow.contracted)
            || self.secrets.iter().any(|secret| !secret.contracted)
            || self.orgs.iter().any(|org| !org.contracted)
            || !self.defects_added.is_empty()
    }
}

/// From one workload to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// `customer-a/open-webui`, or a name without a namespace.
    pub from: String,
    /// `shared-services/gateway`, `0.0.0.0/0`, `apiserver`.
    pub to: String,
    /// `8000/TCP`.
    pub ports: Vec<String>,
    /// Whether the contract allows it.
    pub contracted: bool,
    /// The line that opens or closes it, where that is known.
    pub because: Option<Blame>,
}

/// A tenant's secret that is kept in another way. It never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretChange {
    /// Whose.
    pub tenant: String,
    /// The file, or the Secret.
    pub subject: String,
    /// How it was kept: `opened by age1…`; `None` where it was not there.
    pub before: Option<String>,
    /// How it is kept; `None` where it is gone.
    pub after: Option<String>,
    /// Whether the contract has it so after the change.
    pub contracted: bool,
    /// The line that makes the difference, where that is known.
    pub because: Option<Blame>,
}

/// A tenant's telemetry that arrives elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgChange {
    /// Whose.
    pub tenant: String,
    /// `logs`, `metrics`, `traces`.
    pub signal: String,
    /// The organisation before; `None` where it arrived nowhere.
    pub before: Option<String>,
    /// The organisation after.
    pub after: Option<String>,
    /// Whether the contract has it so after the change.
    pub contracted: bool,
    /// The line that makes the difference, where that is known.
    pub because: Option<Blame>,
}
