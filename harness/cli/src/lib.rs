//! The command line: parse, call, exit. What it prints goes through `print`, what it exits
//! with through [`partywall_core::Exit`].
//!
//! The library part exists for the conformance trials (`scenarios/tests/conformance.rs`),
//! which run the same code under a test runner.

mod agreement;
mod args;
mod bundle;
mod commands;
mod failure;
mod leaks;
mod machine;
mod mutation;
mod offline;
mod paths;
mod print;
mod progress;
mod project;
mod reports;
mod session_deploy;
pub mod trials;
mod watch;

pub use commands::{enforcement_lost, run};
