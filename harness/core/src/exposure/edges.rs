//! Which edges to probe: a few around one tenant, of every kind that can leak or break.

use crate::contract::Contract;
use crate::inventory::{Inventory, Pod, PodName, Role};
use crate::port::{Port, Transport};

/// One edge to probe: a client, a target, one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The client's pod.
    pub from: PodName,
    /// The client, for people: `customer-b/open-webui`.
    pub from_label: String,
    /// The target with its port, for people: `customer-a/postgres 5432/TCP`.
    pub to_label: String,
    /// The target's address.
    pub address: String,
    /// The target's port.
    pub port: Port,
    /// The pod whose agent keeps receipts of it.
    pub server: PodName,
    /// Whether the contract denies it.
    pub forbidden: bool,
    /// Whether all probes go over one connection, or one socket.
    pub steady: bool,
}

impl Edge {
    /// The same edge over one connection that was there before.
    #[must_use]
    pub fn established(self) -> Self {
        let to_label = format!("{} established", self.to_label);
        Self { steady: true, to_label, ..self }
    }
}

/// The edges around one tenant. Every client and every server is an agent, or the twin of
/// somebody else's pod.
pub fn edges(contract: &Contract, inventory: &Inventory, subject: &str) -> Vec<Edge> {
    let picker = Picker { contract, inventory };
    let own = picker.agents_of(subject);
    let Some(client) = own.first().copied() else { return Vec::new() };
    let server = picker.server_of(subject, client);
    let mut edges = Vec::new();
    edges.extend(edges_from(contract, inventory, subject, client));
    if let Some(server) = server {
        edges.extend(edges_to(contract, inventory, subject, server));
        edges.extend(both(client, server, !contract.allows_same_tenant(subject)));
    }
    edges
}

/// The edges out of one pod of a tenant, to others.
pub fn edges_from(
    contract: &Contract,
    inventory: &Inventory,
    subject: &str,
    client: &Pod,
) -> Vec<Edge> {
    let picker = Picker { contract, inventory };
    let mut edges = Vec::new();
    for sink in inventory.with_role(Role::OpenSink).filter(|pod| pod.agent) {
        edges.extend(both(client, sink, true));
    }
    if let Some(other) = picker.other(subject)
        && let Some(target) = picker.agents_of(other).last()
    {
        edges.extend(both(client, target, true));
    }
    if let Some((pod, port)) = picker.platform_port(subject, false) {
        edges.extend(edge(client, pod, port, true));
    }
    if let Some((pod, port)) = picker.platform_port(subject, true) {
        edges.extend(edge(client, pod, port, false));
    }
    edges
}

/// The edges into one pod of a tenant, from others.
pub fn edges_to(
    contract: &Contract,
    inventory: &Inventory,
    subject: &str,
    server: &Pod,
) -> Vec<Edge> {
    let picker = Picker { contract, inventory };
    let mut edges = Vec::new();
    for client in inventory.with_role(Role::OpenClient).filter(|pod| pod.agent) {
        edges.extend(both(client, server, true));
    }
    if let Some(other) = picker.other(subject)
        && let Some(client) = picker.agents_of(other).first()
    {
        edges.extend(both(client, server, true));
    }
    edges
}

struct Picker<'a> {
    contract: &'a Contract,
    inventory: &'a Inventory,
}

impl<'a> Picker<'a> {
    /// Agents that stand for a tenant's workloads, in the order of their names.
    fn agents_of(&self, tenant: &str) -> Vec<&'a Pod> {
        let Some(tenant) = self.contract.tenant(tenant) else { return Vec::new() };
        let in_namespaces = |pod: &&Pod| tenant.namespaces.contains(&pod.name.namespace);
        let workloads = self.inventory.pods.iter().filter(|pod| pod.role == Role::Workload);
        let on_network = workloads.filter(in_namespaces).filter(|pod| !pod.host_network);
        let mut agents: Vec<&Pod> =
            on_network.filter_map(|pod| self.inventory.stand_in(pod)).collect();
        agents.sort_by(|one, other| one.name.cmp(&other.name));
        agents
    }

    /// A pod of the tenant that listens and is not the client.
    fn server_of(&self, tenant: &str, client: &Pod) -> Option<&'a Pod> {
        let agents = self.agents_of(tenant).into_iter().rev();
        agents.filter(|pod| pod.workload != client.workload).find(|pod| tcp_port(pod).is_some())
    }

    /// The next tenant after this one, round the list.
    fn other(&self, subject: &str) -> Option<&'a str> {
        let tenants = &self.contract.tenants;
        let place = tenants.iter().position(|tenant| tenant.name == subject)?;
        let others = tenants.iter().cycle().skip(place + 1).take(tenants.len() - 1);
        others.map(|tenant| tenant.name.as_str()).find(|name| !self.agents_of(name).is_empty())
    }

    /// A port of the platform's pods that the tenant may reach, or may not.
    fn platform_port(&self, subject: &str, allowed: bool) -> Option<(&'a Pod, Port)> {
        let workloads = self.inventory.workloads(&self.contract.platform);
        let mut agents: Vec<&Pod> =
            workloads.filter_map(|pod| self.inventory.stand_in(pod)).collect();
        // A port that the contract names comes before one that nobody speaks of.
        agents.sort_by_key(|pod| (!self.is_named(pod), pod.name.clone()));
        agents.into_iter().find_map(|pod| {
            let port = pod.listening().into_iter().find(|port| {
                let fits = self.contract.allows(subject, &pod.name.namespace, &pod.labels, *port);
                port.transport == Transport::Tcp && fits == allowed && !pod.decoys.contains(port)
            })?;
            Some((pod, port))
        })
    }

    fn is_named(&self, pod: &Pod) -> bool {
        let mut endpoints = self.contract.endpoints.values();
        endpoints.any(|endpoint| endpoint.selects(&pod.name.namespace, &pod.labels))
    }
}

fn tcp_port(pod: &Pod) -> Option<Port> {
    let mut ports = pod.listening().into_iter();
    ports.find(|port| port.transport == Transport::Tcp && !pod.decoys.contains(port))
}

/// TCP and UDP to the first port of a pod; an agent answers both on it.
fn both(client: &Pod, server: &Pod, forbidden: bool) -> Vec<Edge> {
    let Some(port) = tcp_port(server) else { return Vec::new() };
    let ports = [port, Port::udp(port.number)];
    ports.into_iter().filter_map(|port| edge(client, server, port, forbidden)).collect()
}

fn edge(client: &Pod, server: &Pod, port: Port, forbidden: bool) -> Option<Edge> {
    (client.name != server.name).then(|| Edge {
        from: client.name.clone(),
        from_label: label(client),
        to_label: format!("{} {port}", label(server)),
        address: server.address.clone(),
        port,
        server: server.name.clone(),
        forbidden,
        steady: false,
    })
}

fn label(pod: &Pod) -> String {
    format!("{}/{}", pod.name.namespace, pod.workload)
}
