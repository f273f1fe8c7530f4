//! UDP: one datagram is sent, once, so that the receipt tells a lost request from a lost reply.

use std::io::{self, Read};

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::timeout_at;

use super::probe::{Attempt, Finding};
use crate::outcome::{Ending, Stage};
use crate::protocol::Outcome;
use crate::{connect, exchange};

/// Larger than any answer that is expected; longer ones are cut.
const DATAGRAM_LENGTH_MAX: usize = 4096;

/// Sends the nonce and wants it back.
pub(super) async fn nonce(attempt: &Attempt<'_>) -> Finding {
    let mut talk = match Talk::begin(attempt, exchange::request(attempt.nonce).as_bytes()) {
        Ok(talk) => talk,
        Err(finding) => return finding,
    };
    let mut strays = 0_u32;
    loop {
        let datagram = match talk.hear(attempt).await {
            Ok(datagram) => datagram,
            Err(mut ending) => {
                if strays > 0 {
                    ending.detail += &format!(", save {strays} late answers to earlier probes");
                }
                return Finding::ended(talk.local_port, ending);
            }
        };
        match exchange::parse_answer(datagram) {
            Some((nonce, pod)) if nonce == attempt.nonce => {
                return Finding {
                    local_port: talk.local_port,
                    echoed: true,
                    answered_by: pod,
                    ending: None,
                };
            }
            // The source port was another probe's before: this answer is that probe's.
            Some(_) => strays += 1,
            None => {
                let detail = "a datagram came back, no nonce echo: answered something else";
                return Finding::complete(talk.local_port, detail);
            }
        }
    }
}

/// A datagram that was sent, and the wait for what comes back.
pub(super) struct Talk {
    socket: UdpSocket,
    buffer: Vec<u8>,
    pub local_port: Option<u16>,
}

impl Talk {
    /// Sends one datagram from a new socket.
    pub fn begin(attempt: &Attempt<'_>, datagram: &[u8]) -> Result<Self, Finding> {
        let socket =
            connect::udp(attempt.address).map_err(|ending| Finding::ended(None, ending))?;
        let local_port = socket.local_addr().ok().map(|local| local.port());
        // Straight to the kernel: a new socket has room, and to wait for the runtime to say so
        // would only blur the measurement.
        match SockRef::from(&socket).send(datagram) {
            Ok(_) => Ok(Self { socket, buffer: vec![0; DATAGRAM_LENGTH_MAX], local_port }),
            Err(error) => {
                let ending = Ending::before_contact(Stage::Send, &error);
                Err(Finding::ended(local_port, ending))
            }
        }
    }

    /// The next datagram.
    pub async fn hear(&mut self, attempt: &Attempt<'_>) -> Result<&[u8], Ending> {
        let waited = timeout_at(attempt.deadline, self.socket.recv(&mut self.buffer)).await;
        let received = match waited {
            Ok(received) => received,
            // It may lie in the buffer already, where this process was not given the CPU.
            Err(_) => (&*SockRef::from(&self.socket)).read(&mut self.buffer),
        };
        match received {
            Ok(length) => Ok(&self.buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(Ending::new(Outcome::Dropped, "nothing came back"))
            }
            Err(error) => Err(Ending::before_contact(Stage::Wait, &error)),
        }
    }
}
