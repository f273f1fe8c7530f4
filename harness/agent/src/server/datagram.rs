//! A UDP port.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Protocol, Type};
use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::config::ServeError;
use super::place::Place;
use super::shared::Shared;
use crate::protocol::Transport;
use crate::{dns, exchange};

/// A whole matrix may arrive at once.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
const PAUSE: Duration = Duration::from_millis(10);

/// A UDP port that is listened on.
pub(super) struct Datagrams {
    pub port: u16,
    pub decoy: bool,
    socket: UdpSocket,
    /// The same socket without the runtime's memory of its readiness.
    direct: StdSocket,
}

impl Datagrams {
    /// Listens on a port.
    pub fn open(place: Place) -> Result<Self, ServeError> {
        let Place { port, decoy, .. } = place;
        let failed = |source| ServeError::Listen { port, transport: Transport::Udp, source };
        let socket = place.bind(Type::DGRAM, Protocol::UDP).map_err(failed)?;
        // The kernel grants what its own limit allows; less is no reason not to start.
        drop(socket.set_recv_buffer_size(RECEIVE_BUFFER));
        let direct = StdSocket::from(socket);
        let socket = direct.try_clone().and_then(UdpSocket::from_std).map_err(failed)?;
        Ok(Self { port, decoy, socket, direct })
    }

    /// Answers whatever comes.
    pub async fn run(&self, shared: &Arc<Shared>) {
        let mut buffer = [0; exchange::LINE_LENGTH_MAX];
        loop {
            match self.socket.recv_from(&mut buffer).await {
                Ok((length, peer)) => self.take(shared, &buffer[..length], peer),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Answers whatever waits, asked of the kernel itself.
    pub fn take_waiting(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let mut buffer = [0; exchange::LINE_LENGTH_MAX];
        loop {
            match self.direct.recv_from(&mut buffer) {
                Ok((length, peer)) => self.take(shared, &buffer[..length], peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An ICMP error for an answer that was sent earlier.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The receipt first, then the answer. What is not of our exchange gets no answer.
    fn take(&self, shared: &Arc<Shared>, datagram: &[u8], peer: SocketAddr) {
        let answer = match exchange::nonce_of_request(datagram) {
            Some(nonce) => {
                let answer = exchange::answer(&nonce, &shared.pod).into_bytes();
                Some((nonce, answer))
            }
            None => dns::answer(datagram, &shared.pod),
        };
        let nonce = answer.as_ref().map(|(nonce, _)| nonce.clone());
        if !nonce.as_ref().is_some_and(|nonce| shared.tally_if_paced(nonce)) {
            shared.book().write(Transport::Udp, self.port, peer, nonce);
        }
        if let Some((_, answer)) = answer {
            // An answer that cannot be sent is a lost reply; the receipt tells so.
            drop(self.direct.send_to(&answer, peer));
        }
    }
}
