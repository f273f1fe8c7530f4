//! The step summary: the run's Markdown, with the room that GitHub gives a step.

use partywall_core::event::Event;

use crate::markdown::{SUMMARY, compose};

/// GitHub refuses a summary of 1 MiB and more as a whole, so ours ends before that.
pub const SUMMARY_BYTES_MAX: usize = SUMMARY.bytes;

/// The summary in Markdown. Whole sections are left out at the end where it would grow too
/// large, and it says so.
pub fn summary(events: &[Event]) -> String {
    compose(&[events], &SUMMARY)
}
