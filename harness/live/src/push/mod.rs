//! A layout into the session's Git server: a scratch commit of its working tree, with the
//! secrets encrypted to the session's own keys and the Git addresses turned to the local server.
//! Every other byte, and every line number, stays as it is in the working tree.

mod commit;
mod error;
mod keys;
mod layout;
mod rewrite;
mod secrets;
mod tree;

pub use error::PushError;
pub use keys::{KeyError, apply_key_secrets};
pub use layout::{PushOptions, Pushed, PushedRepository, layout_digest, push_layout};
pub use secrets::{SecretExpectation, hash_leaves};

pub(crate) use commit::git;
pub(crate) use keys::{apply_secret, ensure_keys, key_secrets};
pub(crate) use layout::{push_scratch_branch, remove_scratch_branch};
pub(crate) use secrets::sha256;
