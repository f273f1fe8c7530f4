//! The run for GitHub: a step summary in Markdown, and annotations at the lines to blame.

mod annotations;
mod summary;

pub use annotations::{ERRORS_MAX, WARNINGS_MAX, annotations};
pub use summary::{SUMMARY_BYTES_MAX, summary};
