//! How many sockets may be open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Probes in flight at most.
const PROBES_MAX: usize = 512;
/// Files that are open for other reasons: the streams, the resolver, the event loop.
const FILES_RESERVED: u64 = 64;
/// A probe may hold its own socket and those of a look-up, A then AAAA.
const FILES_PER_PROBE: u64 = 2;

/// Raises the soft limit of open files to the hard one, and tells how many probes may be in
/// flight under it.
pub fn probes_in_flight() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    probes_under(files)
}

/// `None` is no limit.
fn probes_under(files: Option<u64>) -> usize {
    let Some(files) = files else {
        return PROBES_MAX;
    };
    let probes = files.saturating_sub(FILES_RESERVED) / FILES_PER_PROBE;
    usize::try_from(probes).unwrap_or(PROBES_MAX).clamp(1, PROBES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_means_fewer_probes() {
        assert_eq!(probes_under(None), PROBES_MAX);
        assert_eq!(probes_under(Some(20_000)), PROBES_MAX);
        assert_eq!(probes_under(Some(264)), 100);
        assert_eq!(probes_under(Some(10)), 1);
    }
}
