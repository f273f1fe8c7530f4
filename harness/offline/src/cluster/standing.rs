//! What would stand in the cluster: the rendered workloads, and around them what every cluster
//! has and no file of the layout describes.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::contract::{Contract, Endpoint, Entity};
use partywall_core::doors::doors;
use partywall_core::inventory::{
    CLIENT_NAME, DECOY, HARNESS_LABEL, HARNESS_PORT, Inventory, Lacks, NAME_SERVER_NAME,
    NAME_SERVER_PORTS, NODE_CLIENT_NAME, NODE_CLIENT_PORT, Node, OPEN_CLIENT_NAME, OPEN_NAMESPACE,
    OPEN_SINK_NAME, Outside, Pod, PodName, Role, Service, ServicePort, Ways, stand_ins,
};
use partywall_core::port::{Port, Transport};
use serde_json::Value;

use super::workload::{self, Names, StandingPod};
use crate::render::{Object, Rendered};

/// The Service by which every pod reaches the API server.
pub(super) const APISERVER_SERVICE: (&str, &str) = ("default", "kubernetes");
const APISERVER_PORT: u16 = 6443;
/// From which on a cluster gives ports of nodes.
const FIRST_NODE_PORT: u16 = 30_000;

/// What stands around the layout's own workloads.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Pods, services and nodes.
    pub inventory: Inventory,
    /// On which nodes the pods of the layout's own workloads stand there.
    pub places: Places,
}

/// Nodes by namespace and workload, one for each pod.
pub type Places = BTreeMap<(String, String), Vec<String>>;

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
        inventory.pods.extend(inventory.nodes.iter().map(node_client));
        inventory.services.extend(assumed_doors(contract, rendered));
        inventory.outside = stand_ins(&[], false, false);
        inventory.lacks = untold();
        Self { inventory, places: Places::new() }
    }

    /// What stands in a real cluster besides the pods that the layout's own workloads have
    /// there.
    pub fn around(live: &Inventory, rendered: &Rendered) -> Self {
        let written = namespaces_with_workloads(rendered);
        let is_around = |namespace: &String| !written.contains(namespace);
        let pods = live.pods.iter().filter(|pod| match pod.role {
            Role::Workload => is_around(&pod.name.namespace),
            Role::Twin { .. } => is_around(&pod.name.namespace),
            Role::Client | Role::OpenClient | Role::OpenSink | Role::NameServer => true,
            // What it answers for is told by address.
            Role::Outside => false,
            Role::NodeClient | Role::FarTwin { .. } => true,
        });
        let services = live
            .services
            .iter()
            .filter(|service| is_around(&service.namespace) || service.door.is_some());
        let inventory = Inventory {
            pods: pods.cloned().collect(),
            services: services.cloned().collect(),
            nodes: live.nodes.clone(),
            namespaces: live.namespaces.clone(),
            policies: live
                .policies
                .iter()
                .filter(|policy| {
                    let namespace = policy["metadata"]["namespace"].as_str().unwrap_or_default();
                    is_around(&namespace.to_string())
                })
                .cloned()
                .collect(),
            outside: live.outside.clone(),
            ipv6: live.ipv6.clone(),
            lacks: live.lacks.clone(),
        };
        let mut places = Places::new();
        for pod in live.with_role(Role::Workload) {
            let workload = (pod.name.namespace.clone(), pod.workload.clone());
            places.entry(workload).or_default().push(pod.node.clone());
        }
        Self { inventory, places }
    }
}

fn node_client(node: &Node) -> Pod {
    let name = format!("{NODE_CLIENT_NAME}-{}", node.name);
    let labels = [(HARNESS_LABEL.to_string(), NODE_CLIENT_NAME.to_string())].into();
    Pod {
        node: node.name.clone(),
        host_network: true,
        declared: vec![Port::tcp(NODE_CLIENT_PORT)],
        decoys: Vec::new(),
        ..agent_like(OPEN_NAMESPACE, &name, Role::NodeClient, labels)
    }
}

/// The doors that the harness would make, with ports of nodes as a cluster would give them.
fn assumed_doors(contract: &Contract, rendered: &Rendered) -> Vec<Service> {
    let pods = workload::pods(rendered).into_iter().map(|standing| standing.pod).collect();
    let mut made = doors(contract, &Inventory { pods, ..Inventory::default() });
    let mut free = FIRST_NODE_PORT..;
    for door in made.iter_mut().filter(|door| !door.ways.headless) {
        let number = free.next();
        door.ports.iter_mut().for_each(|port| port.node = number);
    }
    made
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
    let port = |port: &Port| ServicePort { port: *port, target: port.number, node: None };
    let service = Service {
        namespace: namespace.to_string(),
        name: name.clone(),
        address: Some(format!("{namespace}/{name}")),
        selector: endpoint.pods.clone(),
        ports: endpoint.ports.iter().map(port).collect(),
        ways: Ways::default(),
        door: None,
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
    let names = pod(OPEN_NAMESPACE, NAME_SERVER_NAME, Role::NameServer);
    let declared = NAME_SERVER_PORTS.map(Port::tcp).to_vec();
    pods.push(Pod { declared, ..names });
    pods.extend(contract.platform.iter().map(|place| pod(place, CLIENT_NAME, Role::Client)));
    pods
}

/// What no file tells and no probe of files can ask.
fn untold() -> Lacks {
    let reason = |what: &str| Some(format!("not asked: no file says {what}"));
    Lacks {
        // What policies let through over it is held against the contract as a whole.
        sctp: reason("whether the kernels under the nodes have SCTP"),
        ipv6: reason("which addresses pods have"),
        outside: None,
        name_zone: reason("what the cluster's name server forwards"),
        ..Lacks::default()
    }
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
        ports: vec![ServicePort { port: Port::tcp(443), target: APISERVER_PORT, node: None }],
        ways: Ways::default(),
        door: None,
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
    /// Labels of namespaces that are known from there.
    pub(crate) namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// What lies outside of it.
    pub(crate) outside: Vec<Outside>,
    /// Second addresses, where pods have them.
    ipv6: BTreeMap<PodName, String>,
    lacks: Lacks,
    /// Ports that the contract says every node answers on.
    pub(crate) node_ports: BTreeSet<Port>,
    /// The same of the nodes with the API server.
    pub(crate) control_plane_ports: BTreeSet<Port>,
    by_name: BTreeMap<PodName, usize>,
}

impl Standing {
    pub(crate) fn new(rendered: &Rendered, around: &Surroundings) -> Self {
        let mut names = Names::default();
        // What stands in a real cluster keeps its name.
        let around_pods = around.inventory.pods.iter().map(|pod| {
            let pod = StandingPod { pod: pod.clone(), names: BTreeMap::new(), listens: None };
            names.give(pod, "Endpoint")
        });
        let around_pods: Vec<StandingPod> = around_pods.collect();
        let mut pods = workload::pods_beside(rendered, &mut names);
        let foreign = pods.iter().filter(|one| !one.pod.agent && !one.pod.host_network);
        let twins: Vec<StandingPod> =
            foreign.map(|one| names.give(workload::twin(one), "Twin")).collect();
        pods.extend(twins);
        if around.inventory.lacks.sctp.is_none() {
            pods.iter_mut().for_each(StandingPod::speak_sctp);
        }
        put_on_nodes(&mut pods, around);
        pods.extend(around_pods);
        let mut services: Vec<Service> =
            rendered.of_kind("Service").map(|object| service(object, &pods)).collect();
        services.extend(around.inventory.services.iter().cloned());
        let names = pods.iter().enumerate();
        let by_name = names.map(|(index, standing)| (standing.pod.name.clone(), index)).collect();
        let around = around.inventory.clone();
        let ipv6 = second_addresses(&pods, &around);
        Self {
            pods,
            services,
            nodes: around.nodes,
            policies: around.policies,
            namespaces: around.namespaces,
            outside: around.outside,
            ipv6,
            lacks: around.lacks,
            node_ports: BTreeSet::new(),
            control_plane_ports: BTreeSet::new(),
            by_name,
        }
    }

    /// What the contract says of the nodes' own ports.
    pub(crate) fn name_ports(&mut self, contract: &Contract) {
        for endpoint in contract.endpoints.values() {
            match endpoint.entity {
                Some(Entity::Node) => self.node_ports.extend(&endpoint.ports),
                Some(Entity::Apiserver) => self.control_plane_ports.extend(&endpoint.ports),
                None => {}
            }
        }
    }

    /// The same, as probes are planned on it.
    pub(crate) fn inventory(&self) -> Inventory {
        Inventory {
            pods: self.pods.iter().map(|standing| standing.pod.clone()).collect(),
            services: self.services.clone(),
            nodes: self.nodes.clone(),
            policies: self.policies.clone(),
            namespaces: self.namespaces.clone(),
            outside: self.outside.clone(),
            ipv6: self.ipv6.clone(),
            lacks: self.lacks.clone(),
        }
    }

    pub(crate) fn index(&self, name: &PodName) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn at_address(&self, address: &str) -> Option<usize> {
        let by_first = self.pods.iter().position(|standing| standing.pod.address == address);
        let by_second = || {
            let named = self.ipv6.iter().find(|(_, second)| *second == address);
            named.and_then(|(name, _)| self.index(name))
        };
        by_first.or_else(by_second)
    }

    /// Pods that a Service's traffic lands on.
    pub(crate) fn behind<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = usize> + 'a {
        let pods = self.pods.iter().enumerate();
        pods.filter(|(_, standing)| service.selects(&standing.pod)).map(|(index, _)| index)
    }
}

/// Each pod on the node where the cluster has it; where no cluster is known, on the first one.
fn put_on_nodes(pods: &mut [StandingPod], around: &Surroundings) {
    let first = around.inventory.nodes.first().map(|node| node.name.clone()).unwrap_or_default();
    let mut given: BTreeMap<(String, String), usize> = BTreeMap::new();
    for standing in pods.iter_mut() {
        let pod = &mut standing.pod;
        let workload = (pod.name.namespace.clone(), pod.workload.clone());
        let nodes = around.places.get(&workload).map(Vec::as_slice).unwrap_or_default();
        let next = given.entry(workload).or_default();
        pod.node = match nodes.len() {
            0 => first.clone(),
            count => nodes[*next % count].clone(),
        };
        *next += 1;
    }
}

/// Where the pods around the layout's have IPv6 addresses, the layout's own will have them too.
fn second_addresses(pods: &[StandingPod], around: &Inventory) -> BTreeMap<PodName, String> {
    let mut addresses = around.ipv6.clone();
    if around.lacks.ipv6.is_none() && !addresses.is_empty() {
        for StandingPod { pod, .. } in pods.iter().filter(|one| !one.pod.host_network) {
            let made_up = || format!("ipv6/{}", pod.address);
            addresses.entry(pod.name.clone()).or_insert_with(made_up);
        }
    }
    addresses
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
    let ways = ways(object);
    let has_address = !ways.headless && ways.external_name.is_none();
    Service {
        address: has_address.then(|| format!("{namespace}/{}", object.name())),
        ways,
        door: None,
        name: object.name().to_string(),
        namespace,
        selector,
        ports,
    }
}

fn ways(object: &Object) -> Ways {
    let external = object.text(&["spec", "type"]) == Some("ExternalName");
    let claimed = object.at(&["spec", "externalIPs"]).and_then(Value::as_array);
    Ways {
        headless: object.text(&["spec", "clusterIP"]) == Some("None"),
        external_name: external
            .then(|| object.text(&["spec", "externalName"]).unwrap_or_default().to_string()),
        external_addresses: claimed
            .into_iter()
            .flatten()
            .filter_map(|address| address.as_str().map(str::to_string))
            .collect(),
        local: object.text(&["spec", "externalTrafficPolicy"]) == Some("Local"),
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
    let node = port["nodePort"].as_u64().and_then(|number| u16::try_from(number).ok());
    Some(ServicePort { port: Port { number, transport }, target, node })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::parse_stream;
    use partywall_core::source::SourceLocation;
    use rstest::rstest;

    fn standing(text: &str, around: &Surroundings) -> Standing {
        let object = |value| Object {
            value,
            origin: SourceLocation::new("t.yaml", 1),
            applied_by: String::new(),
        };
        let objects = parse_stream("t.yaml", text).unwrap().into_iter().map(object).collect();
        Standing::new(&Rendered { objects, ..Rendered::default() }, around)
    }

    fn workload(kind: &str, name: &str, replicas: u64) -> String {
        format!(
            "kind: {kind}\nmetadata: {{name: {name}, namespace: n}}\nspec: {{containers: [], replicas: {replicas}, template: {{spec: {{containers: [{{image: i}}]}}}}}}\n---\n"
        )
    }

    #[rstest]
    #[case::alone(&[("Deployment", "web", 1)], "web web-twin")]
    #[case::kinds(
        &[("Deployment", "web", 1), ("StatefulSet", "web", 1)],
        "web web@StatefulSet web-twin web@StatefulSet-twin"
    )]
    #[case::ordinal(
        &[("Deployment", "a", 2), ("Deployment", "a-1", 1)],
        "a a-1 a-1@Deployment a-twin a-1-twin a-1@Deployment-twin"
    )]
    #[case::twin(
        &[("Deployment", "x", 1), ("Deployment", "x-twin", 1)],
        "x x-twin x-twin@Twin x-twin-twin"
    )]
    #[case::thrice(
        &[("Pod", "x", 1), ("Job", "x", 1), ("Job", "x", 1)],
        "x x@Job x@Job-2 x-twin x@Job-twin x@Job-2-twin"
    )]
    fn no_two_pods_share_a_name(#[case] workloads: &[(&str, &str, u64)], #[case] expected: &str) {
        let text = workloads.iter().map(|(kind, name, replicas)| workload(kind, name, *replicas));
        let standing = standing(&text.collect::<String>(), &Surroundings::default());
        let names = standing.pods.iter().map(|one| one.pod.name.name.as_str());
        assert_eq!(names.collect::<Vec<_>>().join(" "), expected);
        every_pod_is_found(&standing);
        let inventory = standing.inventory();
        for pod in inventory.with_role(Role::Workload) {
            let twin = inventory.stand_in(pod).unwrap();
            assert_eq!(twin.role, Role::Twin { of: pod.name.clone() });
        }
    }

    #[test]
    fn pods_of_a_cluster_keep_their_names() {
        let labels = BTreeMap::new();
        let client = Pod {
            address: "10.0.0.1".to_string(),
            ..agent_like("n", CLIENT_NAME, Role::Client, labels)
        };
        let inventory = Inventory { pods: vec![client.clone()], ..Inventory::default() };
        let standing = standing(
            &workload("Deployment", CLIENT_NAME, 1),
            &Surroundings { inventory, ..Surroundings::default() },
        );
        every_pod_is_found(&standing);
        assert_eq!(standing.pods.last().map(|one| &one.pod), Some(&client));
        assert_eq!(standing.pods[0].pod.address, format!("n/{CLIENT_NAME}@Deployment"));
    }

    fn every_pod_is_found(standing: &Standing) {
        for (index, one) in standing.pods.iter().enumerate() {
            assert_eq!(standing.index(&one.pod.name), Some(index));
            assert_eq!(standing.at_address(&one.pod.address), Some(index));
        }
    }
}
