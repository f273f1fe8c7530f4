//! Defects of a layout: what Flux says of an object, or what a denied flow shows, put on a line.

mod flux;
mod message;
mod reach;

pub use flux::{FluxObject, of_object, of_objects};
pub use message::clean;
pub(crate) use message::{RefusedSource, missing_path, refused_source};
pub use reach::{Violation, of_violation};

/// A JSON-6902 patch names a path that its target does not have.
pub const PATCH_DOES_NOT_APPLY: &str = "patch-does-not-apply";
/// An object refers to a source in another namespace, which lockdown forbids.
pub const CROSS_NAMESPACE_REFERENCE: &str = "cross-namespace-reference";
/// A sealed file could not be opened in the cluster.
pub const DECRYPTION_FAILED: &str = "decryption-failed";
/// The service account that applies a folder may not do so.
pub const MISSING_RIGHTS: &str = "missing-rights";
/// An object is not ready for another reason.
pub const NOT_READY: &str = "not-ready";
/// Telemetry cannot leave the tenant's namespace.
pub const TELEMETRY_CANNOT_LEAVE: &str = "telemetry-cannot-leave";
/// Names resolve by UDP alone; answers too long for it are lost.
pub const DNS_OVER_TCP_DENIED: &str = "dns-over-tcp-denied";
/// Names do not resolve.
pub const DNS_DENIED: &str = "dns-denied";
/// A port that the contract allows is denied.
pub const CONTRACTED_PORT_DENIED: &str = "contracted-port-denied";
