//! What stands in the cluster: pods, services and nodes, as far as probes are planned on them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::port::{Port, Transport};

/// The namespace of the harness that no policy touches.
pub const OPEN_NAMESPACE: &str = "partywall-open";
/// The client in it.
pub const OPEN_CLIENT_NAME: &str = "open-client";
/// The sink in it.
pub const OPEN_SINK_NAME: &str = "open-sink";
/// The name server in it.
pub const NAME_SERVER_NAME: &str = "open-name-server";
/// The ports on which names are asked: plain, and over TLS and HTTPS.
pub const NAME_SERVER_PORTS: [u16; 3] = [53, 443, 853];
/// The beginning of the names of the servers that stand outside: one a node, with its name.
pub const OUTSIDE_NAME: &str = "outside";
/// The ports on which they listen.
pub const OUTSIDE_PORTS: [u16; 4] = [53, 80, 443, 853];
/// The zone that the harness's name server answers for.
pub const NAME_ZONE: &str = "partywall.test";
/// The control client in a namespace of the platform.
pub const CLIENT_NAME: &str = "partywall-client";
/// The label of everything that the harness adds to a cluster.
pub const HARNESS_LABEL: &str = "dev.partywall.harness";
/// The beginning of the names of our pods on the nodes' own network: one a node, with its name.
pub const NODE_CLIENT_NAME: &str = "node-client";
/// The port of these. Theirs are the node's ports, so that it is one that nobody else takes.
pub const NODE_CLIENT_PORT: u16 = 18090;
/// The beginning of the names of the Services that the harness makes.
pub const DOOR_PREFIX: &str = "partywall-door-";
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
    /// Our name server in a policy-free namespace.
    NameServer,
    /// Our server on a node's own network, at addresses that are no pod's and no node's.
    Outside,
    /// Our client and server on a node's own network: what the node itself reaches, and who
    /// reaches it.
    NodeClient,
    /// Our stand-in for a client on a node that has no pod of its tenant, so that every wall is
    /// asked from the same node and from another one.
    FarTwin {
        /// The pod it stands for.
        of: PodName,
    },
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
    /// Declared ports, then decoys. An agent also answers UDP on its TCP ports, and SCTP where
    /// its kernel has it, which its decoys tell.
    pub fn listening(&self) -> Vec<Port> {
        let mut ports = self.declared.clone();
        if self.agent {
            ports.extend(self.declared.iter().map(|port| Port::udp(port.number)));
        }
        if self.agent && self.decoys.iter().any(|port| port.transport == Transport::Sctp) {
            ports.extend(self.declared.iter().map(|port| Port::sctp(port.number)));
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
    /// The ways to it beside its cluster IP and its own name.
    #[serde(default)]
    pub ways: Ways,
    /// What it leads to if the harness made it, to have a way to ask by. No layout is judged by
    /// such a Service, nor by what it lacks.
    #[serde(default)]
    pub door: Option<Door>,
}

/// Ways to a Service beside its cluster IP and its own name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// Its name is that of the pods behind it; it has no address of its own.
    pub headless: bool,
    /// The name that its own name stands for.
    pub external_name: Option<String>,
    /// Addresses outside of the cluster that it claims.
    pub external_addresses: Vec<String>,
    /// `externalTrafficPolicy: Local`: a node's port leads to the pods of that node.
    pub local: bool,
}

/// What a Service of the harness leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// To the pods of a workload.
    Workload,
    /// To their twins, because the pods are somebody else's and keep no receipts.
    Twin,
}

impl Service {
    /// Whether traffic to the Service lands on this pod.
    pub fn selects(&self, pod: &Pod) -> bool {
        pod.name.namespace == self.namespace
            && self.is_for(&pod.role)
            && !self.selector.is_empty()
            && self.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
    }

    fn is_for(&self, role: &Role) -> bool {
        match self.door {
            Some(Door::Twin) => matches!(role, Role::Twin { .. }),
            Some(Door::Workload) | None => *role == Role::Workload,
        }
    }

    /// The name of one pod behind it, if it is headless: the pod's address with hyphens, which is
    /// the name that a pod without a subdomain of its own has.
    pub fn pod_name(&self, pod: &Pod) -> String {
        let host = pod.address.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        format!("{host}.{}", self.dns_name())
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
    /// The port of every node that leads to it.
    #[serde(default)]
    pub node: Option<u16>,
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

/// What an address outside of the pods stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beyond {
    /// A cloud's metadata service, or another link-local address.
    Metadata,
    /// The world outside of the cluster.
    World,
}

/// An address that belongs to no pod and to no node of the cluster, and at which our agent
/// answers all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// For people: `metadata service`.
    pub label: String,
    /// What it stands for.
    pub beyond: Beyond,
    /// The address.
    pub address: String,
    /// What listens there.
    pub ports: Vec<Port>,
    /// The agents that keep receipts for it.
    pub servers: Vec<PodName>,
}

/// Addresses at which the harness answers in place of what is there elsewhere: where clouds have
/// the metadata of a machine, where one of them has the credentials of a container, and an
/// address of those that are kept for documents and belong to nobody.
pub const fn outside_addresses() -> [(&'static str, Beyond, &'static str); 4] {
    [
        ("metadata service", Beyond::Metadata, "169.254.169.254"),
        ("link-local credentials", Beyond::Metadata, "169.254.170.2"),
        ("outside", Beyond::World, "203.0.113.10"),
        ("metadata service over IPv6", Beyond::Metadata, "fd00:ec2::254"),
    ]
}

/// What these servers answer for.
pub fn stand_ins(servers: &[PodName], over_sctp: bool, over_ipv6: bool) -> Vec<Outside> {
    let ports = |number: u16| {
        let sctp = over_sctp.then(|| Port::sctp(number));
        [Port::tcp(number), Port::udp(number)].into_iter().chain(sctp)
    };
    let known = outside_addresses().into_iter();
    let known = known.filter(|(_, _, address)| over_ipv6 || !address.contains(':'));
    let outside = known.map(|(label, beyond, address)| Outside {
        label: label.to_string(),
        beyond,
        address: address.to_string(),
        ports: OUTSIDE_PORTS.into_iter().flat_map(ports).collect(),
        servers: servers.to_vec(),
    });
    outside.collect()
}

/// What cannot be asked where these pods stand, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacks {
    /// SCTP: kernels may be built without it.
    pub sctp: Option<String>,
    /// IPv6.
    pub ipv6: Option<String>,
    /// Addresses outside of the cluster at which we answer.
    pub outside: Option<String>,
    /// A zone that the cluster's name server forwards to ours.
    pub name_zone: Option<String>,
    /// A key that opens the sealed files of a tenant, by the tenant's name.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// The earlier commits of the layout.
    #[serde(default)]
    pub history: Option<String>,
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
    /// What lies outside of the pods and nodes.
    #[serde(default)]
    pub outside: Vec<Outside>,
    /// IPv6 addresses of pods that have one beside their own.
    #[serde(default)]
    pub ipv6: BTreeMap<PodName, String>,
    /// What cannot be asked here.
    #[serde(default)]
    pub lacks: Lacks,
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
