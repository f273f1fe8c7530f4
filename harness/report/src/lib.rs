//! From events to reports: what a run came to, for a terminal, for JUnit, for GitHub, as a page
//! of HTML, and for programs.
//!
//! ```text
//!                    ┌─► console::render
//! events::read ──────┼─► junit::render, json::render, sarif::render
//!    or &[Event]     ├─► markdown::render, github::summary, github::annotations
//!                    ├─► html::render
//!                    └─► account: planned = executed = reported, or no result at all
//!
//! diff::Change ───────────► diff::text, diff::markdown, diff::json
//! explain::Explanation ───► explain::text, explain::json
//! agreement::Agreement ───► agreement::text, agreement::json
//! &[Event] with mutants ──► mutation::text, mutation::markdown, mutation::json
//! ```
//!
//! Every report is a pure function from events to text, so an earlier run can be rendered
//! again. Nothing here judges: verdicts come from `partywall-core`. Texts that came out of a
//! cluster are stripped of control characters before they are shown, because whoever writes a
//! status message must not be able to write to the reader's terminal.
//!
//! A run from files alone (`offline`) never speaks of probes or of traffic: nothing was sent.
//!
//! Adding an event: a variant in `partywall_core::event`, then the compiler names
//! `view.rs`, which decides what all reports know of it.

pub mod agreement;
pub mod console;
pub mod diff;
pub mod events;
pub mod explain;
pub mod exposure;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod mutation;
pub mod sarif;

mod account;
mod error;
mod failures;
mod fold;
mod layers;
mod load;
mod matrix;
mod not_judged;
mod outcome;
mod place;
mod scene;
mod square;
mod text;
mod view;

pub use account::{Account, AccountError, account};
pub use error::ReportError;
