//! Nodes as targets: their own ports, whoever listens there, and our server on their network.

use super::cell::Unproven;
use super::targets::{Aim, Viewer, speaks_https};
use crate::contract::{Endpoint, Entity};
use crate::inventory::{Inventory, NODE_CLIENT_PORT, Node, Pod, Role};
use crate::port::{Port, Transport};
use crate::probe::{By, Speak, Target};
use crate::scenario::{Ports, Reach};
use crate::verdict::ProofLevel;

/// The ports that a question lists, on every node, and our server there. What the contract names
/// on a node must listen there; anything else is asked in case it does.
pub(super) fn aims_at_nodes(
    viewer: &Viewer<'_>,
    question: &Reach,
    inventory: &Inventory,
) -> Vec<Aim> {
    let Ports::These(ports) = &question.ports else { return Vec::new() };
    let mut aims = Vec::new();
    for node in &inventory.nodes {
        let wanted = ports.iter().filter(|port| question.transports.contains(&port.transport));
        aims.extend(wanted.filter_map(|port| aim_at_port(viewer, node, *port)));
        let ours = inventory.with_role(Role::NodeClient).find(|pod| pod.node == node.name);
        for transport in &question.transports {
            let Some(server) = ours.filter(|_| *transport != Transport::Sctp) else { continue };
            aims.push(aim_at_ours(node, server, *transport));
        }
    }
    aims
}

/// None where the contract allows the tenant this very port.
fn aim_at_port(viewer: &Viewer<'_>, node: &Node, port: Port) -> Option<Aim> {
    let stands_on = |endpoint: &Endpoint| match endpoint.entity {
        Some(Entity::Node) => true,
        Some(Entity::Apiserver) => node.control_plane,
        None => false,
    };
    let mut named = viewer
        .contract
        .endpoints
        .iter()
        .filter(|(_, endpoint)| stands_on(endpoint) && endpoint.ports.contains(&port));
    let Some((name, endpoint)) = named.next() else {
        return Some(aim(node, "node", port, (Speak::Connect, accepted(viewer)), true));
    };
    let tenant = viewer.tenant?;
    if viewer.contract.allowed_endpoints(&tenant.name).contains(&name.as_str()) {
        return None;
    }
    let speak = if speaks_https(endpoint) { Speak::Https } else { Speak::Connect };
    Some(aim(node, name, port, (speak, endpoint.proof), false))
}

/// No port of a node keeps receipts: what the contract accepts of one that it names it accepts of
/// all.
fn accepted(viewer: &Viewer<'_>) -> ProofLevel {
    let endpoints = viewer.contract.endpoints.values();
    let of_nodes = endpoints.filter(|endpoint| endpoint.entity == Some(Entity::Node));
    of_nodes.map(|endpoint| endpoint.proof).min().unwrap_or(ProofLevel::Receipt)
}

fn aim(
    node: &Node,
    name: &str,
    port: Port,
    (speak, proof): (Speak, ProofLevel),
    may_be_idle: bool,
) -> Aim {
    Aim {
        target: Target {
            label: format!("{name}@{}", node.name),
            by: By::Node,
            address: node.address.clone(),
            port,
            speak,
            servers: Vec::new(),
        },
        pod: None,
        proof,
        container_port: port.number,
        column: name.to_string(),
        control_on: None,
        unproven: may_be_idle.then_some(Unproven::MayBeIdle),
    }
}

fn aim_at_ours(node: &Node, server: &Pod, transport: Transport) -> Aim {
    let port = Port { number: NODE_CLIENT_PORT, transport };
    let mut aim = aim(node, "node", port, (Speak::Nonce, ProofLevel::Receipt), false);
    aim.target.servers = vec![server.name.clone()];
    aim
}
