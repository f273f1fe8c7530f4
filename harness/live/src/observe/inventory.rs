//! Reading what stands in the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1 as core_v1;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use partywall_agent::protocol::{Ask, Reply};
use partywall_core::inventory::{Inventory, Node, Pod, PodName, Role, Service, ServicePort};
use partywall_core::port::{Port, Transport};

use super::harness_pods::{CLIENT_NAME, OPEN_CLIENT_NAME, OPEN_NAMESPACE, OPEN_SINK_NAME};
use super::streams::Streams;
use super::twin::TWIN_OF;

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
    let (pods, services, nodes) = futures::try_join!(
        pods.list(&everything),
        services.list(&everything),
        nodes.list(&everything)
    )?;
    let in_scope = |namespace: Option<String>| namespace.is_some_and(|n| namespaces.contains(&n));
    let pods = pods.items.iter().filter(|pod| in_scope(pod.namespace()));
    let services = services.items.iter().filter(|service| in_scope(service.namespace()));
    let pods: Vec<&core_v1::Pod> = pods.collect();
    Ok(Inventory {
        services: services.map(|found| service(found, &pods)).collect(),
        nodes: nodes.items.iter().filter_map(node).collect(),
        pods: pods.iter().filter_map(|found| pod(found, agent_image)).collect(),
    })
}

/// Ask every agent which decoys it has.
pub(super) async fn learn_decoys(inventory: &mut Inventory, streams: &Streams) -> Vec<String> {
    let agents = inventory.pods.iter().filter(|pod| pod.agent);
    let questions: BTreeMap<PodName, Vec<Ask>> =
        agents.map(|pod| (pod.name.clone(), vec![Ask::Listening])).collect();
    let mut answers = streams.ask_all(questions, LISTENING_LIMIT).await;
    let mut silent = Vec::new();
    for pod in inventory.pods.iter_mut().filter(|pod| pod.agent) {
        match answers.remove(&pod.name).and_then(|mut answers| answers.pop()) {
            Some(Ok(Reply::Listening(listening))) => {
                let decoys = listening.iter().filter(|port| port.decoy);
                pod.decoys = decoys
                    .map(|port| Port { number: port.port, transport: port.transport })
                    .collect();
            }
            Some(Err(detail)) => silent.push(format!("{}: {detail}", pod.name)),
            _ => silent.push(format!("{}: no answer", pod.name)),
        }
    }
    silent
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

fn container_port(port: &core_v1::ContainerPort) -> Option<Port> {
    let number = u16::try_from(port.container_port).ok()?;
    let transport = transport(port.protocol.as_deref())?;
    Some(Port { number, transport })
}

fn transport(protocol: Option<&str>) -> Option<Transport> {
    match protocol {
        None | Some("TCP") => Some(Transport::Tcp),
        Some("UDP") => Some(Transport::Udp),
        Some(_) => None,
    }
}

fn role(found: &core_v1::Pod, name: &PodName) -> Role {
    if let Some(of) = found.annotations().get(TWIN_OF) {
        return Role::Twin { of: PodName::new(name.namespace.clone(), of.clone()) };
    }
    match (name.namespace.as_str(), name.name.as_str()) {
        (OPEN_NAMESPACE, OPEN_CLIENT_NAME) => Role::OpenClient,
        (OPEN_NAMESPACE, OPEN_SINK_NAME) => Role::OpenSink,
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
    let selector: BTreeMap<String, String> = spec.selector.unwrap_or_default();
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
    }
}

fn service_port(port: &core_v1::ServicePort, behind: Option<&core_v1::Pod>) -> Option<ServicePort> {
    let number = u16::try_from(port.port).ok()?;
    let transport = transport(port.protocol.as_deref())?;
    let target = match &port.target_port {
        None => number,
        Some(IntOrString::Int(target)) => u16::try_from(*target).ok()?,
        Some(IntOrString::String(name)) => named_port(behind?, name)?,
    };
    Some(ServicePort { port: Port { number, transport }, target })
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
