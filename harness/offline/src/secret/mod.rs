//! Answers to questions about secrets, from the files: who can open a sealed file, and whether
//! it would arrive opened. With the tenants' keys the files are opened in memory and their MAC is
//! checked; without, the recipients in them decide.

mod answer;
mod carried;
mod explain;
mod key_file;
mod keys;
mod recipients;
mod view;

pub use answer::{Vault, answer};
pub(crate) use carried::{Carried, carried};
pub use explain::explain_secret;
pub use keys::Keys;
pub(crate) use recipients::{SealedTo, sealed_to};
