//! Reach probes: one attempt, one typed outcome.

mod dns;
mod https;
mod probe;
mod tcp;
mod udp;

pub use probe::reach;
