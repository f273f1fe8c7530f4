//! What an observation means: one file for each kind of question, all pure.

mod attempt;
mod dns;
mod judge;
mod reach;
mod secret;
mod telemetry;

pub use judge::judge;
