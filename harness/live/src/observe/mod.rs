//! Answering probes on a real API server: one file for each kind of probe.
//!
//! Nothing here judges. Every probe comes back as an [`Observation`], or as the reason why it
//! could not be put, and `partywall_core::check` says what that means.
//!
//! [`Observation`]: partywall_core::observation::Observation

mod access;
mod cluster;
mod deliver;
pub(crate) mod harness_pods;
mod inventory;
mod reach;
mod secret;
mod store;
pub(crate) mod streams;
mod twin;

pub use cluster::LiveCluster;
