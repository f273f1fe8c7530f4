//! Asking for a pod by every other address that a cluster has for it.
//!
//! Where a door leads, and whose address the packet has when a policy sees it, depends on the
//! nodes: kube-proxy on the node that is asked turns the door's address into the pod's. On the
//! client's own node that happens before the client's policies look; a pod on another node then
//! sees the node's address in place of the client's (`Cluster`). So a door of which the target's
//! policies see a node's address is open to nobody while they stand, and has no control.

use super::cell::Unproven;
use super::targets::{Aim, Viewer, label, proof_of, speak_to};
use crate::doors::door_port;
use crate::inventory::{Inventory, Node, Pod, Service};
use crate::port::{Port, Transport};
use crate::probe::{By, Target};

/// One way through a door to one pod.
struct Way {
    /// What tells it from other ways of the same kind.
    word: String,
    address: String,
    port: Port,
    /// The node on which a client that may use it must stand.
    control_on: Option<String>,
    unproven: Option<Unproven>,
}

/// The aims at one pod by one kind of door, as a client asks for it: one port, over each
/// transport that is wanted.
pub(super) fn aims_by_door(
    viewer: &Viewer<'_>,
    client: &Pod,
    (pod, stand_in): (&Pod, &Pod),
    by: By,
    wanted: &[Port],
    inventory: &Inventory,
) -> Vec<Aim> {
    let Some(number) = door_port(pod) else { return Vec::new() };
    let transports = [Transport::Tcp, Transport::Udp].map(|transport| Port { number, transport });
    let containers = transports.into_iter().filter(|port| wanted.contains(port));
    let services: Vec<&Service> =
        inventory.services.iter().filter(|service| service.selects(stand_in)).collect();
    let mut aims = Vec::new();
    for container in containers {
        for service in &services {
            let behind = inventory.pods.iter().filter(|other| service.selects(other));
            let servers: Vec<_> =
                behind.filter(|other| other.agent).map(|other| other.name.clone()).collect();
            let here = Here { client, stand_in, inventory, service, container };
            aims.extend(here.ways(by).into_iter().map(|way| Aim {
                target: Target {
                    label: format!("{} ({})", label(pod), way.word),
                    by,
                    address: way.address,
                    port: way.port,
                    speak: speak_to(stand_in, container),
                    servers: servers.clone(),
                },
                pod: Some(pod.clone()),
                proof: proof_of(viewer, pod, container),
                container_port: number,
                column: label(pod),
                control_on: way.control_on,
                unproven: way.unproven,
            }));
        }
    }
    aims
}

/// One Service, one port of the pod behind it, and who asks.
struct Here<'a> {
    client: &'a Pod,
    stand_in: &'a Pod,
    inventory: &'a Inventory,
    service: &'a Service,
    container: Port,
}

impl Here<'_> {
    fn ways(&self, by: By) -> Vec<Way> {
        match by {
            By::Headless if self.service.ways.headless => self.by_headless_name(),
            By::NodePort => self.by_node_port(),
            By::ExternalName => self.by_external_name(),
            By::ExternalIp => self.by_external_address(),
            _ => Vec::new(),
        }
    }

    /// The Service's port that leads to the container's.
    fn port(&self) -> Option<&crate::inventory::ServicePort> {
        self.service.ports.iter().find(|one| {
            one.target == self.container.number && one.port.transport == self.container.transport
        })
    }

    /// Names lead to the pod's own address, on its own port.
    fn by_headless_name(&self) -> Vec<Way> {
        let way = |word: &str, address: String| Way {
            word: word.to_string(),
            address,
            port: self.container,
            control_on: None,
            unproven: None,
        };
        let of_service = way("the Service's name", self.service.dns_name());
        // A pod of the layout may have a subdomain, and then another name than this.
        let of_pod =
            self.service.door.map(|_| way("the pod's name", self.service.pod_name(self.stand_in)));
        std::iter::once(of_service).chain(of_pod).collect()
    }

    fn by_external_name(&self) -> Vec<Way> {
        let Some(port) = self.port() else { return Vec::new() };
        let name = Some(self.service.dns_name());
        let own = self.inventory.services.iter().filter(|other| {
            other.namespace == self.client.name.namespace && other.ways.external_name == name
        });
        own.map(|other| Way {
            word: "a name in the client's namespace".to_string(),
            address: other.dns_name(),
            port: port.port,
            control_on: None,
            unproven: None,
        })
        .collect()
    }

    fn by_external_address(&self) -> Vec<Way> {
        let Some(port) = self.port() else { return Vec::new() };
        let addresses = self.service.ways.external_addresses.iter();
        addresses
            .map(|address| Way {
                word: "an address that its Service claims".to_string(),
                address: address.clone(),
                port: port.port,
                control_on: Some(self.stand_in.node.clone()),
                unproven: None,
            })
            .collect()
    }

    fn by_node_port(&self) -> Vec<Way> {
        let Some(number) = self.port().and_then(|port| port.node) else { return Vec::new() };
        let nodes = &self.inventory.nodes;
        let own = nodes.iter().find(|node| node.name == self.client.node);
        // Where the pod itself stands, if that is another: else any other.
        let others = || nodes.iter().filter(|node| node.name != self.client.node);
        let another =
            others().find(|node| node.name == self.stand_in.node).or_else(|| others().next());
        let port = Port { number, ..self.container };
        let own = own.map(|node| self.node_way("the client's own node", node, port));
        let another = another.map(|node| self.node_way("another node", node, port));
        own.into_iter().chain(another).collect()
    }

    fn node_way(&self, which: &str, node: &Node, port: Port) -> Way {
        let is_local = self.service.ways.local;
        let policy = if is_local { "Local" } else { "Cluster" };
        let leads_away = !is_local && node.name != self.stand_in.node;
        Way {
            word: format!("{policy}, {which}"),
            address: node.address.clone(),
            port,
            control_on: Some(node.name.clone()),
            unproven: leads_away.then_some(Unproven::LeadsAway),
        }
    }
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
