//! A port of connections: TCP, and SCTP where the kernel has it.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Protocol, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::config::ServeError;
use super::place::Place;
use super::shared::Shared;
use crate::protocol::Transport;

const BACKLOG: i32 = 4096;
/// Out of files, mostly: connections end, and then there are files again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The kernel has no such protocol: `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`.
const NOT_SUPPORTED: [i32; 2] = [93, 94];

/// A port that is listened on.
pub(super) struct Door {
    pub port: u16,
    pub transport: Transport,
    pub decoy: bool,
    listener: TcpListener,
    /// The same socket without the runtime's memory of its readiness, for the fence.
    direct: StdListener,
}

impl Door {
    /// Listens for TCP connections.
    pub fn open(place: Place) -> Result<Self, ServeError> {
        Self::open_over(place, Transport::Tcp, Protocol::TCP)
            .map_err(|source| failed(place, Transport::Tcp, source))
    }

    /// Listens for SCTP associations; `None` where the kernel has no SCTP.
    pub fn open_sctp(place: Place) -> Result<Option<Self>, ServeError> {
        match Self::open_over(place, Transport::Sctp, Protocol::SCTP) {
            Ok(door) => Ok(Some(door)),
            Err(error) if error.raw_os_error().is_some_and(|one| NOT_SUPPORTED.contains(&one)) => {
                Ok(None)
            }
            Err(source) => Err(failed(place, Transport::Sctp, source)),
        }
    }

    fn open_over(place: Place, transport: Transport, protocol: Protocol) -> io::Result<Self> {
        let socket = place.bind(Type::STREAM, protocol)?;
        socket.listen(BACKLOG)?;
        let direct = StdListener::from(socket);
        let listener = direct.try_clone().and_then(TcpListener::from_std)?;
        let port = listener.local_addr()?.port();
        Ok(Self { port, transport, decoy: place.decoy, listener, direct })
    }

    /// Admits whoever comes.
    pub async fn run(&self, shared: &Arc<Shared>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => shared.admit(stream, peer, self),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// Admits whoever waits, asked of the kernel itself.
    pub fn accept_waiting(&self, shared: &Arc<Shared>) -> io::Result<()> {
        loop {
            match self.direct.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    shared.admit(TcpStream::from_std(stream)?, peer, self);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The peer went away between handshake and accept. It was never admitted, so
                // that is not told as a receipt; whether it reached us is its own knowledge.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn failed(place: Place, transport: Transport, source: io::Error) -> ServeError {
    ServeError::Listen { port: place.port, transport, source }
}
