//! What stands in the cluster: pods, services and nodes, as far as probes are planned on them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::port::Port;

/// The namespace of the harness that no policy touches.
pub const OPEN_NAMESPACE: &str = "partywall-open";
/// The client in it.
pub const OPEN_CLIENT_NAME: &str = "open-client";
/// The sink in it.
pub const OPEN_SINK_NAME: &str = "open-sink";
/// The control client in a namespace of the platform.
pub const CLIENT_NAME: &str = "partywall-client";
/// The label of everything that the harness adds to a cluster.
pub const HARNESS_LABEL: &str = "dev.partywall.harness";
/// The port of the harness's own servers.
pub const HARNESS_PORT: u16 = 8080;
/// The decoy of every agent that the harness starts.
pub const DECOY: u16 = 18080;

/// A pod's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PodName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl PodName {
    /// A name from its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// What a pod is to the harness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Part of the layout or of the cluster itself.
    Workload,
    /// Our stand-in beside somebody else's pod.
    Twin {
        /// The pod it stands for.
        of: PodName,
    },
    /// Our control client in a namespace of the platform.
    Client,
    /// Our client in a policy-free namespace: judges the ingress side of a wall alone.
    OpenClient,
    /// Our server in a policy-free namespace: judges the egress side of a wall alone.
    OpenSink,
}

/// A pod that runs and has an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its name.
    pub name: PodName,
    /// The name of its workload without generated parts, for people: `open-webui`.
    pub workload: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its address.
    pub address: String,
    /// The node it runs on.
    pub node: String,
    /// Its service account.
    pub service_account: String,
    /// Whether it uses its node's network.
    pub host_network: bool,
    /// What it is to us.
    pub role: Role,
    /// Whether our agent answers in it.
    pub agent: bool,
    /// Ports that its containers declare.
    pub declared: Vec<Port>,
    /// Ports that listen and nothing declares; only an agent tells.
    pub decoys: Vec<Port>,
}

impl Pod {
    /// Declared ports, then decoys. An agent also answers UDP on its TCP ports.
    pub fn listening(&self) -> Vec<Port> {
        let mut ports = self.declared.clone();
        if self.agent {
            ports.extend(self.declared.iter().map(|port| Port::udp(port.number)));
        }
        ports.extend(&self.decoys);
        ports.sort();
        ports.dedup();
        ports
    }
}

/// A Service with an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its cluster IP; `None` for a headless Service.
    pub address: Option<String>,
    /// Labels of the pods behind it.
    pub selector: BTreeMap<String, String>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

impl Service {
    /// Whether traffic to the Service lands on this pod.
    pub fn selects(&self, pod: &Pod) -> bool {
        pod.name.namespace == self.namespace
            && pod.role == Role::Workload
            && !self.selector.is_empty()
            && self.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
    }

    /// The name by which pods of any namespace reach it.
    pub fn dns_name(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }
}

/// A port of a Service and the container port behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// The Service's own port.
    pub port: Port,
    /// The number of the container port behind it.
    pub target: u16,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its internal address.
    pub address: String,
    /// Whether the API server runs on it.
    pub control_plane: bool,
}

/// Everything probes are planned on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Pods.
    pub pods: Vec<Pod>,
    /// Services.
    pub services: Vec<Service>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// NetworkPolicies, as the API server has them. No probe is planned on them: they let the
    /// files be held against a cluster in which more stands than the layout.
    pub policies: Vec<serde_json::Value>,
    /// Labels of namespaces by their names, for the same purpose.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

impl Inventory {
    /// The pod of this name.
    pub fn pod(&self, name: &PodName) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.name == *name)
    }

    /// The pod that denies are asked of in place of this one: itself if it is an agent, else
    /// its twin.
    pub fn stand_in<'a>(&'a self, pod: &'a Pod) -> Option<&'a Pod> {
        if pod.agent {
            return Some(pod);
        }
        let is_twin =
            |candidate: &&Pod| matches!(&candidate.role, Role::Twin { of } if *of == pod.name);
        self.pods.iter().find(is_twin)
    }

    /// Workload pods of these namespaces on the pod network.
    pub fn workloads<'a>(&'a self, namespaces: &'a [String]) -> impl Iterator<Item = &'a Pod> {
        self.pods.iter().filter(move |pod| {
            pod.role == Role::Workload
                && !pod.host_network
                && namespaces.contains(&pod.name.namespace)
        })
    }

    /// Pods of a role.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(move |pod| pod.role == role)
    }
}
