//! What a service account may do, and what admission lets it: by the files alone.
//!
//! ```text
//! Roles, ClusterRoles, bindings ─► may(account, verb, resource) ─► applied, or refused by a line
//! Namespace labels, ValidatingAdmissionPolicies ─► admitted?   └─► attempts; accounts that may not apply
//! ```
//!
//! Answers are yes, no, or unknown with a reason: a role that no file has, a webhook, an aggregated
//! role are never guessed.

mod account;
mod admission;
mod applies;
mod attempt;
mod builtin;
mod escalation;
mod expression;
mod identities;
mod pod_security;
mod request;
mod resource;
mod rule;
#[cfg(test)]
mod tests;
mod written;

pub use applies::findings;
pub(crate) use attempt::{Attempts, blame};
pub use written::written;

/// The account of a Kustomization or a HelmRelease may not apply what it is given.
pub const ACCOUNT_MAY_NOT_APPLY: &str = "account-may-not-apply";
