//! The run in GitHub's Markdown: a comment on a pull request, and the same as a step summary.

mod run;
mod text;

pub use run::{COMMENT_BYTES_MAX, render, render_all};
pub(crate) use run::{SUMMARY, compose, join, place, short};
pub(crate) use text::{code, details, escape, row};
