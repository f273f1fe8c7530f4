//! The question that an attempt puts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hostile::Hostile;
use crate::contract::Tenant;
use crate::probe::{ReachProbe, Target};
use crate::verdict::ProofLevel;

/// One hostile object, tried with every identity of a tenant's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptProbe {
    /// Whose author commits it.
    pub tenant: Tenant,
    /// What is committed.
    pub hostile: Hostile,
    /// Its name, which no object of a layout has.
    pub name: String,
    /// What stands for the placeholders of its template.
    pub setting: BTreeMap<String, String>,
    /// Probes that are answered once the object has begun to act.
    pub markers: Vec<ReachProbe>,
    /// What is asked once it stands.
    pub reaches: Vec<AttemptReach>,
}

/// One reach probe that a hostile object was made for, with its controls. An end that is named as
/// the object is, is made by it: backends put its real name and address there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReach {
    /// The probe.
    pub probe: ReachProbe,
    /// What must be seen.
    pub want: Want,
    /// Where the object sends the packet, if that is not the target as it is addressed.
    pub leads_to: Option<Target>,
    /// The weakest proof that the contract accepts.
    pub proof: ProofLevel,
    /// The same client to what it may reach; one success is enough.
    pub client_controls: Vec<ReachProbe>,
    /// Others, which may do so, to the same target; one success is enough.
    pub target_controls: Vec<ReachProbe>,
}

/// What must be seen once the object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// As closed as before.
    Denied,
    /// The server that was meant still answers, and no other.
    Unmoved,
}
