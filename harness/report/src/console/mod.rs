//! The run for a terminal: matrices, defects, failures, and what it all comes to.

mod failures;
mod matrix;
mod not_judged;
mod paint;
mod render;
mod summary;

pub use paint::Colour;
pub(crate) use paint::{Tone, tone_of};
pub(crate) use render::clamped;
pub use render::{ConsoleOptions, render};
