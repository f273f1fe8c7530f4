//! What the policies let through and the contract does not list, compared as sets of ports.
//!
//! ```text
//! Matrix ─► pods (who, by sets) ─┐
//! Matrix of one end ─► alone ─────┤
//! rules with addresses ─► outside ┴► ledger (one entry a line) ─► Defect
//! ```
//!
//! Cells ask the ports that a pod declares and its decoys; here stand the ports that nobody
//! declares, SCTP, pairs that no cell is about, and addresses outside of the cluster.

mod alone;
mod findings;
mod ledger;
mod outside;
mod parties;
mod pods;

pub use findings::{UNCONTRACTED_FLOW, findings};
