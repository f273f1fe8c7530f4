//! Files that SOPS sealed: who may open them, what in them is readable, and opening them.
//!
//! YAML with age recipients, as sops 3.13 writes it. Other stores, other key services, key
//! groups and rules over comments are refused by name, never guessed.

mod cipher;
mod error;
mod identity;
mod metadata;
mod open;
mod opened;
mod openings;
mod rotation;
mod rotation_lines;
mod rule;
mod tree;
mod wrap;

pub use error::OpenError;
pub use identity::Identities;
pub use metadata::{Recipient, is_sealed, recipients};
pub(crate) use open::{first_value, mac_place};
pub use open::{flux_opens, open, readable_leaves};
pub use opened::{Opened, plain_hashes};
pub use openings::openings;
pub use rotation::{with_new_data_key, with_recipient, with_value, without_recipient};
pub(crate) use wrap::wrapped_for;
