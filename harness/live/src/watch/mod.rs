//! The exposure meter: many probes a second over a few edges while something changes, and the
//! moments at which the parts of the cluster turned.
//!
//! ```text
//! edges ─► pacer (one a client: an exec stream, probes at a steady rate) ─┐
//!      └─► tallier (one a server: what reached it, every half second) ────┼─► record ─► EdgeRecord
//! kube watches ─► moments                                     commit, hand ┘
//! ```
//!
//! It judges nothing. A probe whose fate is not known at both ends is unknown, never closed.

mod clock;
mod follow;
mod hand;
mod kept;
mod kept_versions;
mod meter;
mod moments;
mod newborn;
mod pacer;
mod plugin;
mod record;
mod rotor;
mod site;
mod site_secrets;
mod tallier;

pub use follow::Followed;
pub use hand::HandError;
pub use kept::{SecretMeter, ValueHashes};
pub use meter::{Meter, MeterSettings};
pub use moments::Moments;
pub use newborn::Newborn;
pub use pacer::pace_prefix;
pub use plugin::Plugin;
pub use record::Record;
pub use rotor::{Changed, HeldKeys, Rotor};
pub use site::{Site, SiteError};
pub use site_secrets::FluxSaid;
