//! Telemetry of all tenants at once: whether a batch, a queue or a limit loses or mixes what a
//! single marker passes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::contract::Tenant;
use crate::forge::Over;
use crate::observation::Outcome;
use crate::probe::signal_word;
use partywall_agent::protocol::Signal;

/// Items that all senders of a run put on the way together at most: what a cluster of two cores
/// takes in a few seconds, however many tenants there are.
pub const ITEMS_MAX: u32 = 60_000;

/// Items that go in one request, about what an exporter puts together.
pub const REQUEST_ITEMS: u32 = 100;

/// Many items of one tenant, sent while every other tenant of the contract does the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadProbe {
    /// The sender.
    pub tenant: Tenant,
    /// Logs or metrics.
    pub signal: Signal,
    /// How they are carried; as the sender's environment says where it is not asked for.
    pub over: Option<Over>,
    /// How many.
    pub items: u32,
}

impl LoadProbe {
    /// What is sent, for people: `log load by grpc`.
    pub fn words(&self) -> String {
        let signal = signal_word(self.signal);
        let over = self.over.map(|over| format!(" by {}", over.word())).unwrap_or_default();
        format!("{signal} load{over}")
    }
}

/// What one organisation shows of a sender's items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadSight {
    /// Items of the sender.
    pub found: u64,
    /// The fence, written into this organisation after the last item through the same pipeline.
    pub fence: bool,
}

/// The answer to a load probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadObservation {
    /// The pod that sent, `namespace/name`.
    pub sender: String,
    /// Items that were put on the way and answered for, with yes or no, within the time.
    pub sent: u64,
    /// Items that the collector took, after the sender's retries.
    pub accepted: u64,
    /// How the connection to the collector went, where items were not taken.
    pub outcome: Outcome,
    /// Why items were not taken or could not be counted, in one line for a person.
    pub detail: String,
    /// Per organisation.
    pub orgs: BTreeMap<String, LoadSight>,
    /// From the first item to the collector's last answer, in microseconds.
    pub sending_us: u64,
    /// How long all tenants were sending at the same time, in microseconds: 0 where that is less
    /// than half of the time of the quickest. Nothing where the answer follows from the files.
    pub together_us: Option<u64>,
    /// From the first item until the tenant's own organisation showed all that were taken, in
    /// microseconds; at most, for the store is asked now and then.
    pub visible_us: Option<u64>,
}

impl LoadObservation {
    /// Items in the organisation of this name.
    pub fn found_in(&self, org: &str) -> u64 {
        self.orgs.get(org).map_or(0, |sight| sight.found)
    }

    /// Organisations beside a tenant's own that show items of it, and how many.
    pub fn misplaced(&self, own: &str) -> BTreeMap<String, u64> {
        let others = self.orgs.iter().filter(|(org, sight)| org.as_str() != own && sight.found > 0);
        others.map(|(org, sight)| (org.clone(), sight.found)).collect()
    }
}

/// How many items each sender of this many may put on the way.
pub(crate) fn items_each(asked: u32, senders: usize) -> u32 {
    let senders = u32::try_from(senders).unwrap_or(u32::MAX).max(1);
    asked.min(ITEMS_MAX / senders).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_senders_share_what_a_cluster_takes() {
        assert_eq!(items_each(2500, 12), 2500);
        assert_eq!(items_each(2500, 120), 500);
        assert_eq!(items_each(2500, 1_000_000), 1);
        assert_eq!(items_each(2500, 0), 2500);
    }
}
