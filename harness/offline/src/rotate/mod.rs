//! Rotating the age key of a tenant in the files of a layout.
//!
//! ```text
//! layout + contract ─► Rotation (files, rules, contract, key Secret) ─► step ─► new texts ─► verify
//! ```
//!
//! Sealed text goes in and comes out: no value is written anywhere, and no file is written here.

mod decryption;
mod error;
mod keys;
mod model;
mod step;
mod tokens;
mod verify;

pub use decryption::without_decryption;
pub use error::RotateError;
pub use keys::{RotationKeys, write_new_key};
pub use model::{FileSealed, Rotation};
pub use step::{Step, step};
pub use verify::{Finding, verify};

#[cfg(test)]
mod tests;
