//! Planning what a tenant asks the cluster's name server.

use super::cell::Plan;
use super::trial::Trial;
use crate::contract::{Contract, Tenant};
use crate::inventory::{Inventory, PodName};
use crate::probe::{DnsAsk, DnsProbe, Probe};
use crate::scenario::Dns;

/// One probe of one pod of the tenant: what the name server tells depends on no policy that
/// selects one pod and not another, once it is reached.
pub(super) fn plan_dns(
    plan: &mut Plan,
    (index, trial): (usize, &Trial),
    question: &Dns,
    contract: &Contract,
    inventory: &Inventory,
) {
    let Some(tenant) = trial.tenant(contract) else { return };
    let names = match question.ask {
        DnsAsk::Tunnel => Vec::new(),
        DnsAsk::OtherNames => {
            trial.other(contract).map(|o| names_of(o, inventory)).unwrap_or_default()
        }
    };
    let column = match (question.ask, trial.other(contract)) {
        (DnsAsk::OtherNames, Some(other)) => format!("names of {}", other.name),
        _ => "name server".to_string(),
    };
    let why = match question.ask {
        DnsAsk::OtherNames if names.is_empty() => "the other tenant has no Service to ask for",
        _ => "no pod of the tenant is an agent or has a twin",
    };
    match client(tenant, inventory) {
        Some(from) if question.ask == DnsAsk::Tunnel || !names.is_empty() => {
            let probe = DnsProbe { from, ask: question.ask, names };
            plan.single(index, Probe::Dns(probe), &tenant.name, &column);
        }
        _ => plan.missing(index, &tenant.name, &column, why.to_string()),
    }
}

fn client(tenant: &Tenant, inventory: &Inventory) -> Option<PodName> {
    let mut pods = inventory.workloads(&tenant.namespaces);
    pods.find_map(|pod| inventory.stand_in(pod)).map(|pod| pod.name.clone())
}

fn names_of(tenant: &Tenant, inventory: &Inventory) -> Vec<String> {
    let services = inventory.services.iter();
    let own = services.filter(|service| {
        // Doors are ours.
        service.door.is_none() && tenant.namespaces.contains(&service.namespace)
    });
    own.map(|service| service.dns_name()).collect()
}
