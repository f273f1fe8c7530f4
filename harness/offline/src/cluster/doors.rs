//! Where a door leads, and whose address a policy sees on the way.
//!
//! What is modelled was measured on a cluster with kube-proxy in its iptables mode and Calico: the
//! door's address is turned into the pod's on the node that is asked, before the policies of a
//! client on that node look; a packet that goes on to another node carries the first one's
//! address, save where `externalTrafficPolicy` is `Local`.

use partywall_core::inventory::{Role, Service};
use partywall_core::observation::Outcome;
use partywall_core::port::Port;
use partywall_core::probe::{By, Target};

use super::reach::{Destination, Ground};
use super::walls::{Leg, Place};

/// What a node answers on whatever the layout is: the kubelet and kube-proxy's health, and on a
/// control plane the API server.
const NODE_PORTS: [u16; 2] = [10250, 10256];
const CONTROL_PLANE_PORTS: [u16; 1] = [6443];

/// A packet as the client's policies see it, and as those of its end do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pub(super) egress: Leg,
    pub(super) ingress: Leg,
    pub(super) end: Destination,
}

impl Ground<'_> {
    /// Everything that a client's packet may become on its way through a door, or why it comes
    /// nowhere.
    pub(super) fn passages(&self, client: usize, target: &Target) -> Result<Vec<Passage>, String> {
        let ends = self.destinations(target);
        if ends.is_empty() {
            return Err(format!("no file says where {} leads", target.label));
        }
        let from = self.place_of(client);
        let straight = |end: Destination| Passage {
            egress: Leg { from, to: end.place, port: end.port },
            ingress: Leg { from, to: end.place, port: end.port },
            end,
        };
        if matches!(target.by, By::Headless | By::ExternalName) {
            return Ok(ends.into_iter().map(straight).collect());
        }
        let own = self.node_of(client).ok_or("no file says on which node the client is")?;
        let asked = match target.by {
            By::ExternalIp => Some(own),
            _ => self.standing.nodes.iter().position(|node| node.address == target.address),
        };
        let asked = asked.ok_or("no file says which node has this address")?;
        let is_local = self.door(target).is_some_and(|service| service.ways.local);
        let passages = ends.into_iter().filter_map(|end| {
            let Place::Pod(pod) = end.place else { return Some(straight(end)) };
            let stands_on = self.node_of(pod)?;
            let seen_from = match (asked == own, is_local, stands_on == asked) {
                (true, true, _) | (true, false, true) => from,
                (true, false, false) => Place::FarNode(asked),
                (false, _, true) => Place::FarNode(own),
                (false, true, false) => return None,
                (false, false, false) => Place::FarNode(asked),
            };
            let egress = match asked == own {
                true => Leg { from, to: end.place, port: end.port },
                false => Leg { from, to: Place::Node(asked), port: target.port },
            };
            let ingress = Leg { from: seen_from, to: end.place, port: end.port };
            Some(Passage { egress, ingress, end })
        });
        Ok(passages.collect())
    }

    /// One outcome for all that the packet may become.
    pub(super) fn through(&self, client: usize, target: &Target) -> (Outcome, String) {
        let passages = match self.passages(client, target) {
            Ok(passages) => passages,
            Err(unknown) => return (Outcome::ProbeError, unknown),
        };
        if passages.is_empty() {
            let none = "the node that is asked has no pod of the Service".to_string();
            return (Outcome::Dropped, none);
        }
        self.together(passages.iter().map(|passage| {
            let ruling = self.walls.rule_legs(passage.egress, passage.ingress);
            self.one(&ruling, passage.end)
        }))
    }

    /// The Service behind an address that is a node's or that a Service claims.
    fn door(&self, target: &Target) -> Option<&Service> {
        let is_there = |service: &&Service| match target.by {
            By::NodePort => self.port_behind(service, target).is_some(),
            By::ExternalIp => {
                service.ways.external_addresses.contains(&target.address)
                    && self.port_behind(service, target).is_some()
            }
            By::Headless => {
                service.ways.headless
                    && (target.address == service.dns_name()
                        || target.address.ends_with(&format!(".{}", service.dns_name())))
            }
            By::ExternalName => {
                let named = self.standing.services.iter().find(|one| {
                    one.ways.external_name.is_some() && one.dns_name() == target.address
                });
                named.is_some_and(|one| one.ways.external_name == Some(service.dns_name()))
            }
            _ => false,
        };
        self.standing.services.iter().find(is_there)
    }

    fn port_behind(&self, service: &Service, target: &Target) -> Option<Port> {
        let is_it = |one: &&partywall_core::inventory::ServicePort| match target.by {
            By::NodePort => {
                one.node == Some(target.port.number) && one.port.transport == target.port.transport
            }
            _ => one.port == target.port,
        };
        let found = service.ports.iter().find(is_it)?;
        Some(Port { number: found.target, transport: target.port.transport })
    }

    /// The pods that a door leads to, with the port behind it.
    pub(super) fn behind_door(&self, target: &Target) -> Vec<Destination> {
        let Some(service) = self.door(target) else { return Vec::new() };
        // Names of pods lead to the pods themselves, on their own ports.
        let port = match target.by {
            By::Headless => Some(target.port),
            _ => self.port_behind(service, target),
        };
        let Some(port) = port else { return Vec::new() };
        let is_meant = |pod: &usize| {
            let pod = &self.standing.pods[*pod].pod;
            target.by != By::Headless
                || target.address == service.dns_name()
                || target.address == service.pod_name(pod)
        };
        let pods = self.standing.behind(service).filter(is_meant);
        pods.map(|pod| Destination { place: Place::Pod(pod), port }).collect()
    }

    /// Where packets of a pod come from: those of our pods on a node's network are the node's.
    pub(super) fn place_of(&self, pod: usize) -> Place {
        let of_node = self.standing.pods.get(pod).filter(|one| one.pod.role == Role::NodeClient);
        match of_node.and_then(|_| self.node_of(pod)) {
            Some(node) => Place::Node(node),
            None => Place::Pod(pod),
        }
    }

    fn node_of(&self, pod: usize) -> Option<usize> {
        let name = &self.standing.pods.get(pod)?.pod.node;
        self.standing.nodes.iter().position(|node| node.name == *name)
    }

    /// Whether something answers on a node's port, as far as anybody says.
    pub(super) fn node_listens(&self, node: usize, port: Port) -> bool {
        let Some(node) = self.standing.nodes.get(node) else { return true };
        let of_control_plane = node.control_plane
            && (CONTROL_PLANE_PORTS.contains(&port.number)
                || self.standing.control_plane_ports.contains(&port));
        let ours = self.standing.pods.iter().any(|one| {
            one.pod.role == Role::NodeClient
                && one.pod.node == node.name
                && one.pod.listening().contains(&port)
        });
        of_control_plane
            || ours
            || NODE_PORTS.contains(&port.number)
            || self.standing.node_ports.contains(&port)
    }
}
