//! Source ports of UDP probes, given out by the clock.
//!
//! UDP has no beginning: a node that has let a packet pass remembers its two ends for a while, and
//! lets whatever comes between them pass as a part of the same flow, also where a policy has
//! closed the way meanwhile. A probe that happened to go out from a port of such a flow would
//! show a leak that is none, and no retry may be trusted to say so. So every port has its moment:
//! no process of a pod uses it towards the same target again until nodes have surely forgotten it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::exchange;

/// What Linux gives out by itself.
const FIRST: u16 = 32_768;
const PORTS: u64 = 32_767;
/// The moment of one port; all of them together take 200 s. Probes towards one target that follow
/// each other faster than this run ahead of the clock, which a short burst may.
const MOMENT_US: u64 = 6_100;
/// Targets whose last turns are kept: more than an agent is ever asked about in a run.
const TARGETS_MAX: usize = 20_000;

/// The last turn of each target.
static TURNS: LazyLock<Mutex<HashMap<SocketAddr, u64>>> = LazyLock::new(Mutex::default);

/// A port for the next datagram to this target.
pub(crate) fn next(target: SocketAddr) -> u16 {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    if turns.len() >= TARGETS_MAX {
        turns.clear();
    }
    let turn = turn_after(turns.get(&target).copied(), exchange::now_us());
    turns.insert(target, turn);
    port_of(turn)
}

/// The turn of this instant, or the one after the last.
fn turn_after(last: Option<u64>, now_us: u64) -> u64 {
    let now = now_us / MOMENT_US;
    last.map_or(now, |last| now.max(last + 1))
}

fn port_of(turn: u64) -> u16 {
    FIRST + u16::try_from(turn % PORTS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// How long Linux remembers a flow that was answered.
    const REMEMBERED_US: u64 = 120_000_000;

    #[test]
    fn no_process_is_given_a_port_that_a_node_remembers() {
        for start in [0, 1_234_567, 199_999_999] {
            let first = port_of(turn_after(None, start));
            for after in (MOMENT_US..REMEMBERED_US + 60_000_000).step_by(1_000_003) {
                assert_ne!(port_of(turn_after(None, start + after)), first, "{after}");
            }
        }
        assert!(u64::from(FIRST) + PORTS <= u64::from(u16::MAX) + 1);
    }

    #[test]
    fn a_meter_s_rate_does_not_run_ahead_of_the_clock() {
        let mut last = None;
        for now_us in (0..20_000_000).step_by(20_000) {
            last = Some(turn_after(last, now_us));
            assert_eq!(last, Some(now_us / MOMENT_US));
        }
    }

    #[test]
    fn a_target_is_not_asked_twice_from_one_port_in_a_burst() {
        let target = SocketAddr::from(([192, 0, 2, 1], 53));
        let ports: HashSet<u16> = (0..500).map(|_| next(target)).collect();
        assert_eq!(ports.len(), 500);
        assert!(ports.iter().all(|port| *port >= FIRST));
    }
}
