//! The server: it answers on every port it was given, and keeps a receipt of what reached it.
//!
//! A receipt is written before the answer is sent, so an answer without a receipt cannot be.
//! A question for the receipts is a fence: what the kernel had accepted for the server before
//! the question is in the answer, read or not.

mod book;
mod config;
mod connection;
mod datagram;
mod door;
mod kernel;
mod page;
mod place;
mod serve;
mod shared;
mod stay;
mod tally;
mod wire;

pub use book::Book;
pub use config::{Config, ServeError};
pub use serve::Server;
pub use shared::STARTED;
pub use tally::Tallies;
