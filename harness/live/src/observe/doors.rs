//! Doors: Services of the harness by which tenants' pods are asked in every way that a cluster
//! has. What they are is in [`partywall_core::doors`]; here they are made, and waited for.
//!
//! A door to the pods of a workload selects them. One to twins cannot: twins are never ready, so
//! that no Service takes them up, and their addresses are written down instead.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1 as core_v1;
use kube::api::{DeleteParams, DynamicObject};
use kube::{Api, Client, ResourceExt};
use partywall_agent::protocol::{Ask, Outcome, ReachRequest, Reply, Speak};
use partywall_core::contract::Contract;
use partywall_core::doors::doors;
use partywall_core::inventory::{
    DOOR_PREFIX, Door, HARNESS_LABEL, HARNESS_PORT, Inventory, Node, OPEN_NAMESPACE,
    OPEN_SINK_NAME, Pod, Role, Service, ServicePort, Ways,
};
use partywall_core::port::{Port, Transport};
use serde_json::{Value, json};

use super::harness_pods::{HarnessPodError, object};
use super::streams::Streams;
use crate::apply::{apply, apply_all};
use crate::random::nonce;
use crate::wait::{Poll, Wait, WaitError, until};

/// Annotation: the labels of the twins that a door without a selector leads to.
pub(super) const LEADS_TO: &str = "partywall.dev/leads-to";
/// The port of the door to our own sink; tenants' doors have others.
const SINK_DOOR_PORT: u16 = 19_999;
/// How long kube-proxy may take to make a door on every node.
const MADE: Wait = Wait::seconds(30).every(Duration::from_millis(200));
const ANSWER_MS: u64 = 500;

/// Make the doors that are missing or wrong, remove those that lead nowhere, and wait until the
/// last one is open on every node. Says whether anything changed.
pub(super) async fn ensure(
    client: &Client,
    contract: &Contract,
    inventory: &Inventory,
    streams: &Streams,
) -> Result<bool, HarnessPodError> {
    let wanted = doors(contract, inventory);
    let existing: Vec<&Service> = inventory
        .services
        .iter()
        .filter(|service| service.door.is_some() && service.namespace != OPEN_NAMESPACE)
        .collect();
    let is_same = |one: &Service, other: &Service| {
        (&one.namespace, &one.name) == (&other.namespace, &other.name)
    };
    let is_made = |door: &&Service| existing.iter().any(|one| same_door(one, door));
    let missing: Vec<&Service> = wanted.iter().filter(|door| !is_made(door)).collect();
    let stale = existing.iter().filter(|one| !wanted.iter().any(|door| is_same(one, door)));
    let stale: Vec<&&Service> = stale.collect();
    for door in &stale {
        remove(client, &door.namespace, &door.name).await;
    }
    let objects: Vec<DynamicObject> = missing.iter().map(|door| service_of(door)).collect();
    apply_all(client, &objects).await?;
    let behind: Vec<DynamicObject> =
        wanted.iter().filter_map(|door| endpoints_of(door, inventory)).collect();
    apply_all(client, &behind).await?;
    if missing.is_empty() && stale.is_empty() {
        return Ok(false);
    }
    open_on_every_node(client, inventory, streams).await?;
    Ok(true)
}

/// Whether a Service that stands is the door that is wanted, whatever addresses the cluster gave
/// it.
fn same_door(stands: &Service, door: &Service) -> bool {
    let ports = |service: &Service| {
        let ports = service.ports.iter().map(|one| ServicePort { node: None, ..*one });
        ports.collect::<Vec<_>>()
    };
    // A name that stands for another has no ports of its own.
    let has_ports = door.ways.external_name.is_some() || ports(stands) == ports(door);
    (&stands.namespace, &stands.name) == (&door.namespace, &door.name)
        && (stands.door, &stands.ways, &stands.selector) == (door.door, &door.ways, &door.selector)
        && has_ports
}

async fn remove(client: &Client, namespace: &str, name: &str) {
    let services: Api<core_v1::Service> = Api::namespaced(client.clone(), namespace);
    // A door that is already gone is as good as removed.
    let _gone = services.delete(name, &DeleteParams::default()).await;
}

fn service_of(door: &Service) -> DynamicObject {
    let mut annotations = json!({});
    let mut spec = json!({"ports": ports_of(door)});
    match (&door.ways, door.door) {
        (Ways { external_name: Some(name), .. }, _) => {
            spec = json!({"type": "ExternalName", "externalName": name});
        }
        (Ways { headless: true, .. }, _) => spec["clusterIP"] = json!("None"),
        (ways, _) => {
            spec["type"] = json!("NodePort");
            let policy = if ways.local { "Local" } else { "Cluster" };
            spec["externalTrafficPolicy"] = json!(policy);
            spec["externalIPs"] = json!(ways.external_addresses);
        }
    }
    match door.door {
        Some(Door::Twin) => annotations[LEADS_TO] = json!(json!(door.selector).to_string()),
        _ if door.ways.external_name.is_none() => spec["selector"] = json!(door.selector),
        _ => {}
    }
    object(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": door.name,
            "namespace": door.namespace,
            "labels": {HARNESS_LABEL: "door"},
            "annotations": annotations,
        },
        "spec": spec,
    }))
}

fn ports_of(door: &Service) -> Vec<Value> {
    let ports = door.ports.iter().map(|one| {
        let protocol = protocol(one.port.transport);
        json!({
            "name": protocol.to_lowercase(),
            "port": one.port.number,
            "protocol": protocol,
            "targetPort": one.target,
        })
    });
    ports.collect()
}

const fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
        Transport::Sctp => "SCTP",
    }
}

/// The labels that a door to twins leads to.
pub(super) fn leads_to(found: &core_v1::Service) -> BTreeMap<String, String> {
    let text = found.annotations().get(LEADS_TO).map(String::as_str).unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// Where a door to twins leads, address by address.
fn endpoints_of(door: &Service, inventory: &Inventory) -> Option<DynamicObject> {
    if door.door != Some(Door::Twin) {
        return None;
    }
    let behind: Vec<&Pod> = inventory.pods.iter().filter(|pod| door.selects(pod)).collect();
    let endpoints: Vec<Value> = behind
        .iter()
        .map(|pod| {
            json!({
                "addresses": [pod.address],
                "conditions": {"ready": true},
                "nodeName": pod.node,
                "targetRef": {
                    "kind": "Pod", "name": pod.name.name, "namespace": pod.name.namespace,
                },
            })
        })
        .collect();
    let ports: Vec<Value> = door
        .ports
        .iter()
        .map(|one| {
            let protocol = protocol(one.port.transport);
            json!({"name": protocol.to_lowercase(), "port": one.target, "protocol": protocol})
        })
        .collect();
    Some(object(json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": door.name,
            "namespace": door.namespace,
            "labels": {
                "kubernetes.io/service-name": door.name,
                "endpointslice.kubernetes.io/managed-by": "partywall.dev",
                HARNESS_LABEL: "door",
            },
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    })))
}

/// A door to our own sink, made last: once it is open on every node, kube-proxy has made those
/// before it.
async fn open_on_every_node(
    client: &Client,
    inventory: &Inventory,
    streams: &Streams,
) -> Result<(), HarnessPodError> {
    let door = sink_door();
    remove(client, &door.namespace, &door.name).await;
    let made = apply(client, &service_of(&door)).await?;
    let port = made.data["spec"]["ports"][0]["nodePort"].as_u64().unwrap_or_default();
    let port = u16::try_from(port).unwrap_or_default();
    for node in &inventory.nodes {
        let ours = inventory.with_role(Role::NodeClient).find(|pod| pod.node == node.name);
        if let Some(ours) = ours {
            open_on(streams, ours, node, port).await?;
        }
    }
    Ok(())
}

async fn open_on(
    streams: &Streams,
    ours: &Pod,
    node: &Node,
    port: u16,
) -> Result<(), WaitError<std::convert::Infallible>> {
    until(format!("a new node port being open on {}", node.name), MADE, || async {
        let Ok(nonce) = nonce() else { return Poll::not_yet("no nonce could be made") };
        let ask = Ask::Reach(ReachRequest {
            target: node.address.clone(),
            port,
            transport: Transport::Tcp,
            speak: Speak::Nonce,
            nonce,
            timeout_ms: ANSWER_MS,
        });
        match streams.ask_one(&ours.name, ask, Duration::from_secs(5)).await {
            Ok(Reply::Reach(reply)) if reply.outcome == Outcome::Reached => Poll::Ready(()),
            Ok(Reply::Reach(reply)) => Poll::not_yet(reply.detail),
            Ok(_) => Poll::not_yet("the agent answered another question"),
            Err(detail) => Poll::not_yet(detail),
        }
    })
    .await
}

fn sink_door() -> Service {
    Service {
        namespace: OPEN_NAMESPACE.to_string(),
        name: format!("{DOOR_PREFIX}{OPEN_SINK_NAME}"),
        address: None,
        selector: [(HARNESS_LABEL.to_string(), OPEN_SINK_NAME.to_string())].into(),
        ports: vec![ServicePort {
            port: Port::tcp(SINK_DOOR_PORT),
            target: HARNESS_PORT,
            node: None,
        }],
        ways: Ways::default(),
        door: Some(Door::Workload),
    }
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
