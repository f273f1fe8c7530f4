//! The run for a terminal: matrices, defects, failures, and what it all comes to.

mod failures;
mod matrix;
mod paint;
mod render;
mod summary;

pub use paint::Colour;
pub use render::{ConsoleOptions, render};
