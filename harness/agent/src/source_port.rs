//! Source ports of UDP probes, given out by the clock.
//!
//! UDP has no beginning: a node that has let a packet pass remembers its two ends for a while, and
//! lets whatever comes between them pass as a part of the same flow, also where a policy has
//! closed the way meanwhile. A probe that happened to go out from a port of such a flow would
//! show a leak that is none, and no retry may be trusted to say so. So no port is used towards the
//! same target again until nodes have surely forgotten it: each span of time has ports of its own.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::exchange;

/// What Linux gives out by itself.
const FIRST: u16 = 32_768;
const SPANS: u64 = 20;
const PORTS_OF_A_SPAN: u16 = 1_400;
const SPAN_US: u64 = 10_000_000;
/// Targets whose counts are kept: more than an agent is ever asked about in a run.
const TARGETS_MAX: usize = 20_000;

static GIVEN: LazyLock<Mutex<Given>> = LazyLock::new(Mutex::default);

/// How many ports were given out per target.
#[derive(Default)]
struct Given {
    counts: HashMap<SocketAddr, u16>,
    /// Another process of this pod begins elsewhere.
    begin: RandomState,
}

/// A port for the next datagram to this target.
pub(crate) fn next(target: SocketAddr) -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    if given.counts.len() >= TARGETS_MAX {
        given.counts.clear();
    }
    let begin = given.begin.hash_one(target);
    let begin = u16::try_from(begin % u64::from(PORTS_OF_A_SPAN)).unwrap_or_default();
    let count = given.counts.entry(target).or_insert(begin);
    *count = (*count + 1) % PORTS_OF_A_SPAN;
    port_at(exchange::now_us(), *count)
}

/// The port of this number in the span of this instant.
fn port_at(now_us: u64, number: u16) -> u16 {
    let span = u16::try_from(now_us / SPAN_US % SPANS).unwrap_or_default();
    FIRST + span * PORTS_OF_A_SPAN + number
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// How long Linux remembers a flow that was answered.
    const REMEMBERED_US: u64 = 120_000_000;

    #[test]
    fn no_port_comes_back_while_a_node_remembers_it() {
        for number in [0, 700, PORTS_OF_A_SPAN - 1] {
            for start in [0, 3 * SPAN_US + 1, SPANS * SPAN_US - 1] {
                let first = port_at(start, number);
                let span_end = SPAN_US - start % SPAN_US;
                let later = (span_end..REMEMBERED_US).step_by(1_000_000);
                for after in later {
                    assert_ne!(port_at(start + after, number), first, "{after}");
                }
            }
        }
        assert!(FIRST.checked_add(20 * PORTS_OF_A_SPAN).is_some());
    }

    #[test]
    fn a_target_is_not_asked_twice_from_one_port_within_a_span() {
        let target = SocketAddr::from(([192, 0, 2, 1], 53));
        let ports: HashSet<u16> = (0..500).map(|_| next(target)).collect();
        assert_eq!(ports.len(), 500);
        assert!(ports.iter().all(|port| *port >= FIRST));
    }
}
