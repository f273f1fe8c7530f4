//! From scenarios and the contract to trials, and from trials and the inventory to cells.
//!
//! Trials are known without a cluster, so that listing them is pure. Cells need to know which
//! pods stand; they are planned at run time, from the inventory, by the same pure code for
//! every backend.

mod attempt;
mod cell;
mod coverage;
mod dns;
mod doors;
mod family;
mod lack;
mod nodes;
mod outside;
mod reach;
mod targets;
#[cfg(test)]
mod tests;
mod trial;
mod whole;

pub use cell::{Cell, CellSubject, Plan, ReachCell, Unproven};
pub use coverage::{NodeCoverage, node_coverage};
pub use lack::lack;
pub use trial::{Trial, trials};
pub use whole::plan;
