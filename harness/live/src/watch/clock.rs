//! The one clock: that of the machine, which the cluster's nodes share.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the Unix epoch, as agents tell them.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
