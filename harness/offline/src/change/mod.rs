//! Changes that people make to a layout, for watching what happens while Flux applies them:
//! policies taken away, widened, renamed; a tenant that leaves.
//!
//! A change is made to the text of the files that the objects come from, and every other line
//! stays as it is written. An object that is written once for several tenants cannot be changed
//! for one of them, and is refused.

mod document;
mod edit;
mod first_packet;
mod policies;
mod tenant;

pub use edit::{Change, ChangeError, Ground};
pub use first_packet::probe_from_first_instruction;
pub use policies::{renamed, widened, without_policies};
pub use tenant::{tenant_kustomizations, without_kustomizations, without_tenant};

#[cfg(test)]
mod tests;
