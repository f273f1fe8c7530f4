//! Which addresses and ports a party's pods can be asked at.

use super::cell::Unproven;
use super::doors::aims_by_door;
use super::outside::speak_names;
use crate::contract::{Contract, Endpoint, Entity, Tenant};
use crate::inventory::{Inventory, Pod, Role, Service};
use crate::port::{Port, Transport};
use crate::probe::{By, Speak, Target};
use crate::scenario::{Ports, Reach};
use crate::verdict::ProofLevel;

/// A target with what is known of it for judging.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    pub target: Target,
    /// The pod that stands behind it, for choosing control clients; none for an entity.
    pub pod: Option<Pod>,
    pub proof: ProofLevel,
    /// The container port behind the target's port.
    pub container_port: u16,
    /// Column of the matrix.
    pub column: String,
    /// The node on which a client that may reach it must stand, where that matters.
    pub control_on: Option<String>,
    /// Why there may be no such client.
    pub unproven: Option<Unproven>,
}

/// Whose allowances decide which ports count as contracted.
pub(super) struct Viewer<'a> {
    pub contract: &'a Contract,
    pub tenant: Option<&'a Tenant>,
}

impl Viewer<'_> {
    fn allows(&self, pod: &Pod, port: Port) -> bool {
        self.tenant.is_some_and(|tenant| {
            let own = tenant.namespaces.contains(&pod.name.namespace);
            (own && self.contract.allows_same_tenant(&tenant.name))
                || self.contract.allows(&tenant.name, &pod.name.namespace, &pod.labels, port)
        })
    }

    fn wants(&self, question: &Reach, pod: &Pod, port: Port) -> bool {
        let of_ports = match &question.ports {
            Ports::Uncontracted => !self.allows(pod, port),
            Ports::Contracted => self.allows(pod, port),
            Ports::Listening => true,
            Ports::These(ports) => ports.contains(&port),
        };
        of_ports && question.transports.contains(&port.transport)
    }
}

/// What a probe says to a port, so that an answer can be told.
pub(super) fn speak_to(pod: &Pod, port: Port) -> Speak {
    if pod.role == Role::NameServer {
        return speak_names(port);
    }
    match (pod.agent, port.number, port.transport) {
        (true, ..) => Speak::Nonce,
        (false, 53, _) | (false, _, Transport::Udp) => Speak::Dns,
        (false, _, Transport::Tcp | Transport::Sctp) => Speak::Connect,
    }
}

/// Every way of asking one pod on the ports that the question wants. For a deny somebody
/// else's pod is replaced by its twin, which keeps receipts.
pub(super) fn aims_at_pod(
    viewer: &Viewer<'_>,
    question: &Reach,
    (client, pod): (&Pod, &Pod),
    denies: bool,
    inventory: &Inventory,
) -> Vec<Aim> {
    let stand_in = if denies { inventory.stand_in(pod).unwrap_or(pod) } else { pod };
    let mut listening = stand_in.listening();
    // A pod need not declare a port to listen on it; the contract knows better.
    let endpoints = viewer.contract.endpoints.values();
    let selecting = endpoints.filter(|one| one.selects(&pod.name.namespace, &pod.labels));
    listening.extend(selecting.flat_map(|endpoint| &endpoint.ports));
    listening.sort();
    listening.dedup();
    let wanted: Vec<Port> =
        listening.into_iter().filter(|port| viewer.wants(question, pod, *port)).collect();
    let mut aims = Vec::new();
    for by in &question.by {
        match by {
            By::Pod => {
                aims.extend(wanted.iter().map(|port| aim_by_pod(viewer, pod, stand_in, *port)))
            }
            By::Service | By::Name if stand_in.name == pod.name => {
                aims.extend(aims_by_service(viewer, pod, *by, &wanted, inventory));
            }
            // A Service leads to the pod and never to its twin. Nothing is lost: what a Service
            // is asked is judged by policies at the pod's own address.
            By::Service | By::Name | By::Node => {}
            By::Headless | By::NodePort | By::ExternalName | By::ExternalIp => {
                let target = (pod, stand_in);
                aims.extend(aims_by_door(viewer, client, target, *by, &wanted, inventory));
            }
        }
    }
    aims
}

fn aim_by_pod(viewer: &Viewer<'_>, pod: &Pod, stand_in: &Pod, port: Port) -> Aim {
    let servers = if stand_in.agent { vec![stand_in.name.clone()] } else { Vec::new() };
    let target = Target {
        label: label(pod),
        by: By::Pod,
        address: stand_in.address.clone(),
        port,
        speak: speak_to(stand_in, port),
        servers,
    };
    Aim {
        target,
        pod: Some(pod.clone()),
        proof: proof_of(viewer, pod, port),
        container_port: port.number,
        column: label(pod),
        control_on: None,
        unproven: None,
    }
}

fn aims_by_service(
    viewer: &Viewer<'_>,
    pod: &Pod,
    by: By,
    wanted: &[Port],
    inventory: &Inventory,
) -> Vec<Aim> {
    let services = inventory.services.iter();
    let services = services.filter(|service| service.door.is_none() && service.selects(pod));
    let mut aims = Vec::new();
    for service in services {
        for port in &service.ports {
            let container = Port { number: port.target, transport: port.port.transport };
            let address = address_of(service, by);
            if let (true, Some(address)) = (wanted.contains(&container), address) {
                let behind = inventory.pods.iter().filter(|other| service.selects(other));
                let servers = behind.filter(|other| other.agent).map(|other| other.name.clone());
                let target = Target {
                    label: format!("{}/{}", service.namespace, service.name),
                    by,
                    address,
                    port: port.port,
                    speak: speak_to(pod, container),
                    servers: servers.collect(),
                };
                let proof = proof_of(viewer, pod, container);
                aims.push(Aim {
                    target,
                    pod: Some(pod.clone()),
                    proof,
                    container_port: port.target,
                    column: label(pod),
                    control_on: None,
                    unproven: None,
                });
            }
        }
    }
    aims
}

fn address_of(service: &Service, by: By) -> Option<String> {
    match by {
        By::Service => service.address.clone(),
        By::Name => Some(service.dns_name()),
        _ => None,
    }
}

/// The entities of the contract that the tenant may not reach (or may, if `contracted`).
pub(super) fn aims_at_entities(
    viewer: &Viewer<'_>,
    question: &Reach,
    contracted: bool,
    inventory: &Inventory,
) -> Vec<Aim> {
    let allowed = viewer
        .tenant
        .map(|tenant| viewer.contract.allowed_endpoints(&tenant.name))
        .unwrap_or_default();
    let mut aims = Vec::new();
    for (name, endpoint) in &viewer.contract.endpoints {
        let Some(entity) = endpoint.entity else { continue };
        if allowed.contains(&name.as_str()) != contracted {
            continue;
        }
        let nodes =
            inventory.nodes.iter().filter(|node| entity == Entity::Node || node.control_plane);
        let mut places: Vec<(By, String, String, u16)> = Vec::new();
        for node in nodes {
            for port in &endpoint.ports {
                let label = format!("{name}@{}", node.name);
                places.push((By::Node, label, node.address.clone(), port.number));
            }
        }
        if speaks_https(endpoint) && question.by.contains(&By::Service) {
            places.extend(apiserver_service(inventory));
        }
        for (by, label, address, number) in places {
            let port = Port::tcp(number);
            let speak = if speaks_https(endpoint) { Speak::Https } else { Speak::Connect };
            let target = Target { label, by, address, port, speak, servers: Vec::new() };
            aims.push(Aim {
                target,
                pod: None,
                proof: endpoint.proof,
                container_port: number,
                column: name.clone(),
                control_on: None,
                unproven: None,
            });
        }
    }
    aims
}

/// Where no proof by controls alone is accepted, the API server's audit log is the receipt, and
/// only HTTP requests are in it.
pub(super) fn speaks_https(endpoint: &Endpoint) -> bool {
    endpoint.entity == Some(Entity::Apiserver) && endpoint.proof == ProofLevel::Receipt
}

/// The Service by which every pod is told to reach the API server.
fn apiserver_service(inventory: &Inventory) -> Option<(By, String, String, u16)> {
    let service = inventory.services.iter().find(|service| {
        (service.namespace.as_str(), service.name.as_str()) == ("default", "kubernetes")
    })?;
    let port = service.ports.first()?.port.number;
    Some((By::Service, "default/kubernetes".to_string(), service.address.clone()?, port))
}

pub(super) fn proof_of(viewer: &Viewer<'_>, pod: &Pod, port: Port) -> ProofLevel {
    let endpoint = viewer.contract.endpoints.values().find(|endpoint| {
        endpoint.selects(&pod.name.namespace, &pod.labels) && endpoint.ports.contains(&port)
    });
    endpoint.map_or(ProofLevel::Receipt, |endpoint| endpoint.proof)
}

/// A pod for people: its namespace and workload, without generated parts.
pub(super) fn label(pod: &Pod) -> String {
    format!("{}/{}", pod.name.namespace, pod.workload)
}
