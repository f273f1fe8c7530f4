//! An accepted connection, from its first bytes to its answer.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::book::Number;
use super::shared::Shared;
use super::{page, stay};
use crate::{dns, exchange};

/// A connection that says nothing for so long is closed. Its receipt stays.
const IDLE: Duration = Duration::from_secs(10);
/// A first line is short; HTTP paths may be longer than a nonce line.
const FIRST_LINE_MAX: usize = 8 * 1024;
/// A DNS message over TCP begins with its length, and queries are shorter than 1024 bytes. No
/// word of ours, of HTTP or of TLS begins with so small a byte.
const DNS_LENGTH_MAX_HIGH: u8 = 3;
const HEALTH_PATH: &str = "/healthz";

/// A connection and what has been read from it.
pub(super) struct Connection {
    stream: TcpStream,
    number: Number,
    heard: Mutex<Heard>,
    /// Wakes the connection's task where the fence has read its first line.
    read_by_fence: Notify,
}

#[derive(Default)]
struct Heard {
    buffer: Vec<u8>,
    first: Option<First>,
}

/// What the first line turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum First {
    Nonce(String),
    /// A nonce, and more of them to come.
    Stay(String),
    Http {
        path: String,
    },
    /// A DNS query in our zone, for a server that answers on a name server's port.
    Lookup {
        nonce: String,
        answer: Vec<u8>,
    },
    /// Closed, or no words of ours.
    Nothing,
}

impl Connection {
    pub fn new(stream: TcpStream, number: Number) -> Self {
        Self { stream, number, heard: Mutex::default(), read_by_fence: Notify::new() }
    }

    /// Waits until the first line is known.
    pub async fn hear_first_line(&self, shared: &Arc<Shared>) {
        let heard = timeout(IDLE, async {
            while !self.is_first_known() {
                tokio::select! {
                    ready = self.stream.readable() => {
                        if ready.is_err() {
                            return;
                        }
                        // Through the runtime, so that it learns when nothing is left.
                        drop(self.stream.try_io(Interest::READABLE, || self.read(shared)));
                    }
                    () = self.read_by_fence.notified() => {}
                }
            }
        });
        drop(heard.await);
    }

    /// Reads what waits in the kernel, for the fence.
    pub fn take_waiting(&self, shared: &Arc<Shared>) {
        drop(self.read(shared));
        self.read_by_fence.notify_one();
    }

    /// Answers the first line and ends the connection.
    pub async fn answer(&self, shared: &Arc<Shared>) {
        let (first, rest) = {
            let mut heard = self.heard();
            (heard.first.take(), std::mem::take(&mut heard.buffer))
        };
        if let Some(First::Stay(nonce)) = &first {
            drop(stay::serve(&self.stream, shared, nonce, after_first_line(rest)).await);
            return;
        }
        let answer = async {
            match first {
                Some(First::Nonce(nonce)) => {
                    let line = exchange::answer(&nonce, &shared.pod);
                    page::finish(&self.stream, line.as_bytes()).await
                }
                Some(First::Lookup { answer, .. }) => {
                    let length = u16::try_from(answer.len()).unwrap_or_default();
                    let framed = [length.to_be_bytes().as_slice(), answer.as_slice()].concat();
                    page::finish(&self.stream, &framed).await
                }
                Some(First::Http { path }) => {
                    page::serve(&self.stream, rest, &shared.pod, &path).await
                }
                Some(First::Stay(_) | First::Nothing) | None => Ok(()),
            }
        };
        // The peer is not obliged to take its answer.
        drop(timeout(IDLE, answer).await);
    }

    /// Reads until the first line is known or nothing is left, and writes the receipt.
    fn read(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let mut heard = self.heard();
        let socket = SockRef::from(&self.stream);
        let mut chunk = [0; 1024];
        while heard.first.is_none() {
            match (&*socket).read(&mut chunk) {
                Ok(0) => heard.first = Some(First::Nothing),
                Ok(length) => {
                    heard.buffer.extend_from_slice(&chunk[..length]);
                    heard.first = first_line(&heard.buffer, &shared.pod);
                    self.note(shared, heard.first.as_ref());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => heard.first = Some(First::Nothing),
            }
        }
        Ok(())
    }

    fn note(&self, shared: &Arc<Shared>, first: Option<&First>) {
        match first {
            Some(First::Nonce(nonce) | First::Stay(nonce) | First::Lookup { nonce, .. }) => {
                shared.name(self.number, nonce);
            }
            Some(First::Http { path }) if path == HEALTH_PATH => {
                shared.book().take_back(self.number);
            }
            Some(First::Http { path }) => {
                if let Some(nonce) = exchange::nonce_of_path(path) {
                    shared.name(self.number, &nonce);
                }
            }
            Some(First::Nothing) | None => {}
        }
    }

    fn is_first_known(&self) -> bool {
        self.heard().first.is_some()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` while the line is not complete.
fn first_line(buffer: &[u8], pod: &str) -> Option<First> {
    if buffer.first().is_some_and(|first| *first <= DNS_LENGTH_MAX_HIGH) {
        let query = dns::framed(buffer)?;
        let lookup = |(nonce, answer)| First::Lookup { nonce, answer };
        return Some(dns::answer(query, pod).map_or(First::Nothing, lookup));
    }
    let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else {
        return (buffer.len() > FIRST_LINE_MAX).then_some(First::Nothing);
    };
    let line = &buffer[..end];
    if let Some(nonce) = exchange::nonce_of_request(line) {
        return Some(First::Nonce(nonce));
    }
    if let Some(nonce) = exchange::nonce_of_request_to_stay(line) {
        return Some(First::Stay(nonce));
    }
    Some(path_of(line).map_or(First::Nothing, |path| First::Http { path }))
}

/// What came behind the first line.
fn after_first_line(mut buffer: Vec<u8>) -> Vec<u8> {
    let end = buffer.iter().position(|byte| *byte == b'\n').map_or(buffer.len(), |end| end + 1);
    buffer.split_off(end)
}

/// The path of an HTTP/1 request line.
fn path_of(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let mut words = line.split(' ');
    let (_method, path, version) = (words.next()?, words.next()?, words.next()?);
    let is_request = version.starts_with("HTTP/1.") && words.next().is_none();
    is_request.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_is_told_apart() {
        let line = |buffer: &[u8]| first_line(buffer, "tenant/server-0");
        assert_eq!(line(b"PARTYWALL n"), None);
        assert_eq!(line(b"PARTYWALL n1\n"), Some(First::Nonce("n1".into())));
        assert_eq!(line(b"PARTYWALL-STAY n1\n"), Some(First::Stay("n1".into())));
        let http = First::Http { path: "/extract".into() };
        assert_eq!(line(b"GET /extract HTTP/1.1\r\nHost: x"), Some(http));
        assert_eq!(line(b"\0"), None);
        assert_eq!(line(b"\0\x02ab"), Some(First::Nothing));
        assert_eq!(line(b"\x16\x03\x01\n"), Some(First::Nothing));
        assert_eq!(line(&[b'x'; FIRST_LINE_MAX + 1]), Some(First::Nothing));
    }
}
