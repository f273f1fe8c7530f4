//! Judging telemetry: presence by the marker, absence only behind a fence.

use crate::observation::{AccessObservation, DeliverObservation, Outcome};
use crate::probe::DeliverProbe;
use crate::verdict::Verdict;

pub(super) fn deliver(probe: &DeliverProbe, seen: &DeliverObservation) -> Verdict {
    let own = &probe.tenant.org;
    if let Some((org, _)) = seen.orgs.iter().find(|(org, sight)| *org != own && sight.marker) {
        return Verdict::violated(format!(
            "the marker of {} (org {own}) is in org {org}",
            probe.tenant.name
        ));
    }
    if !seen.accepted {
        return not_accepted(probe, seen);
    }
    let unfenced: Vec<&str> =
        seen.orgs.iter().filter(|(_, sight)| !sight.fence).map(|(org, _)| org.as_str()).collect();
    match seen.orgs.get(own) {
        Some(sight) if sight.marker => {}
        Some(sight) if sight.fence => {
            return Verdict::violated(format!(
                "the marker of {} was accepted but is not in its org {own}, where a later \
                 fence is",
                probe.tenant.name
            ));
        }
        _ => {
            return Verdict::undetermined(format!(
                "neither the marker nor the fence is in org {own}: the pipeline is not working"
            ));
        }
    }
    if !unfenced.is_empty() {
        let orgs = unfenced.join(", ");
        return Verdict::undetermined(format!(
            "absence is not proven: no fence seen in org {orgs}"
        ));
    }
    if seen.orgs.len() < 2 {
        return Verdict::undetermined("there is no other org in which absence could be shown");
    }
    Verdict::holds()
}

fn not_accepted(probe: &DeliverProbe, seen: &DeliverObservation) -> Verdict {
    let fences = !seen.orgs.is_empty() && seen.orgs.values().all(|sight| sight.fence);
    if fences && seen.outcome != Outcome::ProbeError {
        return Verdict::violated(format!(
            "telemetry of {} does not leave {}: {}",
            probe.tenant.name, seen.sender, seen.detail
        ));
    }
    Verdict::undetermined(format!(
        "the marker was not accepted, and no fence shows that the collector works: {}",
        seen.detail
    ))
}

pub(super) fn access(seen: &AccessObservation) -> Verdict {
    match (seen.control_status, seen.status) {
        (Some(200..=299), Some(401)) => Verdict::holds(),
        (Some(200..=299), Some(status)) => Verdict::violated(format!(
            "without an organisation the store answered {status}, not 401"
        )),
        (Some(200..=299), None) => {
            Verdict::undetermined(format!("the store did not answer: {}", seen.detail))
        }
        (control, _) => Verdict::undetermined(format!(
            "the same request with an organisation did not succeed (status {control:?}): {}",
            seen.detail
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Tenant;
    use crate::observation::OrgSight;
    use crate::probe::Signal;
    use rstest::rstest;

    fn probe() -> DeliverProbe {
        let tenant = Tenant {
            name: "a".to_string(),
            namespaces: vec!["a".to_string()],
            org: "a".to_string(),
            secrets: None,
        };
        DeliverProbe { tenant, signal: Signal::Log }
    }

    fn seen(accepted: bool, orgs: &[(&str, bool, bool)]) -> DeliverObservation {
        let sight = |(org, marker, fence): &(&str, bool, bool)| {
            (org.to_string(), OrgSight { marker: *marker, fence: *fence })
        };
        DeliverObservation {
            accepted,
            outcome: Outcome::Dropped,
            sender: "a/open-webui".to_string(),
            detail: String::new(),
            orgs: orgs.iter().map(sight).collect(),
        }
    }

    #[rstest]
    #[case::proven(true, &[("a", true, true), ("b", false, true)], "holds")]
    #[case::leak(true, &[("a", true, true), ("b", true, true)], "violated")]
    #[case::leak_needs_no_fence(true, &[("a", false, false), ("b", true, false)], "violated")]
    #[case::lost(true, &[("a", false, true), ("b", false, true)], "violated")]
    #[case::broken_pipeline(true, &[("a", false, false), ("b", false, false)], "undetermined")]
    #[case::no_fence_elsewhere(true, &[("a", true, true), ("b", false, false)], "undetermined")]
    #[case::only_one_org(true, &[("a", true, true)], "undetermined")]
    #[case::cannot_leave(false, &[("a", false, true), ("b", false, true)], "violated")]
    #[case::collector_dead(false, &[("a", false, false), ("b", false, false)], "undetermined")]
    fn judges_delivery(
        #[case] accepted: bool,
        #[case] orgs: &[(&str, bool, bool)],
        #[case] expected: &str,
    ) {
        assert_eq!(deliver(&probe(), &seen(accepted, orgs)).word(), expected);
    }

    #[rstest]
    #[case(Some(401), Some(200), "holds")]
    #[case(Some(200), Some(200), "violated")]
    #[case(Some(401), Some(401), "undetermined")]
    #[case(None, Some(200), "undetermined")]
    #[case(Some(401), None, "undetermined")]
    fn judges_access(
        #[case] status: Option<u16>,
        #[case] control_status: Option<u16>,
        #[case] expected: &str,
    ) {
        let outcome = Outcome::Reached;
        let seen = AccessObservation { outcome, status, control_status, detail: String::new() };
        assert_eq!(access(&seen).word(), expected);
    }
}
