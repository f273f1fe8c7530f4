//! The in-pod probe of Partywall.
//!
//! One static binary with two halves. `serve` listens on TCP, UDP and SCTP ports, answers, and keeps
//! a receipt of everything that reached it. `ask` runs beside it, commanded over an exec
//! stream, and puts questions to the network: it reaches for targets, sends telemetry markers,
//! makes HTTP requests, and reads the receipts of the pod's own server.
//!
//! ```text
//! harness ══ exec stream (protocol) ══► ask ── probe ──► network ──► serve (another pod)
//!                                        └── control socket ──► serve (own pod): receipts
//! ```
//!
//! [`protocol`] is all that the harness needs and is all that is compiled without the feature
//! `bin`. The agent does not judge: what an outcome means is decided elsewhere.

pub mod protocol;

#[cfg(feature = "bin")]
pub mod ask;
#[cfg(feature = "bin")]
pub mod connect;
#[cfg(feature = "bin")]
pub mod control;
#[cfg(feature = "bin")]
pub mod dns;
#[cfg(feature = "bin")]
pub mod exchange;
#[cfg(feature = "bin")]
pub mod http;
#[cfg(feature = "bin")]
pub mod limits;
#[cfg(feature = "bin")]
pub mod otlp;
#[cfg(feature = "bin")]
pub mod outcome;
#[cfg(feature = "bin")]
pub mod pace;
#[cfg(feature = "bin")]
pub mod pod;
#[cfg(feature = "bin")]
pub mod reach;
#[cfg(feature = "bin")]
pub mod resolve;
#[cfg(feature = "bin")]
pub mod server;
#[cfg(feature = "bin")]
mod source_port;
