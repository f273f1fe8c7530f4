//! From a pushed commit to a cluster that follows it: the trigger, the wait, and what every
//! object says of itself at the end, good or bad.

mod follow;
mod kinds;
mod report;
mod silent;
mod sync;
mod workloads;

pub use follow::{ReconcileError, reconcile};
pub use report::{ObjectStatus, Readiness, ReconcileReport};

pub(crate) use kinds::Flux;
pub(crate) use report::ready_condition;
pub(crate) use sync::request;
