//! Answers to questions about secrets, from the files: who can open a sealed file, and whether
//! it would arrive opened. With the tenants' keys the files are opened in memory and their MAC is
//! checked; without, the recipients in them decide. What a cloud's key service keeps is judged by
//! recipient alone: it is not decrypted here.

mod answer;
mod carried;
mod copies;
mod explain;
mod history;
mod key_file;
mod keys;
mod recipients;
#[cfg(test)]
mod samples;
mod seals;
#[cfg(test)]
mod service_tests;
mod view;

pub use answer::{Vault, answer};
pub(crate) use carried::{Carried, carried};
pub use explain::explain_secret;
pub use history::History;
pub(crate) use key_file::texts as key_texts;
pub use keys::Keys;
pub(crate) use keys::own_recipients;
pub(crate) use recipients::{SealedTo, sealed_to};
