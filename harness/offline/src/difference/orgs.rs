//! Telemetry that arrives in another organisation.

use std::collections::BTreeSet;

use partywall_core::contract::{Contract, Tenant};
use partywall_core::event::{Blame, NotJudged};
use partywall_core::probe::{DeliverProbe, Signal};

use super::end::{Both, End};
use super::model::OrgChange;
use crate::telemetry::{Telemetry, Trail};

const SIGNALS: [(Signal, &str); 2] = [(Signal::Log, "logs"), (Signal::Metric, "metrics")];
/// A store that asks nobody for an organisation.
const EVERY: &str = "every organisation";

/// One end, as far as telemetry goes.
struct Estate<'a> {
    contract: &'a Contract,
    telemetry: Telemetry<'a>,
}

impl<'a> Estate<'a> {
    fn of(end: &End<'a>) -> Self {
        let contract = end.cluster.contract();
        Self { contract, telemetry: Telemetry::new(end.cluster.rendered(), contract) }
    }

    /// The way of a tenant's signal; none where there is no such tenant, or no store.
    fn trail(&self, tenant: &str, signal: Signal) -> Option<(&'a Tenant, Trail)> {
        self.contract.telemetry.as_ref()?;
        let tenant = self.contract.tenant(tenant)?;
        Some((tenant, self.telemetry.trail(tenant, signal)))
    }
}

/// Every tenant's organisations, compared.
pub(super) fn orgs(ends: Both<&End<'_>>) -> (Vec<OrgChange>, Vec<NotJudged>) {
    let estates = ends.map(Estate::of);
    let tenants = |estate: &Estate<'_>| {
        let names = estate.contract.tenants.iter().map(|tenant| tenant.name.clone());
        names.collect::<Vec<String>>()
    };
    let mut names: BTreeSet<String> = tenants(&estates.base).into_iter().collect();
    names.extend(tenants(&estates.head));
    let (mut changes, mut not_judged) = (Vec::new(), Vec::new());
    for name in &names {
        for (signal, word) in SIGNALS {
            let trails = estates.as_ref().map(|estate| estate.trail(name, signal));
            let unknown = |trail: &Option<(&Tenant, Trail)>| {
                trail.as_ref().and_then(|(_, trail)| trail.not_judged.clone())
            };
            let unknown: Vec<NotJudged> =
                [unknown(&trails.base), unknown(&trails.head)].into_iter().flatten().collect();
            if !unknown.is_empty() {
                not_judged.extend(unknown);
                continue;
            }
            changes.extend(change(&estates.head, name, (signal, word), &trails));
        }
    }
    not_judged.sort();
    not_judged.dedup();
    (changes, not_judged)
}

fn change(
    head: &Estate<'_>,
    tenant: &str,
    (signal, word): (Signal, &str),
    trails: &Both<Option<(&Tenant, Trail)>>,
) -> Option<OrgChange> {
    let org = |trail: &Option<(&Tenant, Trail)>| trail.as_ref().and_then(|(_, one)| org(one));
    let (before, after) = (org(&trails.base), org(&trails.head));
    if before == after {
        return None;
    }
    let contracted = match &trails.head {
        Some((tenant, _)) => after.as_ref() == Some(&tenant.org),
        // The contract does not know the tenant any more, and has nothing of it arrive.
        None => after.is_none(),
    };
    let because = trails.head.as_ref().and_then(|(tenant, trail)| {
        let probe = DeliverProbe::of((*tenant).clone(), signal);
        let wrong = (!contracted).then(|| head.telemetry.blame(&probe)).flatten();
        wrong.or_else(|| new_step(trail, trails.base.as_ref().map(|(_, trail)| trail)))
    });
    Some(OrgChange {
        tenant: tenant.to_string(),
        signal: word.to_string(),
        before,
        after,
        contracted,
        because,
    })
}

/// The first step that was not on the way before.
fn new_step(after: &Trail, before: Option<&Trail>) -> Option<Blame> {
    let was =
        |what: &str| before.is_some_and(|trail| trail.steps.iter().any(|one| one.what == what));
    let step = after.steps.iter().find(|step| !was(&step.what))?;
    Some(Blame { location: step.location.clone(), because: step.what.clone() })
}

/// Where a trail ends; none where it arrives nowhere.
fn org(trail: &Trail) -> Option<String> {
    let is_shared = trail.ends.iter().any(|end| end == "every org");
    let mut orgs: BTreeSet<&str> = trail.orgs.iter().map(String::as_str).collect();
    if is_shared {
        orgs.insert(EVERY);
    }
    let orgs: Vec<&str> = orgs.into_iter().collect();
    (!orgs.is_empty()).then(|| orgs.join(", "))
}
