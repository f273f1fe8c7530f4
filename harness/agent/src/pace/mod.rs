//! Probes at a steady rate: what the exposure meter is made of.
//!
//! Each target has a schedule. A probe is put when it is due, whatever became of those before
//! it. One that could not be put in its time is left out, and its number with it, so that who
//! reads the samples sees the hole.

mod book;
mod desk;
mod fresh;
mod plan;
mod run;
mod steady;

pub use book::Samples;
pub use desk::{Paces, answer};
pub use plan::{PaceError, check, parse_target};
pub use run::run;
