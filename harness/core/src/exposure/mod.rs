//! The exposure meter, as far as it is pure: which edges to probe, what their probes say of time,
//! and what that means.
//!
//! ```text
//! contract + inventory ─► edges ─► (the meter) ─► probes ─► intervals ─► EdgeExposure ─► judge
//! ```

mod edges;
mod intervals;
mod judge;
mod kept;
mod versions;

pub use edges::{Edge, edges, edges_from, edges_to};
pub use intervals::{EdgeRecord, Told, exposure};
pub use judge::{Expectation, Finding, Judgement, Window, judge, windows};
pub use kept::{Keeping, gap_us, judge_kept, kept, kept_and_watched};
pub use versions::{
    Held, Lane, LaneVersions, Place, Turned, Unwatched, Version, lanes, pods_lane, release_lane,
};

#[cfg(test)]
mod tests;
