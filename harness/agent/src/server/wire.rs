//! Bytes to and from a connection.

use std::io;

use tokio::io::Interest;
use tokio::net::TcpStream;

/// Sends all of it.
pub(super) async fn send(stream: &TcpStream, mut words: &[u8]) -> io::Result<()> {
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

/// Adds what has come to the buffer; nothing where the peer has left.
pub(super) async fn receive(stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        stream.ready(Interest::READABLE).await?;
        match stream.try_read_buf(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}
