//! What an observation means: one file for each kind of question, all pure.

mod attempt;
mod dns;
mod judge;
mod load;
mod reach;
mod reading;
mod secret;
mod telemetry;

pub use judge::judge;
pub use reading::{fault as source_fault, too_many};
