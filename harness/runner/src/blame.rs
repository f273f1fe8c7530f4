//! Which line of the layout is to blame for a violated cell.

use partywall_core::contract::Contract;
use partywall_core::event::Blame;
use partywall_core::inventory::{Pod, Role};
use partywall_core::observation::Observation;
use partywall_core::plan::{Cell, Trial};
use partywall_core::probe::{Asker, Forged, Probe, ReachProbe};
use partywall_core::scenario::Expect;
use partywall_core::verdict::Verdict;

use crate::judge::Judged;

/// The line that causes a violation, as the backend knows it or as the files let us guess; `None` where the verdict is another, or no file is known
/// to be at fault.
pub(crate) fn blame(
    facts: &Judged<'_>,
    trial: &Trial,
    cell: &Cell,
    verdict: &Verdict,
    known: &dyn Fn(&Probe) -> Option<Blame>,
) -> Option<Blame> {
    if !matches!(verdict, Verdict::Violated { .. }) {
        return None;
    }
    let project = facts.run.project;
    let probe = facts.plan.batch.probes.get(cell.probe)?;
    if let Some(blame) = known(probe) {
        return Some(blame);
    }
    match probe {
        Probe::Reach(probe) if trial.scenario.expect == Expect::Reached => {
            let endpoint = endpoint_of(facts, probe)?;
            let tenant = trial.tenant.as_deref()?;
            let namespace = &probe.from.namespace;
            partywall_offline::blame::missing_egress(
                &project.layout,
                &project.contract,
                tenant,
                namespace,
                probe.target.port,
                &endpoint,
            )
        }
        Probe::Reach(probe) => {
            // A node, the API server or an address outside is no pod and has no namespace.
            let to = target_pod(facts, probe).filter(|pod| pod.role != Role::Outside);
            let to = to.map(|pod| pod.name.namespace.clone());
            let to = to.unwrap_or_default();
            partywall_offline::blame::open_wall(
                &project.layout,
                &probe.from.namespace,
                &to,
                probe.target.port,
            )
        }
        Probe::Deliver(probe) => {
            let forged = probe.forged.as_ref();
            let believed =
                |forged: &Forged| partywall_offline::blame::believed(&project.layout, forged.how);
            let org = || partywall_offline::blame::org(&project.layout, &probe.tenant);
            forged.and_then(believed).or_else(org)
        }
        Probe::Load(probe) => {
            let org = || partywall_offline::blame::org(&project.layout, &probe.tenant);
            let lost = || partywall_offline::blame::lost_under_load(&project.layout, probe.signal);
            match facts.observations.get(cell.probe)? {
                Observation::Load(seen) if seen.misplaced(&probe.tenant.org).is_empty() => {
                    lost().or_else(org)
                }
                _ => org(),
            }
        }
        Probe::Secret(probe) => partywall_offline::blame::secret(&project.layout, &probe.tenant),
        Probe::Access(probe) if probe.by == Asker::TwoOrganisations => {
            partywall_offline::blame::federation(&project.layout, probe.store)
        }
        Probe::Access(probe) => partywall_offline::blame::tenancy(&project.layout, probe.store),
        Probe::Sources(probe) => match facts.observations.get(cell.probe)? {
            Observation::Sources(seen) => {
                partywall_offline::blame::sources(&project.layout, probe, seen)
            }
            _ => None,
        },
        Probe::Attempt(_) => match facts.observations.get(cell.probe)? {
            Observation::Attempt(seen) => partywall_offline::rights::written(&project.layout, seen),
            _ => None,
        },
        Probe::Dns(_) => None,
    }
}

fn target_pod<'a>(facts: &'a Judged<'_>, probe: &ReachProbe) -> Option<&'a Pod> {
    let by_server = || facts.pods.pod(probe.target.servers.first()?);
    facts.pods.at(&probe.target.address).or_else(by_server)
}

/// The contract's name of a target, or `namespace/workload`.
pub(crate) fn endpoint_of(facts: &Judged<'_>, probe: &ReachProbe) -> Option<String> {
    let pod = target_pod(facts, probe);
    let contract: &Contract = &facts.run.project.contract;
    let named = pod.and_then(|pod| {
        let mut endpoints = contract.endpoints.iter();
        endpoints.find(|(_, endpoint)| endpoint.selects(&pod.name.namespace, &pod.labels))
    });
    named
        .map(|(name, _)| name.clone())
        .or_else(|| pod.map(|pod| format!("{}/{}", pod.name.namespace, pod.workload)))
        .or_else(|| Some(probe.target.label.clone()))
}
