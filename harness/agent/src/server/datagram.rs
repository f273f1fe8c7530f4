//! A UDP port.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Protocol, Type};
use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::config::ServeError;
use super::door::bind_any;
use super::shared::Shared;
use crate::exchange;
use crate::protocol::Transport;

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
    pub fn open(port: u16, decoy: bool) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { port, transport: Transport::Udp, source };
        let socket = bind_any(port, Type::DGRAM, Protocol::UDP).map_err(failed)?;
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
        let nonce = exchange::nonce_of_request(datagram);
        shared.book().write(Transport::Udp, self.port, peer, nonce.clone());
        if let Some(nonce) = nonce {
            let answer = exchange::answer(&nonce, &shared.pod);
            // An answer that cannot be sent is a lost reply; the receipt tells so.
            drop(self.direct.send_to(answer.as_bytes(), peer));
        }
    }
}
