//! Attempts: hostile objects that somebody who may change a tenant's folder would commit.
//!
//! The table of them is here, and what each is made for. Backends try them with every identity
//! that the tenant's folder gives it; `check` judges what became of them.

mod account;
mod hostile;
mod object;
mod probe;

pub use account::{DEFAULT_ACCOUNT, Identity, unknown_folder};
pub use hostile::{Effect, Hostile};
pub use object::{ATTEMPT, ATTEMPT_LABEL, BadObject, NO_CHART, Objects, innocent, objects};
pub use probe::{AttemptProbe, AttemptReach, Want};
