//! A layout with any number of tenants, made from one that exists: every tenant is a copy of one
//! of its own, with a name, an age key pair and made-up secrets of its own.
//!
//! It is a layout like any other, so that a session can take it; benchmarks and stress tests use
//! it. What is sealed never stands on disk in the clear: the plaintext goes to sops by its standard
//! input.

mod error;
mod items;
mod multiply;
mod seal;
mod write;

pub use error::ScaleError;
pub use multiply::{Scale, Scaled};
