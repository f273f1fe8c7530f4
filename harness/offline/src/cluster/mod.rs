//! The offline backend: every question answered from rendered files.
//!
//! ```text
//! Rendered ─► standing (pods, services) ─┬─► walls (policies) ─► reach
//!                 surroundings ──────────┘          └──────────► telemetry, secret
//! ```
//!
//! It models what Flux, the network plugin and the collector do; `partywall agree` holds it
//! against a real cluster, square by square.

mod backend;
mod blind;
mod controller_labels;
mod doors;
mod explain;
mod facts;
mod reach;
mod standing;
#[cfg(test)]
mod tests;
mod walls;
mod workload;

pub use backend::OfflineCluster;
pub use explain::{Explained, ExplainedLine, ExplainedSide};
pub(crate) use reach::Ground;
pub(crate) use standing::Standing;
pub use standing::Surroundings;
pub use walls::REFUSED_POLICY;
pub(crate) use walls::{Place, Walls};
