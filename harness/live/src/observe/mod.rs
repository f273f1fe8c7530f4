//! Answering probes on a real API server: one file for each kind of probe.
//!
//! Nothing here judges. Every probe comes back as an [`Observation`], or as the reason why it
//! could not be put, and `partywall_core::check` says what that means.
//!
//! [`Observation`]: partywall_core::observation::Observation

mod access;
mod attempt;
mod cluster;
mod deliver;
mod dns;
mod doors;
mod far_twin;
mod fence;
pub(crate) mod harness_pods;
mod inventory;
mod load;
mod node_client;
mod plant;
mod reach;
mod reading;
mod secret;
mod secret_canary;
mod secret_copies;
mod secret_folders;
mod secret_git;
mod secret_places;
mod secret_plant;
mod sight;
mod store;
pub(crate) mod streams;
pub(crate) mod twin;
mod world;

pub use cluster::LiveCluster;
pub use secret_folders::{FoundInFolders, secrets_in_folders};
pub use world::known;
