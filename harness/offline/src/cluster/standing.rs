//! What would stand in the cluster: the rendered workloads, and around them what every cluster
//! has and no file of the layout describes.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::contract::{Contract, Endpoint};
use partywall_core::inventory::{
    CLIENT_NAME, DECOY, HARNESS_LABEL, HARNESS_PORT, Inventory, Node, OPEN_CLIENT_NAME,
    OPEN_NAMESPACE, OPEN_SINK_NAME, Pod, PodName, Role, Service, ServicePort,
};
use partywall_core::port::{Port, Transport};
use serde_json::Value;

use super::workload::{self, StandingPod};
use crate::render::{Object, Rendered};

/// The Service by which every pod reaches the API server.
pub(super) const APISERVER_SERVICE: (&str, &str) = ("default", "kubernetes");
const APISERVER_PORT: u16 = 6443;

/// What stands around the layout's own workloads.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Pods, services and nodes.
    pub inventory: Inventory,
}

impl Surroundings {
    /// What must be there for the contract to mean anything: one node, the pods of endpoints
    /// in namespaces that the layout does not create (DNS, Flux), and the harness's own pods.
    pub fn assumed(contract: &Contract, rendered: &Rendered) -> Self {
        let written = namespaces_with_workloads(rendered);
        let mut inventory = Inventory {
            nodes: vec![Node {
                name: "node".to_string(),
                address: "node".to_string(),
                control_plane: true,
            }],
            ..Inventory::default()
        };
        for endpoint in contract.endpoints.values() {
            let Some(namespace) = &endpoint.namespace else { continue };
            if !written.contains(namespace) && !creates(rendered, namespace) {
                let (pod, service) = assumed_endpoint(namespace, endpoint);
                inventory.pods.push(pod);
                inventory.services.push(service);
            }
        }
        inventory.services.push(apiserver_service());
        inventory.pods.extend(harness_pods(contract));
        Self { inventory }
    }

    /// What stands in a real cluster besides the pods that the layout's own workloads have
    /// there.
    pub fn around(live: &Inventory, rendered: &Rendered) -> Self {
        let written = namespaces_with_workloads(rendered);
        let is_around = |namespace: &String| !written.contains(namespace);
        let pods = live.pods.iter().filter(|pod| match pod.role {
            Role::Workload => is_around(&pod.name.namespace),
            Role::Twin { .. } => is_around(&pod.name.namespace),
            Role::Client | Role::OpenClient | Role::OpenSink => true,
        });
        let services = live.services.iter().filter(|service| is_around(&service.namespace));
        let inventory = Inventory {
            pods: pods.cloned().collect(),
            services: services.cloned().collect(),
            nodes: live.nodes.clone(),
            policies: live
                .policies
                .iter()
                .filter(|policy| {
                    let namespace = policy["metadata"]["namespace"].as_str().unwrap_or_default();
                    is_around(&namespace.to_string())
                })
                .cloned()
                .collect(),
        };
        Self { inventory }
    }
}

/// Whether the layout creates a namespace: then what stands in it is in the files.
fn creates(rendered: &Rendered, namespace: &str) -> bool {
    rendered.of_kind("Namespace").any(|object| object.name() == namespace)
}

fn namespaces_with_workloads(rendered: &Rendered) -> BTreeSet<String> {
    workload::pods(rendered).into_iter().map(|standing| standing.pod.name.namespace).collect()
}

/// A pod and a Service for an endpoint of the contract that no file describes. The name is that
/// of its label, as charts have it.
fn assumed_endpoint(namespace: &str, endpoint: &Endpoint) -> (Pod, Service) {
    let name = endpoint.pods.values().next().cloned().unwrap_or_default();
    let port = |port: &Port| ServicePort { port: *port, target: port.number };
    let service = Service {
        namespace: namespace.to_string(),
        name: name.clone(),
        address: Some(format!("{namespace}/{name}")),
        selector: endpoint.pods.clone(),
        ports: endpoint.ports.iter().map(port).collect(),
    };
    let pod = agent_like(namespace, &name, Role::Workload, endpoint.pods.clone());
    let pod = Pod { declared: endpoint.ports.clone(), ..pod };
    (pod, service)
}

fn harness_pods(contract: &Contract) -> Vec<Pod> {
    let pod = |namespace: &str, name: &str, role: Role| {
        let labels = [(HARNESS_LABEL.to_string(), name.to_string())].into();
        agent_like(namespace, name, role, labels)
    };
    let mut pods = vec![
        pod(OPEN_NAMESPACE, OPEN_CLIENT_NAME, Role::OpenClient),
        pod(OPEN_NAMESPACE, OPEN_SINK_NAME, Role::OpenSink),
    ];
    pods.extend(contract.platform.iter().map(|place| pod(place, CLIENT_NAME, Role::Client)));
    pods
}

fn agent_like(namespace: &str, name: &str, role: Role, labels: BTreeMap<String, String>) -> Pod {
    Pod {
        name: PodName::new(namespace, name),
        workload: name.to_string(),
        labels,
        address: format!("{namespace}/{name}"),
        node: String::new(),
        service_account: "default".to_string(),
        host_network: false,
        role,
        agent: true,
        declared: vec![Port::tcp(HARNESS_PORT)],
        decoys: vec![Port::tcp(DECOY), Port::udp(DECOY)],
    }
}

fn apiserver_service() -> Service {
    let (namespace, name) = APISERVER_SERVICE;
    Service {
        namespace: namespace.to_string(),
        name: name.to_string(),
        address: Some(format!("{namespace}/{name}")),
        selector: BTreeMap::new(),
        ports: vec![ServicePort { port: Port::tcp(443), target: APISERVER_PORT }],
    }
}

/// Everything that would stand: what is rendered, and what is around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) pods: Vec<StandingPod>,
    pub(crate) services: Vec<Service>,
    pub(crate) nodes: Vec<Node>,
    /// Policies that stand there beside those of the layout.
    pub(crate) policies: Vec<Value>,
    by_name: BTreeMap<PodName, usize>,
}

impl Standing {
    pub(crate) fn new(rendered: &Rendered, around: &Surroundings) -> Self {
        let mut pods = workload::pods(rendered);
        let foreign = pods.iter().filter(|one| !one.pod.agent && !one.pod.host_network);
        let twins: Vec<StandingPod> = foreign.map(workload::twin).collect();
        pods.extend(twins);
        let around_pods = around.inventory.pods.iter().map(|pod| StandingPod {
            pod: pod.clone(),
            names: BTreeMap::new(),
            listens: None,
        });
        pods.extend(around_pods);
        let mut services: Vec<Service> =
            rendered.of_kind("Service").map(|object| service(object, &pods)).collect();
        services.extend(around.inventory.services.iter().cloned());
        let names = pods.iter().enumerate();
        let by_name = names.map(|(index, standing)| (standing.pod.name.clone(), index)).collect();
        let around = around.inventory.clone();
        Self { pods, services, nodes: around.nodes, policies: around.policies, by_name }
    }

    /// The same, as probes are planned on it.
    pub(crate) fn inventory(&self) -> Inventory {
        Inventory {
            pods: self.pods.iter().map(|standing| standing.pod.clone()).collect(),
            services: self.services.clone(),
            nodes: self.nodes.clone(),
            policies: self.policies.clone(),
        }
    }

    pub(crate) fn index(&self, name: &PodName) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn at_address(&self, address: &str) -> Option<usize> {
        self.pods.iter().position(|standing| standing.pod.address == address)
    }

    /// Pods that a Service's traffic lands on.
    pub(crate) fn behind<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = usize> + 'a {
        let pods = self.pods.iter().enumerate();
        pods.filter(|(_, standing)| service.selects(&standing.pod)).map(|(index, _)| index)
    }
}

fn service(object: &Object, pods: &[StandingPod]) -> Service {
    let selector = object.text_map(&["spec", "selector"]);
    let namespace = object.namespace().to_string();
    let behind = pods.iter().find(|standing| {
        standing.pod.name.namespace == namespace
            && !selector.is_empty()
            && selector.iter().all(|(key, value)| standing.pod.labels.get(key) == Some(value))
    });
    let ports = object.at(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    let ports = ports.filter_map(|port| service_port(port, behind)).collect();
    let headless = object.text(&["spec", "clusterIP"]) == Some("None");
    let external = object.text(&["spec", "type"]) == Some("ExternalName");
    Service {
        address: (!headless && !external).then(|| format!("{namespace}/{}", object.name())),
        name: object.name().to_string(),
        namespace,
        selector,
        ports,
    }
}

fn service_port(port: &Value, behind: Option<&StandingPod>) -> Option<ServicePort> {
    let number = u16::try_from(port["port"].as_u64()?).ok()?;
    let transport: Transport = workload::transport(port["protocol"].as_str())?;
    let target = match &port["targetPort"] {
        Value::Null => number,
        Value::Number(target) => u16::try_from(target.as_u64()?).ok()?,
        Value::String(name) => behind?.names.get(name)?.number,
        _ => return None,
    };
    Some(ServicePort { port: Port { number, transport }, target })
}
