//! A contract drafted from a layout that has none.
//!
//! ```text
//! Layout + Rendered ─► namespaces ─► tenants, platform ─► endpoints ─► flows (reading) ─┐
//!                         └────────► secrets, telemetry, repositories ──────────────────┴─► text
//! ```
//!
//! A draft says what is, not what was meant: each part carries a comment that says where it was
//! read, for the person who makes a contract of it.

mod compose;
mod endpoints;
mod flows;
mod namespaces;
mod reading;
mod repositories;
mod secrets;
mod telemetry;
mod tenants;
mod text;
mod workloads;

pub use compose::{Draft, draft};

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
