//! The agent against real sockets of this machine's loopback. No other network is needed.

mod dns;
mod fence;
mod otlp;
mod reach;
mod stream;
mod support;
