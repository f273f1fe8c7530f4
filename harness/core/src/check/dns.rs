//! What a name server let through: recorded, never judged.

use crate::observation::{DnsObservation, DnsTally};
use crate::probe::{DnsAsk, DnsProbe};
use crate::verdict::Verdict;

/// Names that are shown of those that are told.
const SHOWN: usize = 5;

pub(super) fn judge(probe: &DnsProbe, seen: &DnsObservation) -> Verdict {
    match probe.ask {
        DnsAsk::Tunnel => tunnel(seen),
        DnsAsk::OtherNames => other_names(seen),
    }
}

fn tunnel(observed: &DnsObservation) -> Verdict {
    let (seen, control) = (&observed.seen, &observed.control);
    if seen.arrived > 0 {
        let seen = format!(
            "a tunnel: {} out and {} in through {}: {} of {} questions arrived, {} were answered",
            rate(seen.bytes_out, seen.elapsed_us),
            rate(seen.bytes_in, seen.elapsed_us),
            observed.server,
            seen.arrived,
            seen.asked,
            seen.answered,
        );
        return Verdict::Recorded { seen };
    }
    if control.arrived == 0 {
        return Verdict::undetermined(format!(
            "no question arrived, and none of a client without policies either: {}",
            first_answer(control)
        ));
    }
    let seen = format!(
        "not forwarded: none of {} questions arrived ({}), and {} of a client without policies did",
        seen.asked,
        first_answer(seen),
        control.arrived
    );
    Verdict::Recorded { seen }
}

fn other_names(observed: &DnsObservation) -> Verdict {
    let DnsTally { asked, answered, .. } = observed.seen;
    if observed.control.answered == 0 {
        return Verdict::undetermined(format!(
            "{} answers nobody on these names: {}",
            observed.server,
            first_answer(&observed.control)
        ));
    }
    let told = if answered == 0 {
        first_answer(&observed.seen).to_string()
    } else {
        let shown: Vec<&str> = observed.seen.told.iter().take(SHOWN).map(String::as_str).collect();
        shown.join(", ")
    };
    Verdict::Recorded { seen: format!("{answered} of {asked} names are told: {told}") }
}

fn first_answer(tally: &DnsTally) -> &str {
    tally.told.first().map_or("nothing was asked", String::as_str)
}

fn rate(bytes: u64, elapsed_us: u64) -> String {
    let per_second = bytes.saturating_mul(1_000_000) / elapsed_us.max(1);
    format!("{per_second} B/s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::PodName;

    fn tally(arrived: usize, told: &str) -> DnsTally {
        DnsTally {
            asked: 100,
            answered: arrived,
            arrived,
            bytes_out: 100 * arrived as u64,
            bytes_in: 500 * arrived as u64,
            elapsed_us: 500_000,
            told: vec![told.to_string()],
        }
    }

    fn judged(ask: DnsAsk, seen: DnsTally, control: DnsTally) -> Verdict {
        let probe = DnsProbe { from: PodName::new("a", "web"), ask, names: Vec::new() };
        judge(&probe, &DnsObservation { server: "10.96.0.10:53".to_string(), seen, control })
    }

    fn recorded(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Recorded { seen } => seen,
            other => panic!("not recorded: {other:?}"),
        }
    }

    #[test]
    fn a_tunnel_is_told_by_its_bytes_a_second() {
        let verdict = judged(DnsAsk::Tunnel, tally(100, ""), tally(100, ""));
        let seen = recorded(&verdict);
        assert!(seen.contains("20000 B/s out and 100000 B/s in"), "{seen}");
    }

    #[test]
    fn what_is_not_forwarded_is_no_pass_either() {
        let verdict = judged(DnsAsk::Tunnel, tally(0, "Query Refused"), tally(100, ""));
        assert!(recorded(&verdict).starts_with("not forwarded"), "{verdict:?}");
    }

    #[test]
    fn what_nobody_is_answered_says_nothing() {
        for ask in [DnsAsk::Tunnel, DnsAsk::OtherNames] {
            let verdict = judged(ask, tally(0, "Server Failure"), tally(0, "Server Failure"));
            assert_eq!(verdict.word(), "undetermined");
        }
    }

    #[test]
    fn names_that_are_told_are_listed() {
        let verdict = judged(DnsAsk::OtherNames, tally(1, "db.b.svc A 10.96.3.4"), tally(1, "x"));
        let seen = recorded(&verdict);
        assert_eq!(seen, "1 of 100 names are told: db.b.svc A 10.96.3.4");
    }
}
