//! Ports with their protocol, as the contract writes them: `8000/TCP`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use partywall_agent::protocol::Transport;

/// A port and its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// TCP, UDP or SCTP.
    pub transport: Transport,
}

impl Port {
    /// A TCP port.
    pub const fn tcp(number: u16) -> Self {
        Self { number, transport: Transport::Tcp }
    }

    /// A UDP port.
    pub const fn udp(number: u16) -> Self {
        Self { number, transport: Transport::Udp }
    }

    /// An SCTP port.
    pub const fn sctp(number: u16) -> Self {
        Self { number, transport: Transport::Sctp }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Tcp => "TCP",
            Transport::Udp => "UDP",
            Transport::Sctp => "SCTP",
        };
        write!(formatter, "{}/{transport}", self.number)
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a port: write PORT/TCP, PORT/UDP or PORT/SCTP");
        let (number, transport) = text.split_once('/').ok_or_else(malformed)?;
        let number: u16 = number.parse().map_err(|_| malformed())?;
        match transport {
            _ if number == 0 => Err(malformed()),
            "TCP" => Ok(Self::tcp(number)),
            "UDP" => Ok(Self::udp(number)),
            "SCTP" => Ok(Self::sctp(number)),
            _ => Err(malformed()),
        }
    }
}

impl TryFrom<String> for Port {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Port> for String {
    fn from(port: Port) -> Self {
        port.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("8000/TCP", Port::tcp(8000))]
    #[case("53/UDP", Port::udp(53))]
    #[case("9999/SCTP", Port::sctp(9999))]
    fn reads_ports(#[case] text: &str, #[case] port: Port) {
        assert_eq!(text.parse(), Ok(port));
        assert_eq!(port.to_string(), text);
    }

    #[rstest]
    #[case("8000")]
    #[case("0/TCP")]
    #[case("70000/TCP")]
    #[case("53/udp")]
    #[case("53/DCCP")]
    fn refuses_malformed_ports(#[case] text: &str) {
        assert!(text.parse::<Port>().is_err());
    }
}
