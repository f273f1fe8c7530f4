//! Reading what stands in the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1 as core_v1;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use partywall_agent::protocol::{Ask, Reply};
use partywall_core::inventory::{
    CLIENT_NAME, DECOY, DOOR_PREFIX, Door, Inventory, Lacks, NAME_SERVER_NAME, NODE_CLIENT_NAME,
    Node, OPEN_CLIENT_NAME, OPEN_NAMESPACE, OPEN_SINK_NAME, OUTSIDE_NAME, Pod, PodName, Role,
    Service, ServicePort, Ways,
};
use partywall_core::port::{Port, Transport};

use super::doors::{self, LEADS_TO};
use super::far_twin::FAR_TWIN_OF;
use super::streams::Streams;
use super::twin::TWIN_OF;
use crate::apply::FIELD_MANAGER;

/// How long agents may take to say what they listen on.
const LISTENING_LIMIT: Duration = Duration::from_secs(10);

/// Read pods, services and nodes of these namespaces.
pub(super) async fn read(
    client: &Client,
    namespaces: &BTreeSet<String>,
    agent_image: &str,
) -> Result<Inventory, kube::Error> {
    let everything = ListParams::default();
    let pods: Api<core_v1::Pod> = Api::all(client.clone());
    let services: Api<core_v1::Service> = Api::all(client.clone());
    let nodes: Api<core_v1::Node> = Api::all(client.clone());
    let policies: Api<NetworkPolicy> = Api::all(client.clone());
    let standing: Api<core_v1::Namespace> = Api::all(client.clone());
    let (pods, services, nodes, policies, standing) = futures::try_join!(
        pods.list(&everything),
        services.list(&everything),
        nodes.list(&everything),
        policies.list(&everything),
        standing.list(&everything)
    )?;
    let in_scope = |namespace: Option<String>| namespace.is_some_and(|n| namespaces.contains(&n));
    let pods = pods.items.iter().filter(|pod| in_scope(pod.namespace()));
    let services = services.items.iter().filter(|service| in_scope(service.namespace()));
    let pods: Vec<&core_v1::Pod> = pods.collect();
    let mut inventory = Inventory {
        services: services.map(|found| service(found, &pods)).collect(),
        nodes: nodes.items.iter().filter_map(node).collect(),
        pods: pods.iter().filter_map(|found| pod(found, agent_image)).collect(),
        namespaces: standing
            .items
            .iter()
            .map(|found| (found.name_any(), found.labels().clone().into_iter().collect()))
            .collect(),
        policies: policies
            .items
            .iter()
            .filter(|policy| in_scope(policy.namespace()))
            .filter_map(|policy| serde_json::to_value(policy).ok())
            .collect(),
        outside: Vec::new(),
        ipv6: pods.iter().filter_map(|found| second_address(found)).collect(),
        lacks: Lacks::default(),
    };
    name_twins(&mut inventory);
    Ok(inventory)
}

/// A twin belongs to the workload of its original.
fn name_twins(inventory: &mut Inventory) {
    let workloads: BTreeMap<PodName, String> =
        inventory.pods.iter().map(|pod| (pod.name.clone(), pod.workload.clone())).collect();
    for pod in &mut inventory.pods {
        let (Role::Twin { of } | Role::FarTwin { of }) = &pod.role else { continue };
        if let Some(workload) = workloads.get(of) {
            pod.workload.clone_from(workload);
        }
    }
}

/// Ask every agent which decoys it has. One that stays silent is taken to have the decoy that
/// agents have by default: its cells then lack a control and are undetermined, not missing.
pub(super) async fn learn_decoys(inventory: &mut Inventory, streams: &Streams) {
    let agents = inventory.pods.iter().filter(|pod| pod.agent);
    let mut open: Vec<PodName> = agents.map(|pod| pod.name.clone()).collect();
    for _attempt in 0..2 {
        let questions: BTreeMap<PodName, Vec<Ask>> =
            open.drain(..).map(|pod| (pod, vec![Ask::Listening])).collect();
        for (pod, mut answers) in streams.ask_all(questions, LISTENING_LIMIT).await {
            match answers.pop() {
                Some(Ok(Reply::Listening(listening))) => {
                    let decoys = listening.iter().filter(|port| port.decoy);
                    let ports =
                        decoys.map(|port| Port { number: port.port, transport: port.transport });
                    set_decoys(inventory, &pod, ports.collect());
                }
                _ => open.push(pod),
            }
        }
    }
    for silent in open {
        set_decoys(inventory, &silent, vec![Port::tcp(DECOY), Port::udp(DECOY)]);
    }
}

fn set_decoys(inventory: &mut Inventory, name: &PodName, decoys: Vec<Port>) {
    if let Some(pod) = inventory.pods.iter_mut().find(|pod| pod.name == *name) {
        pod.decoys = decoys;
    }
}

fn pod(found: &core_v1::Pod, agent_image: &str) -> Option<Pod> {
    let spec = found.spec.as_ref()?;
    let status = found.status.as_ref()?;
    if found.metadata.deletion_timestamp.is_some() || status.phase.as_deref() != Some("Running") {
        return None;
    }
    let name = PodName::new(found.namespace()?, found.name_any());
    let ports = spec.containers.iter().flat_map(|container| container.ports.iter().flatten());
    Some(Pod {
        workload: workload(found),
        labels: found.labels().clone().into_iter().collect(),
        address: status.pod_ip.clone()?,
        node: spec.node_name.clone().unwrap_or_default(),
        service_account: spec.service_account_name.clone().unwrap_or_default(),
        host_network: spec.host_network.unwrap_or(false),
        role: role(found, &name),
        agent: spec.containers.iter().any(|c| c.image.as_deref() == Some(agent_image)),
        declared: ports.filter_map(container_port).collect(),
        decoys: Vec::new(),
        name,
    })
}

/// The IPv6 address of a pod that has another one first.
fn second_address(found: &core_v1::Pod) -> Option<(PodName, String)> {
    let status = found.status.as_ref()?;
    let first = status.pod_ip.as_ref()?;
    let addresses = status.pod_ips.iter().flatten().map(|address| &address.ip);
    let mut others = addresses.filter(|address| *address != first && address.contains(':'));
    Some((PodName::new(found.namespace()?, found.name_any()), others.next()?.clone()))
}

fn container_port(port: &core_v1::ContainerPort) -> Option<Port> {
    let number = u16::try_from(port.container_port).ok()?;
    let transport = transport(port.protocol.as_deref())?;
    Some(Port { number, transport })
}

fn transport(protocol: Option<&str>) -> Option<Transport> {
    match protocol {
        None | Some("TCP") => Some(Transport::Tcp),
        Some("UDP") => Some(Transport::Udp),
        Some("SCTP") => Some(Transport::Sctp),
        Some(_) => None,
    }
}

/// Whether the harness applied the pod. A name or an annotation could be anybody's; who manages
/// a pod's fields is written by the API server, and neither a workload controller nor Flux
/// manages a pod under our name.
fn is_ours(fields: &[ManagedFieldsEntry]) -> bool {
    fields.iter().any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER))
}

fn role(found: &core_v1::Pod, name: &PodName) -> Role {
    if !is_ours(found.managed_fields()) {
        return Role::Workload;
    }
    if let Some(of) = found.annotations().get(FAR_TWIN_OF) {
        return Role::FarTwin { of: PodName::new(name.namespace.clone(), of.clone()) };
    }
    if let Some(of) = found.annotations().get(TWIN_OF) {
        return Role::Twin { of: PodName::new(name.namespace.clone(), of.clone()) };
    }
    match (name.namespace.as_str(), name.name.as_str()) {
        (OPEN_NAMESPACE, OPEN_CLIENT_NAME) => Role::OpenClient,
        (OPEN_NAMESPACE, OPEN_SINK_NAME) => Role::OpenSink,
        (OPEN_NAMESPACE, NAME_SERVER_NAME) => Role::NameServer,
        (OPEN_NAMESPACE, server) if server.starts_with(OUTSIDE_NAME) => Role::Outside,
        (OPEN_NAMESPACE, name) if name.starts_with(NODE_CLIENT_NAME) => Role::NodeClient,
        (_, CLIENT_NAME) => Role::Client,
        _ => Role::Workload,
    }
}

/// The name of the workload that made the pod, without what controllers add to it.
fn workload(found: &core_v1::Pod) -> String {
    let name = found.name_any();
    let base = found.metadata.generate_name.as_deref().unwrap_or(&name).trim_end_matches('-');
    let hash = found.labels().get("pod-template-hash").map(String::as_str).unwrap_or_default();
    let without_hash = base.strip_suffix(hash).unwrap_or(base);
    without_hash.trim_end_matches('-').to_string()
}

fn service(found: &core_v1::Service, pods: &[&core_v1::Pod]) -> Service {
    let spec = found.spec.clone().unwrap_or_default();
    let ways = ways(&spec);
    let door = door(found);
    let selector = match door {
        Some(Door::Twin) => doors::leads_to(found),
        _ => spec.selector.unwrap_or_default(),
    };
    let namespace = found.namespace().unwrap_or_default();
    let behind = pods.iter().find(|pod| {
        pod.namespace().as_deref() == Some(&namespace)
            && !selector.is_empty()
            && selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value))
    });
    let ports = spec.ports.unwrap_or_default();
    Service {
        address: spec.cluster_ip.filter(|address| address != "None" && !address.is_empty()),
        ports: ports.iter().filter_map(|port| service_port(port, behind.copied())).collect(),
        name: found.name_any(),
        namespace,
        selector,
        ways,
        door,
    }
}

fn ways(spec: &core_v1::ServiceSpec) -> Ways {
    Ways {
        headless: spec.cluster_ip.as_deref() == Some("None"),
        external_name: spec.external_name.clone(),
        external_addresses: spec.external_ips.clone().unwrap_or_default(),
        local: spec.external_traffic_policy.as_deref() == Some("Local"),
    }
}

/// What a Service of the harness leads to. The name alone could be anybody's.
fn door(found: &core_v1::Service) -> Option<Door> {
    let ours = found.name_any().starts_with(DOOR_PREFIX) && is_ours(found.managed_fields());
    ours.then(|| match found.annotations().contains_key(LEADS_TO) {
        true => Door::Twin,
        false => Door::Workload,
    })
}

fn service_port(port: &core_v1::ServicePort, behind: Option<&core_v1::Pod>) -> Option<ServicePort> {
    let number = u16::try_from(port.port).ok()?;
    let transport = transport(port.protocol.as_deref())?;
    let target = match &port.target_port {
        None => number,
        Some(IntOrString::Int(target)) => u16::try_from(*target).ok()?,
        Some(IntOrString::String(name)) => named_port(behind?, name)?,
    };
    let node = port.node_port.and_then(|number| u16::try_from(number).ok());
    Some(ServicePort { port: Port { number, transport }, target, node })
}

fn named_port(pod: &core_v1::Pod, name: &str) -> Option<u16> {
    let containers = &pod.spec.as_ref()?.containers;
    let mut ports = containers.iter().flat_map(|container| container.ports.iter().flatten());
    let found = ports.find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(found.container_port).ok()
}

fn node(found: &core_v1::Node) -> Option<Node> {
    let addresses = found.status.as_ref()?.addresses.as_ref()?;
    let internal = addresses.iter().find(|address| address.type_ == "InternalIP")?;
    Some(Node {
        name: found.name_any(),
        address: internal.address.clone(),
        control_plane: found.labels().contains_key("node-role.kubernetes.io/control-plane"),
    })
}
