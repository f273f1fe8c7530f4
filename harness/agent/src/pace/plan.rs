//! What a pace may be.

use std::time::Duration;

use crate::exchange;
use crate::protocol::{PaceRequest, PaceTarget, Transport};

const PER_SECOND_MAX: u32 = 100;
const TARGETS_MAX: usize = 64;
const TIMEOUT_MAX: Duration = Duration::from_secs(10);
const CHUNK_MIN: Duration = Duration::from_millis(10);

/// A pace that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaceError {
    /// Too slow, too fast, too many.
    #[error(
        "a pace has 1 to {TARGETS_MAX} targets, 1 to {PER_SECOND_MAX} probes a second, a time-out \
         of at most {} s and chunks of at least {} ms",
        TIMEOUT_MAX.as_secs(), CHUNK_MIN.as_millis()
    )]
    Bounds,
    /// A prefix that receipts could not be told by.
    #[error("`{0}` is no prefix: it must be `p` and sixteen hexadecimal digits")]
    Prefix(String),
    /// A target on the command line.
    #[error("`{0}` is no target: ADDRESS:PORT/tcp=PREFIX or ADDRESS:PORT/udp=PREFIX")]
    Target(String),
}

/// Refuses what cannot be.
pub fn check(request: &PaceRequest) -> Result<(), PaceError> {
    let fits = (1..=TARGETS_MAX).contains(&request.targets.len())
        && (1..=PER_SECOND_MAX).contains(&request.per_second)
        && Duration::from_millis(request.timeout_ms) <= TIMEOUT_MAX
        && Duration::from_millis(request.chunk_ms) >= CHUNK_MIN;
    if !fits {
        return Err(PaceError::Bounds);
    }
    let wrong = request.targets.iter().find(|target| !exchange::is_pace_prefix(&target.prefix));
    wrong.map_or(Ok(()), |target| Err(PaceError::Prefix(target.prefix.clone())))
}

/// A target as the command line names it: `10.0.0.1:8000/tcp=p0123456789abcdef`.
pub fn parse_target(text: &str) -> Result<PaceTarget, PaceError> {
    let parsed = || {
        let (place, prefix) = text.split_once('=')?;
        let (place, transport) = place.rsplit_once('/')?;
        let (target, port) = place.rsplit_once(':')?;
        let transport = match transport {
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => return None,
        };
        Some(PaceTarget {
            target: target.trim_matches(['[', ']']).to_owned(),
            port: port.parse().ok()?,
            transport,
            prefix: prefix.to_owned(),
            steady: false,
        })
    };
    parsed().ok_or_else(|| PaceError::Target(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_from_the_command_line() {
        let target = parse_target("10.0.0.1:8000/udp=p0123456789abcdef").unwrap();
        assert_eq!((target.target.as_str(), target.port), ("10.0.0.1", 8000));
        assert_eq!(target.transport, Transport::Udp);
        assert_eq!(parse_target("[fd00::1]:53/tcp=p0").unwrap().target, "fd00::1");
        for wrong in ["10.0.0.1:8000/tcp", "10.0.0.1/tcp=p0", "10.0.0.1:1/sctp=p0", ""] {
            assert_eq!(parse_target(wrong), Err(PaceError::Target(wrong.to_owned())));
        }
    }

    #[test]
    fn a_pace_out_of_bounds_is_refused() {
        let target = parse_target("10.0.0.1:8000/udp=p0123456789abcdef").unwrap();
        let whole = PaceRequest {
            targets: vec![target],
            per_second: 50,
            lasts_ms: 1000,
            timeout_ms: 1000,
            chunk_ms: 500,
        };
        assert_eq!(check(&whole), Ok(()));
        assert_eq!(check(&PaceRequest { per_second: 0, ..whole.clone() }), Err(PaceError::Bounds));
        assert_eq!(check(&PaceRequest { chunk_ms: 0, ..whole.clone() }), Err(PaceError::Bounds));
        let mut wrong = whole;
        wrong.targets[0].prefix = "x".to_owned();
        assert_eq!(check(&wrong), Err(PaceError::Prefix("x".to_owned())));
    }
}
