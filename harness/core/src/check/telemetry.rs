//! Judging telemetry: presence by the marker, absence only behind a fence.

use crate::observation::{AccessObservation, DeliverObservation, Outcome};
use crate::probe::DeliverProbe;
use crate::verdict::Verdict;

pub(super) fn deliver(probe: &DeliverProbe, seen: &DeliverObservation) -> Verdict {
    let own = &probe.tenant.org;
    if let Some((org, _)) = seen.orgs.iter().find(|(org, sight)| *org != own && sight.marker) {
        return Verdict::violated(format!(
            "the marker of {} (org {own}) is in org {org}{}",
            probe.tenant.name,
            sent_as(probe)
        ));
    }
    if probe.forged.is_some() {
        return forged(seen);
    }
    if !seen.accepted {
        return not_accepted(probe, seen);
    }
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
    proven_absent(seen)
}

/// What was forged, for the reader of a violation.
fn sent_as(probe: &DeliverProbe) -> String {
    let Some(forged) = &probe.forged else { return String::new() };
    let lines = |lines: &Vec<(String, String)>| {
        let lines = lines.iter().map(|(name, value)| format!("`{name}: {value}`"));
        let lines = lines.collect::<Vec<_>>().join(" and ");
        if lines.is_empty() { "no organisation".to_string() } else { lines }
    };
    let attributes =
        forged.attributes.iter().map(|(key, value)| format!("the attribute `{key}: {value}`"));
    let said = forged.headers.as_ref().map(lines).into_iter().chain(attributes);
    format!("; it was sent with {}", said.collect::<Vec<_>>().join(" and "))
}

/// A forged marker that no other organisation shows: it may be in the tenant's own or nowhere, and
/// absence counts behind the fences alone. A marker that did not reach the collector proves
/// nothing.
fn forged(seen: &DeliverObservation) -> Verdict {
    if seen.outcome != Outcome::Reached {
        let reason = format!("the forged marker did not reach the collector: {}", seen.detail);
        return Verdict::undetermined(reason);
    }
    proven_absent(seen)
}

fn proven_absent(seen: &DeliverObservation) -> Verdict {
    let fences = seen.orgs.iter().map(|(org, sight)| (org.as_str(), sight.fence));
    absence(fences).unwrap_or_else(Verdict::holds)
}

/// Why absence does not count, if it does not: it does behind a fence in every organisation, and
/// where there is more than one.
pub(super) fn absence<'o>(fences: impl Iterator<Item = (&'o str, bool)>) -> Option<Verdict> {
    let fences: Vec<(&str, bool)> = fences.collect();
    let unfenced: Vec<&str> =
        fences.iter().filter(|(_, fence)| !fence).map(|(org, _)| *org).collect();
    if !unfenced.is_empty() {
        let orgs = unfenced.join(", ");
        return Some(Verdict::undetermined(format!(
            "absence is not proven: no fence seen in org {orgs}"
        )));
    }
    (fences.len() < 2)
        .then(|| Verdict::undetermined("there is no other org in which absence could be shown"))
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
            "the same request with an organisation did not succeed ({}): {}",
            control.map_or("no answer".to_string(), |status| format!("status {status}")),
            seen.detail
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Tenant;
    use crate::observation::OrgSight;
    use crate::probe::{Forge, Signal};
    use rstest::rstest;

    fn probe() -> DeliverProbe {
        let tenant = Tenant {
            name: "a".to_string(),
            namespaces: vec!["a".to_string()],
            org: "a".to_string(),
            secrets: None,
        };
        DeliverProbe { tenant, signal: Signal::Log, over: None, forged: None }
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
            visible_us: None,
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
    #[case::in_own(Outcome::Reached, &[("a", true, true), ("b", false, true)], "holds")]
    #[case::nowhere(Outcome::Reached, &[("a", false, true), ("b", false, true)], "holds")]
    #[case::believed(Outcome::Reached, &[("a", false, true), ("b", true, true)], "violated")]
    #[case::in_a_common_one(Outcome::Reached, &[("a", true, true), ("fake", true, false)], "violated")]
    #[case::no_fence(Outcome::Reached, &[("a", false, true), ("b", false, false)], "undetermined")]
    #[case::not_sent(Outcome::Dropped, &[("a", false, true), ("b", false, true)], "undetermined")]
    #[case::not_asked(Outcome::ProbeError, &[("a", false, true), ("b", false, true)], "undetermined")]
    fn judges_forgery(
        #[case] outcome: Outcome,
        #[case] orgs: &[(&str, bool, bool)],
        #[case] expected: &str,
    ) {
        for accepted in [true, false] {
            let seen = DeliverObservation { outcome, ..seen(accepted, orgs) };
            let other = Tenant { org: "b".to_string(), ..probe().tenant };
            let forged = Some(Forge::Other.of(&probe().tenant, Some(&other)));
            let verdict = deliver(&DeliverProbe { forged, ..probe() }, &seen);
            assert_eq!(verdict.word(), expected);
            let says = verdict.reason().ends_with("it was sent with `X-Scope-OrgID: b`");
            assert_eq!(says, expected == "violated", "{}", verdict.reason());
        }
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
