//! Where a server listens.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// One port at one address, or at all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub address: Option<IpAddr>,
    pub port: u16,
    pub decoy: bool,
}

impl Place {
    /// A socket bound there.
    pub fn bind(self, kind: Type, protocol: Protocol) -> io::Result<Socket> {
        match self.address {
            Some(address) => bind((address, self.port).into(), kind, protocol),
            None => bind_any(self.port, kind, protocol),
        }
    }
}

/// A socket bound to a port on every address.
fn bind_any(port: u16, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let dual = bind((Ipv6Addr::UNSPECIFIED, port).into(), kind, protocol);
    match dual {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            // A pod without IPv6.
            bind((Ipv4Addr::UNSPECIFIED, port).into(), kind, protocol)
        }
        bound => bound,
    }
}

fn bind(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
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
