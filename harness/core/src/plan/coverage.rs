//! What a trial should have asked and could not: a contracted port without a pod, or without
//! the Service by which it is to be reached. Such a square is not left out but undetermined,
//! because a matrix that loses what is missing would be green for it.

use std::collections::BTreeSet;
use std::fmt;

use super::cell::Plan;
use super::reach::Asked;
use super::trial::Trial;
use crate::contract::{Contract, Endpoint, Tenant};
use crate::doors::door_port;
use crate::index::Index;
use crate::inventory::{Inventory, Pod};
use crate::port::Port;
use crate::probe::{By, Probe};
use crate::scenario::{Expect, Party, Ports, Question, Reach};

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
                let by = by.word();
                let why = format!("nothing stands behind `{name}` {port} by {by}");
                plan.missing(index, &tenant.name, name, why);
            }
        }
    }
}

/// Where there are several nodes, add an undetermined cell for every pair of tenants that was not
/// asked from the target's own node, or not from another one: walls on one node and between nodes
/// are made by different rules.
pub(super) fn plan_unasked_nodes(
    plan: &mut Plan,
    asked: &Asked<'_>,
    contract: &Contract,
    inventory: &Inventory,
) {
    let Asked { index, trial, question, .. } = *asked;
    let (Some(tenant), Some(other)) = (trial.tenant(contract), trial.other(contract)) else {
        return;
    };
    let is_asked = trial.scenario.expect == Expect::Denied && question.by.contains(&By::Pod);
    let stands = |pod: &&Pod| inventory.nodes.iter().any(|node| node.name == pod.node);
    let stand = |one: &Tenant| inventory.workloads(&one.namespaces).any(|pod| stands(&pod));
    if !is_asked || inventory.nodes.len() < 2 || !stand(tenant) || !stand(other) {
        return;
    }
    let places = NodesAsked::of(plan, asked);
    for (is_there, place) in [(places.same, "the same node"), (places.across, "another node")] {
        if !is_there {
            let why = format!(
                "no pod of {} asked one of {} from {place}, and none stood in for it there",
                tenant.name, other.name
            );
            plan.missing(index, &tenant.name, &other.name, why);
        }
    }
}

/// Add an undetermined cell for every kind of door by which no pod of the other tenant was asked
/// though one of them has a port: a door that was not made is no wall.
pub(super) fn plan_unasked_doors(
    plan: &mut Plan,
    asked: &Asked<'_>,
    contract: &Contract,
    inventory: &Inventory,
) {
    let Asked { index, trial, question, .. } = *asked;
    let (Some(tenant), Some(other)) = (trial.tenant(contract), trial.other(contract)) else {
        return;
    };
    let doors: Vec<&str> =
        question.by.iter().filter(|by| by.is_door()).map(|by| by.word()).collect();
    if doors.is_empty() {
        return;
    }
    let stands = |one: &Tenant| inventory.workloads(&one.namespaces).next().is_some();
    let mut targets = inventory.workloads(&other.namespaces);
    if !stands(tenant) || !targets.any(|pod| !pod.host_network && door_port(pod).is_some()) {
        return;
    }
    let own = plan.cells_of(index).iter();
    let probes = own.filter_map(|cell| plan.batch.probes.get(cell.probe));
    let asked_by: BTreeSet<&str> = probes
        .filter_map(|probe| match probe {
            Probe::Reach(probe) => Some(probe.target.by.word()),
            _ => None,
        })
        .collect();
    let unasked: Vec<&str> = doors.into_iter().filter(|word| !asked_by.contains(word)).collect();
    for by in unasked {
        let why = format!("no pod of {} asked one of {} by {by}", tenant.name, other.name);
        plan.missing(index, &tenant.name, &other.name, why);
    }
}

/// From where the pods of one trial were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NodesAsked {
    same: bool,
    across: bool,
}

impl NodesAsked {
    fn of(plan: &Plan, asked: &Asked<'_>) -> Self {
        let mut places = Self::default();
        for cell in plan.cells_of(asked.index) {
            let Some(Probe::Reach(probe)) = plan.batch.probes.get(cell.probe) else { continue };
            let server = probe.target.servers.first().and_then(|server| asked.pods.pod(server));
            let (Some(client), Some(server)) = (asked.pods.pod(&probe.from), server) else {
                continue;
            };
            places.same |= client.node == server.node;
            places.across |= client.node != server.node;
        }
        places
    }
}

/// How many ordered pairs of tenants were asked from where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCoverage {
    /// Nodes that there are.
    pub nodes: usize,
    /// Pairs of tenants that were asked at their pods' own addresses.
    pub pairs: usize,
    /// Those asked from the target's own node.
    pub same: usize,
    /// Those asked from another node.
    pub across: usize,
}

/// `nodes: 2; pairs of tenants asked on one node 6 of 6, across nodes 6 of 6`.
impl fmt::Display for NodeCoverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, pairs, same, across } = self;
        write!(formatter, "nodes: {nodes}; pairs of tenants asked on one node {same} of {pairs}")?;
        match nodes {
            0 | 1 => write!(formatter, ", across nodes not asked: there is no other"),
            _ => write!(formatter, ", across nodes {across} of {pairs}"),
        }
    }
}

/// From where the pairs of tenants were asked.
pub fn node_coverage(plan: &Plan, trials: &[Trial], inventory: &Inventory) -> NodeCoverage {
    let mut found = NodeCoverage { nodes: inventory.nodes.len(), ..NodeCoverage::default() };
    let pods = Index::of(inventory);
    for (index, trial) in trials.iter().enumerate() {
        let Question::Reach(question) = &trial.scenario.probe else { continue };
        let is_pair = trial.other.is_some() && question.by.contains(&By::Pod);
        if !is_pair || trial.scenario.expect != Expect::Denied {
            continue;
        }
        let places = NodesAsked::of(plan, &Asked { index, trial, question, pods: &pods });
        found.pairs += 1;
        found.same += usize::from(places.same);
        found.across += usize::from(places.across);
    }
    found
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
        By::Headless | By::NodePort | By::ExternalName | By::ExternalIp => {
            inventory.services.iter().any(|service| {
                let ways = &service.ways;
                service.selects(pod)
                    && match by {
                        By::Headless => ways.headless,
                        By::NodePort => service.ports.iter().any(|one| one.node.is_some()),
                        By::ExternalIp => !ways.external_addresses.is_empty(),
                        _ => inventory.services.iter().any(|other| {
                            other.ways.external_name.as_ref() == Some(&service.dns_name())
                        }),
                    }
            })
        }
        By::Service | By::Name => inventory.services.iter().any(|service| {
            service.door.is_none()
                && service.selects(pod)
                && (by == By::Name || service.address.is_some())
                && service
                    .ports
                    .iter()
                    .any(|one| one.target == port.number && one.port.transport == port.transport)
        }),
    })
}
