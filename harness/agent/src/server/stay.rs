//! A connection that stays: a request a line, an answer a line, until the peer leaves.

use std::io;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::shared::Shared;
use crate::exchange;

/// Answers the first request, and those that follow it on the connection.
pub(super) async fn serve(
    stream: &TcpStream,
    shared: &Arc<Shared>,
    first: &str,
    mut rest: Vec<u8>,
) -> io::Result<()> {
    say(stream, exchange::answer(first, &shared.pod).as_bytes()).await?;
    loop {
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if let Some(nonce) = exchange::nonce_of_request(&line) {
                shared.tally_if_paced(&nonce);
                say(stream, exchange::answer(&nonce, &shared.pod).as_bytes()).await?;
            }
        }
        if rest.len() > exchange::LINE_LENGTH_MAX || hear(stream, &mut rest).await? == 0 {
            return Ok(());
        }
    }
}

async fn say(stream: &TcpStream, mut words: &[u8]) -> io::Result<()> {
    while !words.is_empty() {
        stream.writable().await?;
        match stream.try_write(words) {
            Ok(length) => words = &words[length..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn hear(stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        stream.ready(Interest::READABLE).await?;
        match stream.try_read_buf(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}
