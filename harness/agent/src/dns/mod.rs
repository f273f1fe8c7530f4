//! DNS as a carrier of nonces and bytes.
//!
//! The agent is the authority of the zone [`ZONE`]: a query for the text of `<nonce>.<zone>`,
//! whatever labels stand before, leaves a receipt, and the answer carries the nonce. So it is
//! told whether a query for a foreign name leaves a cluster by way of its own name server, and
//! how much can be carried in it.

mod ask;
mod zone;

pub use ask::ask;
pub use zone::{ZONE, answer, framed, nonce_of_answer, query};
