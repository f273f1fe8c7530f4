//! The `kind` backend: the one that may create and delete clusters.

mod cluster;
mod cni;
mod doctor;
mod down;
mod error;
mod family;
mod flux;
mod git_server;
mod orphan;
mod ownership;
mod provision;
mod rollout;
mod up;
mod world;

pub use doctor::{Finding, doctor};
pub use down::{Removed, down};
pub use error::{DownError, ErrorKind, UpError};
pub(crate) use git_server::files as git_files;
pub(crate) use ownership::nodes_of;
pub use provision::{Kind, KindError};
pub use up::{Up, up};
pub(crate) use world::lent_addresses;

pub(crate) use flux::NAMESPACE as FLUX_NAMESPACE;
