//! What was counted while all tenants sent telemetry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The name of the distribution of how long single markers took, beside every load.
pub const MARKER_VISIBLE: &str = "a marker until its organisation shows it";

/// What became of one tenant's items of one signal, sent in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadCount {
    /// The sender.
    pub tenant: String,
    /// Its own organisation.
    pub org: String,
    /// What was sent, and how: `log load by grpc`.
    pub what: String,
    /// Items that were put on the way.
    pub sent: u64,
    /// Items that the collector took.
    pub accepted: u64,
    /// Items that the tenant's own organisation shows.
    pub found: u64,
    /// Other organisations that show items of the tenant, and how many.
    pub misplaced: BTreeMap<String, u64>,
    /// From the first item to the collector's last answer, in microseconds.
    pub sending_us: u64,
    /// From the first item until all that were taken were seen, in microseconds.
    pub visible_us: Option<u64>,
}
