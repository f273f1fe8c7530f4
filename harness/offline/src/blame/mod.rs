//! The line of the layout that causes a violation.
//!
//! A best effort over the files as they are written, not a policy engine: pods come from charts
//! that are not rendered here, so a policy for some pods is taken to be about all. Where nothing
//! in the files explains what was seen, there is no blame, rather than a guess.

mod load;
mod network;
mod org;
mod pipeline;
mod policy;
mod secret;
mod sources;

pub use load::lost_under_load;
pub use network::{missing_egress, open_wall};
pub use org::org;
pub(crate) use pipeline::fixes_several_orgs;
pub use pipeline::{believed, federation, tenancy};
pub use secret::secret;
pub use sources::{promised, sources};
