//! What the files tell of the wiring between Flux's objects: names that lead nowhere, sealed
//! files that nobody opens, walls that come after what they should stand around.

mod decryption;
mod findings;
mod kustomization;
mod order;
mod prune;
mod recipients;
mod reference;
mod reference_list;
mod rule;
#[cfg(test)]
pub(crate) mod samples;
mod selector;
mod service;
mod shared;
mod unbuilt;
mod unclassified;

pub use findings::findings;
pub(crate) use kustomization::Kustomization;
pub(crate) use rule::{RuleFor, rule_for};

/// A generated ConfigMap or Secret has a hash in its name, and who reads it does not.
pub const GENERATED_NAME_NOT_REWRITTEN: &str = "generated-name-not-rewritten";
/// An object of Flux names another that nothing makes.
pub const REFERENCE_NOT_FOUND: &str = "reference-not-found";
/// A sealed file is applied by a Kustomization that does not open it.
pub const DECRYPTION_MISSING: &str = "decryption-missing";
/// A tenant's workload may run before the NetworkPolicy that isolates it.
pub const WORKLOAD_BEFORE_POLICY: &str = "workload-before-policy";
/// A sealed file and its creation rule in `.sops.yaml` name different recipients.
pub const RECIPIENT_NOT_IN_RULE: &str = "recipient-not-in-rule";
/// One key opens sealed files of several tenants.
pub const KEY_SHARED_BETWEEN_TENANTS: &str = "key-shared-between-tenants";
/// One key opens sealed files of the platform and of a tenant, or of every tenant.
pub const PLATFORM_WIDE_KEY: &str = "platform-wide-key";
/// A pattern seals `data` and leaves `stringData` readable, or the other way round.
pub const ENCRYPTED_REGEX_INCOMPLETE: &str = "encrypted-regex-incomplete";
/// A creation rule seals parts of an object that Flux must be able to read.
pub const ENCRYPTED_REGEX_NOT_ANCHORED: &str = "encrypted-regex-not-anchored";
/// A Service of the platform is in no endpoint of the contract.
pub const UNCLASSIFIED_SERVICE: &str = "unclassified-service";
/// What is rendered makes or fills a namespace that is in no tenant and not in the platform.
pub const UNCLASSIFIED_NAMESPACE: &str = "unclassified-namespace";
/// What is taken out of Git, policies among it, stays in the cluster.
pub const PRUNE_OFF: &str = "prune-off";
