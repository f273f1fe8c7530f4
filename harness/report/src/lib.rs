//! From events to reports: what a run came to, for a terminal, for JUnit, for GitHub and as a
//! page of HTML.
//!
//! ```text
//!                    ┌─► console::render
//! events::read ──────┼─► junit::render
//!    or &[Event]     ├─► github::summary, github::annotations
//!                    ├─► html::render
//!                    └─► account: planned = executed = reported, or no result at all
//! ```
//!
//! Every report is a pure function from events to text, so an earlier run can be rendered
//! again. Nothing here judges: verdicts come from `partywall-core`. Texts that came out of a
//! cluster are stripped of control characters before they are shown, because whoever writes a
//! status message must not be able to write to the reader's terminal.
//!
//! Adding an event: a variant in `partywall_core::event`, then the compiler names
//! `view.rs`, which decides what all reports know of it.

pub mod console;
pub mod events;
pub mod github;
pub mod html;
pub mod junit;

mod account;
mod error;
mod failures;
mod fold;
mod matrix;
mod outcome;
mod square;
mod text;
mod view;

pub use account::{Account, AccountError, account};
pub use error::ReportError;
