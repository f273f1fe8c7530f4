//! A TCP port.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::config::ServeError;
use super::shared::Shared;
use crate::protocol::Transport;

const BACKLOG: i32 = 4096;
/// Out of files, mostly: connections end, and then there are files again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A TCP port that is listened on.
pub(super) struct Door {
    pub port: u16,
    pub decoy: bool,
    listener: TcpListener,
    /// The same socket without the runtime's memory of its readiness, for the fence.
    direct: StdListener,
}

impl Door {
    /// Listens on a port, IPv6 and IPv4 where the pod has both.
    pub fn open(port: u16, decoy: bool) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { port, transport: Transport::Tcp, source };
        let socket = bind_any(port, Type::STREAM, Protocol::TCP).map_err(failed)?;
        socket.listen(BACKLOG).map_err(failed)?;
        let direct = StdListener::from(socket);
        let listener = direct.try_clone().and_then(TcpListener::from_std).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { port, decoy, listener, direct })
    }

    /// Admits whoever comes.
    pub async fn run(&self, shared: &Arc<Shared>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => shared.admit(stream, peer, self.port),
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
                    shared.admit(TcpStream::from_std(stream)?, peer, self.port);
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

/// A socket bound to a port on every address.
pub(super) fn bind_any(port: u16, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let dual = bind(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, port).into(), kind, protocol);
    match dual {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            // A pod without IPv6.
            bind(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, port).into(), kind, protocol)
        }
        bound => bound,
    }
}

fn bind(domain: Domain, address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(domain, kind, Some(protocol))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    if kind == Type::STREAM {
        // A server that is started again must not wait for old connections to fade.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
