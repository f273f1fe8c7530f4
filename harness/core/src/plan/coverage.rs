//! What a trial should have asked and could not: a contracted port without a pod, or without
//! the Service by which it is to be reached. Such a square is not left out but undetermined,
//! because a matrix that loses what is missing would be green for it.

use super::cell::{Cell, CellSubject, Plan};
use super::trial::Trial;
use crate::contract::{Contract, Endpoint, Tenant};
use crate::inventory::{Inventory, Pod};
use crate::port::Port;
use crate::probe::By;
use crate::scenario::{Party, Ports, Reach};

/// Add an undetermined cell for every contracted endpoint, port and way that has no target.
pub(super) fn plan_missing(
    plan: &mut Plan,
    index: usize,
    trial: &Trial,
    question: &Reach,
    contract: &Contract,
    inventory: &Inventory,
) {
    let Some(tenant) = trial.tenant(contract) else { return };
    if question.to != Party::Contracted || question.ports != Ports::Contracted {
        return;
    }
    for (name, endpoint) in allowed(contract, tenant) {
        if endpoint.entity.is_some() {
            continue;
        }
        let pods: Vec<&Pod> = inventory
            .workloads(&contract.platform)
            .filter(|pod| endpoint.selects(&pod.name.namespace, &pod.labels))
            .collect();
        for port in &endpoint.ports {
            for by in question.by.iter().filter(|by| !has_way(**by, *port, &pods, inventory)) {
                let by = format!("{by:?}").to_lowercase();
                let why = format!("nothing stands behind `{name}` {port} by {by}");
                plan.cells.push(Cell {
                    trial: index,
                    row: tenant.name.clone(),
                    column: name.to_string(),
                    probe: usize::MAX,
                    subject: CellSubject::Missing { why },
                });
            }
        }
    }
}

fn allowed<'a>(
    contract: &'a Contract,
    tenant: &'a Tenant,
) -> impl Iterator<Item = (&'a str, &'a Endpoint)> {
    let names = contract.allowed_endpoints(&tenant.name).into_iter();
    names.filter_map(|name| Some((name, contract.endpoints.get(name)?)))
}

fn has_way(by: By, port: Port, pods: &[&Pod], inventory: &Inventory) -> bool {
    pods.iter().any(|pod| match by {
        By::Pod | By::Node => true,
        By::Service | By::Name => inventory.services.iter().any(|service| {
            service.selects(pod)
                && (by == By::Name || service.address.is_some())
                && service
                    .ports
                    .iter()
                    .any(|one| one.target == port.number && one.port.transport == port.transport)
        }),
    })
}
