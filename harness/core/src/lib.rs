//! The pure heart of Partywall: what is promised, what is asked, what was seen, and what
//! that means.
//!
//! ```text
//! layout + contract ─► scenarios ─► plan ─► Cluster::observe ─► Observation ─► check ─► Verdict ─► Event
//! ```
//!
//! Nothing here touches a file, a process, the network, the clock or the environment: text
//! comes in as strings, and every backend answers through the [`Cluster`] trait. That keeps
//! the judgement the same offline, on kind and on a cluster that already exists.

pub mod attempt;
pub mod check;
pub mod cluster;
pub mod contract;
pub mod data_source;
pub mod document;
pub mod doors;
pub mod event;
pub mod exit;
pub mod exposure;
mod forge;
pub mod index;
pub mod inventory;
pub mod layout;
pub mod load;
pub mod observation;
pub mod plan;
pub mod port;
pub mod probe;
pub mod scenario;
pub mod source;
pub mod statistics;
pub mod verdict;

pub use cluster::{Capability, Cluster, Deadline, ObserveError, Provision};
pub use contract::Contract;
pub use exit::Exit;
pub use index::Index;
pub use inventory::Inventory;
pub use layout::Layout;
pub use port::{Port, Transport};
pub use scenario::Scenario;
pub use verdict::Verdict;
