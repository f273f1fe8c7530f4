//! What a server is started with, and why it may not start.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::place::Place;
use crate::protocol::Transport;

/// What a server is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Ports that the pod's objects declare. Zero lets the kernel choose, for tests.
    pub listen: Vec<u16>,
    /// Ports that nothing declares and nobody may reach.
    pub decoy: Vec<u16>,
    /// Addresses to listen on; every one of the pod if empty. A pod on the host network listens
    /// on what was lent to it and leaves the node's own addresses alone.
    pub addresses: Vec<IpAddr>,
    /// The name of the control socket.
    pub control: String,
    /// Who answers: `namespace/name`.
    pub pod: String,
    /// The environment of this process.
    pub environment: BTreeMap<String, String>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No port was given: such a server would prove nothing.
    #[error(
        "no port to listen on: give --listen or --decoy (or PARTYWALL_LISTEN, PARTYWALL_DECOY)"
    )]
    NoPorts,
    /// A port was given twice.
    #[error("port {0} was given twice")]
    TwicePort(u16),
    /// A port could not be had.
    #[error("failed to listen on {port}/{transport:?}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// TCP, UDP or SCTP.
        transport: Transport,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The control socket could not be had.
    #[error(
        "failed to listen on the control socket @{name}: {source} (hint: pods on the host \
         network share it; give each its own with --control or PARTYWALL_CONTROL)"
    )]
    Control {
        /// The control socket's name.
        name: String,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl Config {
    /// Every port at every address, or why the list is wrong.
    pub(super) fn places(&self) -> Result<Vec<Place>, ServeError> {
        let ports = self.ports()?;
        let mut addresses: Vec<Option<IpAddr>> = self.addresses.iter().copied().map(Some).collect();
        if addresses.is_empty() {
            addresses.push(None);
        }
        let at = |address| {
            let place =
                move |(port, decoy): &(u16, bool)| Place { address, port: *port, decoy: *decoy };
            ports.iter().map(place).collect::<Vec<_>>()
        };
        Ok(addresses.into_iter().flat_map(at).collect())
    }

    /// Every port with whether it is a decoy, or why the list is wrong.
    fn ports(&self) -> Result<Vec<(u16, bool)>, ServeError> {
        let listen = self.listen.iter().map(|port| (*port, false));
        let decoy = self.decoy.iter().map(|port| (*port, true));
        let ports: Vec<_> = listen.chain(decoy).collect();
        if ports.is_empty() {
            return Err(ServeError::NoPorts);
        }
        for (index, (port, _)) in ports.iter().enumerate() {
            let twice = ports[..index].iter().any(|(earlier, _)| earlier == port);
            if twice && *port != 0 {
                return Err(ServeError::TwicePort(*port));
            }
        }
        Ok(ports)
    }
}
