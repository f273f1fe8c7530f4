//! What a run on a cluster tells of its own speed.

use std::time::Duration;

use partywall_core::cluster::Backend;
use partywall_core::event::{Distribution, LoadCount, MARKER_VISIBLE};
use partywall_core::observation::{Observation, Outcome};
use partywall_core::probe::Probe;
use partywall_core::statistics::percentiles;

/// How many probes a second were asked and accounted for, and how long answers took.
pub(crate) fn measured(
    backend: Backend,
    probes: &[Probe],
    observations: &[Observation],
    asked: Duration,
) -> impl Iterator<Item = Distribution> {
    let under = backend.to_string();
    let rate = observations.len() as f64 / asked.as_secs_f64();
    // Beyond any number of probes a cluster could take in a second.
    let rate = if rate.is_finite() { rate as u64 } else { 0 };
    let of = |name: &str, unit: &str, numbers: &[u64]| {
        let (p50, p99, max) = percentiles(numbers)?;
        let (name, unit, count) = (name.to_string(), unit.to_string(), numbers.len());
        Some(Distribution { name, under: under.clone(), unit, count, p50, p99, max })
    };
    let answers: Vec<u64> = observations.iter().filter_map(answer).collect();
    let rate = of("probes asked, receipts and waiting for denies included", "1/s", &[rate]);
    let answers = of("answer of a target that was reached", "us", &answers);
    let visible: Vec<u64> = probes.iter().zip(observations).filter_map(visible).collect();
    let visible = of(MARKER_VISIBLE, "us", &visible);
    [rate, answers, visible].into_iter().flatten()
}

/// What became of the items of every sender while all tenants sent.
pub(crate) fn counted<'a>(
    probes: &'a [Probe],
    observations: &'a [Observation],
) -> impl Iterator<Item = LoadCount> + 'a {
    probes.iter().zip(observations).filter_map(|pair| match pair {
        (Probe::Load(probe), Observation::Load(seen)) => Some(LoadCount {
            tenant: probe.tenant.name.clone(),
            org: probe.tenant.org.clone(),
            what: probe.words(),
            sent: seen.sent,
            accepted: seen.accepted,
            found: seen.found_in(&probe.tenant.org),
            misplaced: seen.misplaced(&probe.tenant.org),
            sending_us: seen.sending_us,
            visible_us: seen.visible_us,
        }),
        _ => None,
    })
}

/// Of markers that are the tenant's own: what is forged may be nowhere.
fn visible(pair: (&Probe, &Observation)) -> Option<u64> {
    match pair {
        (Probe::Deliver(probe), Observation::Deliver(seen)) if probe.forged.is_none() => {
            seen.visible_us
        }
        _ => None,
    }
}

fn answer(observation: &Observation) -> Option<u64> {
    match observation {
        Observation::Reach(seen) if seen.outcome == Outcome::Reached => Some(seen.elapsed_us),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use partywall_core::observation::{ReachObservation, ReceiptState};

    use super::*;

    fn seen(outcome: Outcome, elapsed_us: u64) -> Observation {
        let detail = String::new();
        let receipt = ReceiptState::Absent;
        let echoed = false;
        Observation::Reach(ReachObservation { outcome, echoed, receipt, elapsed_us, detail })
    }

    #[test]
    fn denies_are_no_answers() {
        let observations = [
            seen(Outcome::Reached, 10),
            seen(Outcome::Reached, 30),
            seen(Outcome::Dropped, 400_000),
        ];
        let found: Vec<Distribution> =
            measured(Backend::Kind, &[], &observations, Duration::from_millis(500)).collect();
        let numbers: Vec<(&str, usize, u64, u64)> =
            found.iter().map(|one| (one.unit.as_str(), one.count, one.p50, one.max)).collect();
        assert_eq!(numbers, [("1/s", 1, 6, 6), ("us", 2, 10, 30)]);
    }
}
