//! The in-pod probe.

pub mod protocol;
