//! The offline NetworkPolicy evaluator against a real network plugin: generated policies over
//! pods of our own, every square of them probed and compared with what the evaluator says.
//!
//! ```text
//! ground (namespaces, pods) ─► rounds: policies ─► sentinel ─► probes, receipts ─► Evidence
//! Evidence + evaluator ─► Comparison ─► faults
//! ```
//!
//! Evidence is kept whole, so that a broken evaluator can be held against it too: a comparison
//! that finds nothing there would prove nothing anywhere.

mod cases;
mod comparison;
mod error;
mod evidence;
mod gather;
mod ground;
mod probe;
mod sentinel;

pub use cases::Case;
pub use comparison::{Comparison, Disagreement};
pub use error::ProvingError;
pub use evidence::{Evidence, Ground, Late, Round, Seen, Square};
pub use gather::{ProvingPlan, gather};
