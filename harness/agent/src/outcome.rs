//! From the errors of the operating system to typed outcomes.

use std::fmt;
use std::io::{Error, ErrorKind};

use crate::protocol::Outcome;

/// `ENOPROTOOPT`: what Linux makes of ICMP "protocol unreachable".
const ENOPROTOOPT: i32 = 92;
/// `EHOSTDOWN`: what Linux makes of ICMP "host unknown".
const EHOSTDOWN: i32 = 112;
/// `ENONET`: what Linux makes of ICMP "source host isolated".
const ENONET: i32 = 64;

/// How an exchange ended before it was complete.
///
/// The outcome may be [`Outcome::Reached`]: a connection that was made and then broke has
/// reached its target, whatever came after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What happened.
    pub outcome: Outcome,
    /// One line for a person.
    pub detail: String,
}

/// Where in a probe an error came up. The same error number means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Making and binding the socket: nothing has left the pod.
    Create,
    /// The call that sends the first packet returned the error itself.
    Send,
    /// The error came back later, from the network.
    Wait,
}

impl Ending {
    /// An ending with this outcome.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into() }
    }

    /// The probe could not be made.
    pub fn probe_error(detail: impl Into<String>) -> Self {
        Self::new(Outcome::ProbeError, detail)
    }

    /// Types an error that came up before anything answered.
    pub fn before_contact(stage: Stage, error: &Error) -> Self {
        let outcome = match stage {
            Stage::Create => Outcome::ProbeError,
            Stage::Send | Stage::Wait => outcome_of(stage, error),
        };
        Self::new(outcome, describe(outcome, error))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.detail)
    }
}

fn outcome_of(stage: Stage, error: &Error) -> Outcome {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable => Outcome::Refused,
        // EPERM is a packet filter in the pod's own network namespace, EACCES a prohibiting
        // route or, with IPv6, ICMP "administratively prohibited".
        ErrorKind::PermissionDenied => Outcome::Refused,
        // Without a route nothing is sent, so nothing was asked. From the network the same
        // number is ICMP "network unreachable" or "network prohibited", which is an answer.
        ErrorKind::NetworkUnreachable if stage == Stage::Wait => Outcome::Refused,
        ErrorKind::TimedOut => Outcome::Dropped,
        // A reset is typed as "refused" by the kernel while the handshake is under way: seen
        // as a plain reset, the handshake had been completed.
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
            if stage == Stage::Wait =>
        {
            Outcome::Reached
        }
        _ => match error.raw_os_error() {
            Some(ENOPROTOOPT | EHOSTDOWN | ENONET) if stage == Stage::Wait => Outcome::Refused,
            _ => Outcome::ProbeError,
        },
    }
}

fn describe(outcome: Outcome, error: &Error) -> String {
    match (outcome, error.kind()) {
        (Outcome::Reached, _) => format!("connected, then broken off: {error}"),
        (Outcome::Refused, ErrorKind::HostUnreachable) => {
            format!("host unreachable or ICMP administratively prohibited: {error}")
        }
        (Outcome::Refused, ErrorKind::PermissionDenied) => {
            format!("not permitted on the way out: {error}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_the_errors_of_the_network() {
        let cases = [
            (Stage::Wait, 111, Outcome::Refused),     // ECONNREFUSED
            (Stage::Wait, 113, Outcome::Refused),     // EHOSTUNREACH
            (Stage::Wait, 101, Outcome::Refused),     // ENETUNREACH
            (Stage::Send, 101, Outcome::ProbeError),  // no route in the pod
            (Stage::Send, 1, Outcome::Refused),       // EPERM
            (Stage::Wait, 110, Outcome::Dropped),     // ETIMEDOUT
            (Stage::Wait, 104, Outcome::Reached),     // ECONNRESET after the handshake
            (Stage::Wait, 92, Outcome::Refused),      // ENOPROTOOPT
            (Stage::Create, 24, Outcome::ProbeError), // EMFILE
            (Stage::Create, 1, Outcome::ProbeError),  // EPERM by seccomp
            (Stage::Send, 99, Outcome::ProbeError),   // EADDRNOTAVAIL
            (Stage::Send, 11, Outcome::ProbeError),   // EAGAIN: no ports or buffers left
        ];
        for (stage, number, expected) in cases {
            let ending = Ending::before_contact(stage, &Error::from_raw_os_error(number));
            assert_eq!(ending.outcome, expected, "{stage:?} {number} {ending}");
            assert!(!ending.detail.is_empty());
        }
    }
}
