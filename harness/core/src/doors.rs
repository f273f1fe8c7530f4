//! The doors that the harness makes: Services by which a tenant's pods can be asked for in every
//! way that a cluster has. A layout need not have a node port for a tenant to make one.
//!
//! A door leads to the real pods of a workload, or to their twins where these are somebody
//! else's. It has one port, over TCP and UDP.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::Contract;
use crate::inventory::{DOOR_PREFIX, Door, Inventory, Pod, Role, Service, ServicePort, Ways};
use crate::port::{Port, Transport};

/// The address that doors claim: of a block that documentation alone uses (TEST-NET-3).
pub const DOOR_ADDRESS: &str = "203.0.113.200";
/// Each door has a port of its own at that address, from this one on.
const FIRST_PORT: u16 = 20_000;
/// Longer names of workloads are cut: the name of a Service has 63 letters at most.
const NAME_LENGTH_MAX: usize = 36;
const CUT_LENGTH: usize = 30;
/// Labels that controllers put on pods, and that the next pod of a workload has not.
const GENERATED: [&str; 9] = [
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "controller-uid",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Every door to the workloads of the contract's tenants. Ports of nodes and cluster IPs are left
/// to the cluster.
pub fn doors(contract: &Contract, inventory: &Inventory) -> Vec<Service> {
    let mut doors = Vec::new();
    let mut first_of: BTreeMap<&str, Service> = BTreeMap::new();
    for (index, pod) in workloads(contract, inventory).into_iter().enumerate() {
        let Some(main) = main_door(index, pod) else { continue };
        first_of.entry(pod.name.namespace.as_str()).or_insert_with(|| main.clone());
        let with = |suffix: &str, ways: Ways| Service {
            name: format!("{}-{suffix}", main.name),
            ways,
            ..main.clone()
        };
        doors.push(with("local", Ways { local: true, ..Ways::default() }));
        doors.push(with("headless", Ways { headless: true, ..Ways::default() }));
        doors.push(main);
    }
    doors.extend(names_of_others(contract, &first_of));
    // A namespace without pods may not stand at all: a tenant that is yet to come.
    let inhabited: BTreeSet<&str> =
        inventory.pods.iter().map(|pod| pod.name.namespace.as_str()).collect();
    doors.retain(|door| inhabited.contains(door.namespace.as_str()));
    doors
}

/// One pod of each workload of the tenants, on the pod network and with a port.
fn workloads<'a>(contract: &'a Contract, inventory: &'a Inventory) -> Vec<&'a Pod> {
    let mut found: BTreeMap<(&str, &str), &Pod> = BTreeMap::new();
    let tenants: BTreeSet<&str> =
        contract.tenants.iter().flat_map(|tenant| &tenant.namespaces).map(String::as_str).collect();
    let pods = inventory.pods.iter().filter(|pod| {
        pod.role == Role::Workload
            && !pod.host_network
            && tenants.contains(pod.name.namespace.as_str())
    });
    for pod in pods {
        found.entry((&pod.name.namespace, &pod.workload)).or_insert(pod);
    }
    found.into_values().collect()
}

/// The number of the one port that a pod is asked for by doors: the first that it declares.
pub(crate) fn door_port(pod: &Pod) -> Option<u16> {
    let over = |transport: Transport| move |port: &&Port| port.transport == transport;
    let declared = pod.declared.iter();
    let first = declared.clone().find(over(Transport::Tcp)).or_else(|| declared.clone().next());
    first.map(|port| port.number)
}

fn main_door(index: usize, pod: &Pod) -> Option<Service> {
    let target = door_port(pod)?;
    let selector = stable_labels(pod);
    if selector.is_empty() {
        return None;
    }
    let number = FIRST_PORT.checked_add(u16::try_from(index).ok()?)?;
    let port = |port: Port| ServicePort { port, target, node: None };
    Some(Service {
        namespace: pod.name.namespace.clone(),
        name: format!("{DOOR_PREFIX}{}", short(&pod.workload, index)),
        address: None,
        selector,
        ports: vec![port(Port::tcp(number)), port(Port::udp(number))],
        ways: Ways { external_addresses: vec![DOOR_ADDRESS.to_string()], ..Ways::default() },
        door: Some(if pod.agent { Door::Workload } else { Door::Twin }),
    })
}

fn stable_labels(pod: &Pod) -> BTreeMap<String, String> {
    let labels = pod.labels.iter().filter(|(key, _)| !GENERATED.contains(&key.as_str()));
    labels.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn short(workload: &str, index: usize) -> String {
    let name = workload.replace('.', "-");
    match name.get(..CUT_LENGTH) {
        Some(cut) if name.len() > NAME_LENGTH_MAX => format!("{cut}-{index}"),
        _ => name,
    }
}

/// In every tenant's namespaces a name for one workload of each other tenant: more would be as many
/// Services as there are pairs of workloads, and the name alone is what differs.
fn names_of_others(contract: &Contract, first_of: &BTreeMap<&str, Service>) -> Vec<Service> {
    let mut names = Vec::new();
    for (tenant, other) in contract.tenants.iter().flat_map(|tenant| {
        let others = contract.tenants.iter().filter(move |other| other.name != tenant.name);
        others.map(move |other| (tenant, other))
    }) {
        for (from, to) in tenant
            .namespaces
            .iter()
            .flat_map(|from| other.namespaces.iter().map(move |to| (from, to)))
        {
            let Some(target) = first_of.get(to.as_str()) else { continue };
            names.push(Service {
                namespace: from.clone(),
                name: format!("{DOOR_PREFIX}to-{}", short(to, names.len())),
                address: None,
                selector: BTreeMap::new(),
                ports: target.ports.clone(),
                ways: Ways { external_name: Some(target.dns_name()), ..Ways::default() },
                door: Some(Door::Workload),
            });
        }
    }
    names
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
