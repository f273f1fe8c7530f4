//! Everything together.

use partywall_core::event::Defect;

use super::ledger::Ledger;
use super::parties::Parties;
use super::{alone, outside, pods};
use crate::cluster::OfflineCluster;

/// Policies let through what the contract does not list.
pub const UNCONTRACTED_FLOW: &str = "uncontracted-flow";

/// What the policies let through, the contract does not list and no cell asks, and what one wall
/// lets through that only the other stops: one finding for each line that allows it.
pub fn findings(cluster: &OfflineCluster<'_>) -> Vec<Defect> {
    let parties = Parties::new(cluster);
    let mut ledger = Ledger::default();
    pods::add(cluster, &parties, &mut ledger);
    outside::add(cluster, &parties, &mut ledger);
    alone::add(cluster, &parties, &mut ledger);
    ledger.defects()
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
