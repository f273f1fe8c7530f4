//! Judging telemetry under load: nothing of a tenant elsewhere, and nothing of it missing.

use super::telemetry::absence;
use crate::load::{LoadObservation, LoadProbe};
use crate::observation::Outcome;
use crate::verdict::Verdict;

/// What is seen elsewhere needs no fence. What is missing does, and so does absence elsewhere;
/// and tenants that did not send at the same time have proven nothing about batches.
pub(super) fn judge(probe: &LoadProbe, seen: &LoadObservation) -> Verdict {
    let (tenant, own) = (&probe.tenant.name, &probe.tenant.org);
    let asked = u64::from(probe.items);
    let (sent, accepted, found) = (seen.sent, seen.accepted, seen.found_in(own));
    let misplaced = seen.misplaced(own);
    if !misplaced.is_empty() {
        let places: Vec<String> =
            misplaced.iter().map(|(org, count)| format!("{count} in org {org}")).collect();
        return Verdict::violated(format!(
            "of {sent} items of {tenant} (org {own}), sent while all tenants sent, {} are \
             misplaced: {}",
            misplaced.values().sum::<u64>(),
            places.join(", ")
        ));
    }
    let is_fenced = seen.orgs.get(own).is_some_and(|sight| sight.fence);
    if accepted == 0 && (seen.outcome == Outcome::ProbeError || !is_fenced) {
        let reason = format!("no item of {tenant} was taken: {}", seen.detail);
        return Verdict::undetermined(reason);
    }
    if !is_fenced {
        return Verdict::undetermined(format!(
            "{found} of {accepted} items are in org {own}, and no fence after them: what is \
             missing may still be on its way"
        ));
    }
    if accepted == 0 {
        return Verdict::violated(format!(
            "none of {asked} items of {tenant} was taken, and a later fence was: {}",
            seen.detail
        ));
    }
    if accepted < sent {
        let refused = sent.saturating_sub(accepted);
        return Verdict::violated(format!(
            "{refused} of {sent} items of {tenant} were not taken, however often they were sent: {}",
            seen.detail
        ));
    }
    if found < accepted {
        let lost = accepted.saturating_sub(found);
        return Verdict::violated(format!(
            "{lost} of {accepted} items of {tenant} were accepted and are lost: org {own} shows \
             {found}, and a later fence"
        ));
    }
    if sent < asked {
        return Verdict::undetermined(format!(
            "{sent} of {asked} items were put on the way and answered for in time: {}",
            seen.detail
        ));
    }
    if found > sent {
        return Verdict::undetermined(format!(
            "org {own} shows {found} items of the {sent} that {tenant} sent: a lost one may hide \
             behind a doubled one"
        ));
    }
    proven(seen)
}

/// Whether absence elsewhere counts, and whether there was anything to be mixed with.
fn proven(seen: &LoadObservation) -> Verdict {
    let fences = seen.orgs.iter().map(|(org, sight)| (org.as_str(), sight.fence));
    if let Some(unproven) = absence(fences) {
        return unproven;
    }
    if seen.together_us == Some(0) {
        return Verdict::undetermined(
            "the tenants did not send at the same time, so that nothing could be mixed",
        );
    }
    Verdict::holds()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::contract::Tenant;
    use crate::load::LoadSight;
    use crate::probe::{Over, Signal};

    fn probe() -> LoadProbe {
        let tenant = Tenant {
            name: "a".to_string(),
            namespaces: vec!["a".to_string()],
            org: "a".to_string(),
            secrets: None,
        };
        LoadProbe { tenant, signal: Signal::Log, over: Some(Over::Grpc), items: 100 }
    }

    /// What was taken, and per organisation how many are found and whether the fence is.
    fn seen(accepted: u64, orgs: &[(&str, u64, bool)]) -> LoadObservation {
        let sight = |(org, found, fence): &(&str, u64, bool)| {
            ((*org).to_string(), LoadSight { found: *found, fence: *fence })
        };
        LoadObservation {
            sender: "a/open-webui".to_string(),
            sent: 100,
            accepted,
            outcome: Outcome::Reached,
            detail: "gRPC ResourceExhausted".to_string(),
            orgs: orgs.iter().map(sight).collect(),
            sending_us: 1_000_000,
            together_us: Some(900_000),
            visible_us: Some(1_200_000),
        }
    }

    #[rstest]
    #[case::all_found(100, &[("a", 100, true), ("b", 0, true)], "holds", "")]
    #[case::one_elsewhere(100, &[("a", 99, true), ("b", 1, true)], "violated", "1 are misplaced: 1 in org b")]
    #[case::elsewhere_needs_no_fence(100, &[("a", 0, false), ("fake", 100, false)], "violated", "100 in org fake")]
    #[case::one_lost(100, &[("a", 99, true), ("b", 0, true)], "violated", "1 of 100 items of a were accepted and are lost")]
    #[case::all_lost(100, &[("a", 0, true), ("b", 0, true)], "violated", "100 of 100")]
    #[case::still_on_its_way(100, &[("a", 99, false), ("b", 0, true)], "undetermined", "no fence after them")]
    #[case::some_refused(90, &[("a", 90, true), ("b", 0, true)], "violated", "10 of 100 items of a were not taken")]
    #[case::all_refused(0, &[("a", 0, true), ("b", 0, true)], "violated", "ResourceExhausted")]
    #[case::collector_dead(0, &[("a", 0, false), ("b", 0, false)], "undetermined", "no item of a was taken")]
    #[case::no_fence_elsewhere(100, &[("a", 100, true), ("b", 0, false)], "undetermined", "in org b")]
    #[case::only_one_org(100, &[("a", 100, true)], "undetermined", "no other org")]
    #[case::doubled(100, &[("a", 101, true), ("b", 0, true)], "undetermined", "doubled")]
    fn judges_load(
        #[case] accepted: u64,
        #[case] orgs: &[(&str, u64, bool)],
        #[case] expected: &str,
        #[case] reason: &str,
    ) {
        let verdict = judge(&probe(), &seen(accepted, orgs));
        assert_eq!(verdict.word(), expected, "{}", verdict.reason());
        assert!(verdict.reason().contains(reason), "{}", verdict.reason());
    }

    #[test]
    fn tenants_that_took_turns_prove_nothing() {
        let orgs: &[(&str, u64, bool)] = &[("a", 100, true), ("b", 0, true)];
        let apart = LoadObservation { together_us: Some(0), ..seen(100, orgs) };
        assert_eq!(judge(&probe(), &apart).word(), "undetermined");
        let computed = LoadObservation { together_us: None, ..seen(100, orgs) };
        assert_eq!(judge(&probe(), &computed).word(), "holds");
        let lost = LoadObservation { together_us: Some(0), ..seen(100, &[("a", 99, true)]) };
        assert_eq!(judge(&probe(), &lost).word(), "violated", "a loss needs no company");
    }

    #[rstest]
    #[case::nothing_left(0, 0, Outcome::Unresolved, "violated")]
    #[case::nothing_left_and_no_way_known(0, 0, Outcome::ProbeError, "undetermined")]
    #[case::a_part_in_time(60, 60, Outcome::Reached, "undetermined")]
    #[case::a_part_in_time_and_refused(60, 50, Outcome::Reached, "violated")]
    fn what_was_not_put_on_the_way_proves_nothing(
        #[case] sent: u64,
        #[case] accepted: u64,
        #[case] outcome: Outcome,
        #[case] expected: &str,
    ) {
        let orgs: &[(&str, u64, bool)] = &[("a", accepted, true), ("b", 0, true)];
        let seen = LoadObservation { sent, outcome, ..seen(accepted, orgs) };
        assert_eq!(judge(&probe(), &seen).word(), expected);
    }

    #[test]
    fn a_probe_that_could_not_be_made_proves_nothing() {
        let orgs: &[(&str, u64, bool)] = &[("a", 0, true), ("b", 0, true)];
        let failed = LoadObservation { outcome: Outcome::ProbeError, ..seen(0, orgs) };
        assert_eq!(judge(&probe(), &failed).word(), "undetermined");
    }
}
