//! The agent against real sockets of this machine's loopback. No other network is needed.

mod dns;
mod fence;
mod lookup;
mod otlp;
mod pace;
mod reach;
mod sctp;
mod stream;
mod support;
