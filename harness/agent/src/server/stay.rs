//! A connection that stays: a request a line, an answer a line, until the peer leaves.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::shared::Shared;
use super::wire::{receive, send};
use crate::exchange;

/// Answers the first request, and those that follow it on the connection.
pub(super) async fn serve(
    stream: &TcpStream,
    shared: &Arc<Shared>,
    first: &str,
    mut rest: Vec<u8>,
) -> io::Result<()> {
    send(stream, exchange::answer(first, &shared.pod).as_bytes()).await?;
    loop {
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if let Some(nonce) = exchange::nonce_of_request(&line) {
                shared.tally_if_paced(&nonce);
                send(stream, exchange::answer(&nonce, &shared.pod).as_bytes()).await?;
            }
        }
        if rest.len() > exchange::LINE_LENGTH_MAX || receive(stream, &mut rest).await? == 0 {
            return Ok(());
        }
    }
}
