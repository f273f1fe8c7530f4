//! Connections whose failure is typed. Every attempt is a new socket with a new source port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use crate::outcome::{Ending, Stage};
use crate::protocol::Outcome;
use crate::source_port;

/// `EINPROGRESS`.
const IN_PROGRESS: i32 = 115;
/// Ports that are tried for one datagram.
const BINDS_MAX: usize = 32;

/// A TCP handshake under way.
///
/// Its two halves are apart so that the local port is known whatever becomes of it: a server's
/// accept is matched to a probe by that port.
pub struct Handshake {
    stream: TcpStream,
    /// The source port.
    pub local_port: Option<u16>,
}

impl Handshake {
    /// Makes a TCP socket and sends the first packet.
    pub fn begin(address: SocketAddr) -> Result<Self, Ending> {
        Self::begin_over(address, Protocol::TCP)
    }

    /// The same over another protocol of connections. To the runtime a one-to-one SCTP socket
    /// is what a TCP socket is: it connects, reads and writes by the same calls.
    pub fn begin_over(address: SocketAddr, protocol: Protocol) -> Result<Self, Ending> {
        let create = |error| Ending::before_contact(Stage::Create, &error);
        let socket = new_socket(address.ip(), Type::STREAM, protocol).map_err(create)?;
        if protocol == Protocol::TCP {
            socket.set_tcp_nodelay(true).map_err(create)?;
        }
        match socket.connect(&SockAddr::from(address)) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
            Err(error) => return Err(Ending::before_contact(Stage::Send, &error)),
        }
        let stream = TcpStream::from_std(socket.into()).map_err(create)?;
        let local_port = stream.local_addr().ok().map(|local| local.port());
        Ok(Self { stream, local_port })
    }

    /// Waits for the handshake to end.
    pub async fn finish(self, deadline: Instant) -> Result<TcpStream, Ending> {
        match timeout_at(deadline, established(&self.stream)).await {
            Ok(Ok(())) => Ok(self.stream),
            Ok(Err(error)) => Err(Ending::before_contact(Stage::Wait, &error)),
            // The answer may have come at the last moment, or while this process was not
            // given the CPU. A connection that stands is never reported as dropped.
            Err(_) => match state(&self.stream) {
                Ok(true) => Ok(self.stream),
                Ok(false) => {
                    Err(Ending::new(Outcome::Dropped, "no answer to the connection request"))
                }
                Err(error) => Err(Ending::before_contact(Stage::Wait, &error)),
            },
        }
    }
}

/// Connects in one go, for exchanges that do not need the source port.
pub async fn tcp(address: SocketAddr, deadline: Instant) -> Result<TcpStream, Ending> {
    Handshake::begin(address)?.finish(deadline).await
}

/// A UDP socket that takes datagrams from this address alone. Nothing is sent.
pub fn udp(address: SocketAddr) -> Result<UdpSocket, Ending> {
    let create = |error| Ending::before_contact(Stage::Create, &error);
    let socket = new_socket(address.ip(), Type::DGRAM, Protocol::UDP).map_err(create)?;
    // The same port may be in use towards another target; a connected socket hears its own alone.
    socket.set_reuse_address(true).map_err(create)?;
    bind_somewhere(&socket, address).map_err(create)?;
    socket
        .connect(&SockAddr::from(address))
        .map_err(|error| Ending::before_contact(Stage::Send, &error))?;
    UdpSocket::from_std(socket.into()).map_err(create)
}

/// Binds a UDP socket to the port whose turn it is, or to another one where somebody else has it.
fn bind_somewhere(socket: &Socket, target: SocketAddr) -> io::Result<()> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut last = Ok(());
    for _try in 0..BINDS_MAX {
        last = socket.bind(&SockAddr::from(SocketAddr::new(any, source_port::next(target))));
        match &last {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            _ => break,
        }
    }
    last
}

fn new_socket(ip: IpAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let domain = match ip {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn established(stream: &TcpStream) -> io::Result<()> {
    loop {
        stream.writable().await?;
        if state(stream)? {
            return Ok(());
        }
        // Not connected and no error: the readiness was spurious. Saying so to the runtime
        // makes the next wait a real one.
        let cleared: io::Result<()> =
            stream.try_io(Interest::WRITABLE, || Err(io::ErrorKind::WouldBlock.into()));
        debug_assert!(cleared.is_err());
    }
}

/// Whether the connection stands, asked of the kernel and not of the runtime.
fn state(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
