//! What differs between two revisions.

use partywall_core::event::{Blame, Defect, NotJudged};

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Flows that are possible after and were not before.
    pub opened: Vec<FlowChange>,
    /// Flows that were possible before and are not after.
    pub closed: Vec<FlowChange>,
    /// Secrets that are kept in another way.
    pub secrets: Vec<SecretChange>,
    /// Telemetry that arrives elsewhere.
    pub orgs: Vec<OrgChange>,
    /// Defects that are new.
    pub defects_added: Vec<Defect>,
    /// Defects that are gone.
    pub defects_removed: Vec<Defect>,
    /// What could not be judged before or after.
    pub not_judged: Vec<NotJudged>,
}

/// A flow that is opened or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowChange {
    /// `customer-a/open-webui`, or a block of addresses.
    pub from: String,
    /// The same, or an entity of the contract.
    pub to: String,
    /// `8000/TCP`; empty where it is every port.
    pub ports: Vec<String>,
    /// Of an opened flow, whether the contract has nothing against it; of a closed one, whether
    /// the contract promises it.
    pub contracted: bool,
    /// The line that makes the difference, where that is known.
    pub because: Option<Blame>,
}

/// A secret that is kept in another way. It never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretChange {
    /// Whose; `platform` where it is no tenant's.
    pub tenant: String,
    /// The file, or the object that opens files.
    pub subject: String,
    /// How it was kept; `None` where it was not there.
    pub before: Option<String>,
    /// How it is kept; `None` where it is gone.
    pub after: Option<String>,
    /// Whether the contract has it so after the change.
    pub contracted: bool,
    /// The line that makes the difference, where that is known.
    pub because: Option<Blame>,
}

/// Telemetry that arrives elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgChange {
    /// Whose.
    pub tenant: String,
    /// `logs` or `metrics`.
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
