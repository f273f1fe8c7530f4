//! Pods that the rendered workloads would have.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::inventory::{DECOY, Pod, PodName, Role};
use partywall_core::port::{Port, Transport};
use serde_json::Value;

use super::controller_labels;
use crate::render::{Object, Rendered};

/// The image of our agent, whose arguments say what listens.
const AGENT_IMAGE: &str = "partywall.local/agent:";
/// More replicas than this are alike to policies that do not tell ordinals apart, and those are
/// not judged: two show what one asks the other.
pub(super) const REPLICAS_MAX: u64 = 2;

/// A pod with what only the files tell of it.
#[derive(Clone, Debug)]
pub(crate) struct StandingPod {
    pub(crate) pod: Pod,
    /// Names of container ports.
    pub(crate) names: BTreeMap<String, Port>,
    /// What listens in it; none where nobody knows, and what is declared is taken to.
    pub(crate) listens: Option<BTreeSet<Port>>,
}

impl StandingPod {
    /// An agent also speaks SCTP where the kernel under it does.
    pub(super) fn speak_sctp(&mut self) {
        let over_sctp = |ports: &[Port]| -> Vec<Port> {
            let tcp = ports.iter().filter(|port| port.transport == Transport::Tcp);
            tcp.map(|port| Port::sctp(port.number)).collect()
        };
        if self.pod.agent {
            let decoys = over_sctp(&self.pod.decoys);
            self.pod.decoys.extend(decoys);
        }
        if let Some(listens) = &mut self.listens {
            let known: Vec<Port> = listens.iter().copied().collect();
            listens.extend(over_sctp(&known));
        }
    }

    /// Whether something answers on a port, as far as the files tell.
    pub(crate) fn listens_on(&self, port: Port) -> bool {
        self.listens.as_ref().is_none_or(|known| known.contains(&port))
    }
}

/// The twin that would stand beside somebody else's pod: alike to every policy, and with the
/// decoy that all our agents have.
pub(crate) fn twin(standing: &StandingPod) -> StandingPod {
    let original = &standing.pod;
    let name = PodName::new(&original.name.namespace, format!("{}-twin", original.name.name));
    let pod = Pod {
        address: name.to_string(),
        role: Role::Twin { of: original.name.clone() },
        agent: true,
        decoys: both_transports(&[DECOY]),
        name,
        ..original.clone()
    };
    StandingPod { pod, ..standing.clone() }
}

/// Names that are given away. A pod is found by its name and by its address, so that two which
/// share one would be judged as one.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<PodName>);

impl Names {
    /// The same pod, under a name that nobody else has: `web@StatefulSet` where there is a `web`.
    pub(super) fn give(&mut self, mut standing: StandingPod, kind: &str) -> StandingPod {
        let pod = &mut standing.pod;
        let own = pod.name.clone();
        let mut copies = 1_u32;
        while !self.0.insert(pod.name.clone()) {
            pod.name.name = match copies {
                1 => format!("{}@{kind}", own.name),
                _ => format!("{}@{kind}-{copies}", own.name),
            };
            copies += 1;
        }
        if pod.address == own.to_string() {
            pod.address = pod.name.to_string();
        }
        standing
    }
}

/// The pods of every rendered workload.
pub(crate) fn pods(rendered: &Rendered) -> Vec<StandingPod> {
    pods_beside(rendered, &mut Names::default())
}

/// The same, under names that nobody else has.
pub(super) fn pods_beside(rendered: &Rendered, names: &mut Names) -> Vec<StandingPod> {
    let mut found = Vec::new();
    for object in &rendered.objects {
        let pods = pods_of(object).into_iter();
        found.extend(pods.map(|standing| names.give(standing, object.kind())));
    }
    found
}

fn pods_of(object: &Object) -> Vec<StandingPod> {
    let Some(template) = object.pod_template() else {
        return Vec::new();
    };
    let replicas = match object.kind() {
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => {
            object.at(&["spec", "replicas"]).and_then(Value::as_u64).unwrap_or(1)
        }
        _ => 1,
    };
    let name = |ordinal: u64| match ordinal {
        0 => object.name().to_string(),
        _ => format!("{}-{ordinal}", object.name()),
    };
    // A workload that is scaled to nothing comes back one day, and its wall must stand by then.
    let ordinals = 0..replicas.clamp(1, REPLICAS_MAX);
    ordinals.map(|ordinal| pod(object, template, (ordinal, name(ordinal)))).collect()
}

fn pod(object: &Object, template: &Value, (ordinal, name): (u64, String)) -> StandingPod {
    let spec = &template["spec"];
    let containers = containers(spec);
    let declared = containers.iter().flat_map(|container| container_ports(container));
    let declared: Vec<(Option<String>, Port)> = declared.collect();
    let agent = containers.iter().find_map(|container| Agent::read(container));
    let ports: Vec<Port> = declared.iter().map(|(_, port)| *port).collect();
    let decoys = match &agent {
        Some(agent) => both_transports(&agent.decoys),
        None => Vec::new(),
    };
    let mut labels = labels(&template["metadata"]["labels"]);
    labels.extend(controller_labels::added(object, ordinal));
    let service_account = spec["serviceAccountName"].as_str().unwrap_or("default");
    let pod = Pod {
        address: format!("{}/{name}", object.namespace()),
        name: PodName::new(object.namespace(), name),
        workload: object.name().to_string(),
        labels,
        node: String::new(),
        service_account: service_account.to_string(),
        host_network: spec["hostNetwork"].as_bool().unwrap_or(false),
        role: Role::Workload,
        agent: agent.is_some(),
        declared: ports,
        decoys,
    };
    let listens = agent.map(|agent| {
        both_transports(&agent.listens).into_iter().chain(both_transports(&agent.decoys)).collect()
    });
    let names = declared.into_iter().filter_map(|(name, port)| Some((name?, port))).collect();
    StandingPod { pod, names, listens }
}

/// Containers that run beside each other: sidecars are init containers that are restarted.
fn containers(spec: &Value) -> Vec<&Value> {
    let list = |key: &str| spec[key].as_array().into_iter().flatten();
    let sidecars = list("initContainers").filter(|one| one["restartPolicy"] == "Always");
    list("containers").chain(sidecars).collect()
}

fn container_ports(container: &Value) -> impl Iterator<Item = (Option<String>, Port)> {
    let ports = container["ports"].as_array().into_iter().flatten();
    ports.filter_map(|port| {
        let number = u16::try_from(port["containerPort"].as_u64()?).ok()?;
        let transport = transport(port["protocol"].as_str())?;
        Some((port["name"].as_str().map(str::to_string), Port { number, transport }))
    })
}

/// A protocol as objects name it.
pub(super) fn transport(protocol: Option<&str>) -> Option<Transport> {
    match protocol {
        None | Some("TCP") => Some(Transport::Tcp),
        Some("UDP") => Some(Transport::Udp),
        Some("SCTP") => Some(Transport::Sctp),
        Some(_) => None,
    }
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string()))).collect()
}

/// An agent listens on both transports of each of its ports.
fn both_transports(numbers: &[u16]) -> Vec<Port> {
    numbers.iter().flat_map(|number| [Port::tcp(*number), Port::udp(*number)]).collect()
}

/// What our agent is told: `serve --listen 8000 --decoy 18080`, or the same by environment.
struct Agent {
    listens: Vec<u16>,
    decoys: Vec<u16>,
}

impl Agent {
    fn read(container: &Value) -> Option<Self> {
        if !container["image"].as_str()?.starts_with(AGENT_IMAGE) {
            return None;
        }
        let args = container["args"].as_array().into_iter().flatten();
        let args: Vec<&str> = args.filter_map(Value::as_str).collect();
        let of = |flag: &str, variable: &str| {
            let pairs = args.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1]);
            let inline = args.iter().filter_map(|arg| arg.strip_prefix(flag)?.strip_prefix('='));
            let environment = container["env"].as_array().into_iter().flatten();
            let environment = environment
                .filter(|entry| entry["name"] == variable)
                .filter_map(|entry| entry["value"].as_str());
            let numbers = pairs.chain(inline).chain(environment);
            numbers.flat_map(|text| text.split(',')).filter_map(|n| n.trim().parse().ok()).collect()
        };
        Some(Self {
            listens: of("--listen", "PARTYWALL_LISTEN"),
            decoys: of("--decoy", "PARTYWALL_DECOY"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::parse_stream;
    use partywall_core::source::SourceLocation;
    use rstest::rstest;

    fn pods_in(text: &str) -> Vec<StandingPod> {
        let values = parse_stream("test.yaml", text).unwrap();
        let objects = values.into_iter().map(|value| Object {
            value,
            origin: SourceLocation::new("test.yaml", 1),
            applied_by: String::new(),
        });
        pods(&Rendered { objects: objects.collect(), ..Rendered::default() })
    }

    const TEMPLATE: &str = "{metadata: {labels: {app: x}}, spec: {containers: [{image: i, ports: [{name: http, containerPort: 80}, {containerPort: 53, protocol: UDP}]}]}}";

    #[rstest]
    #[case::deployment("kind: Deployment", "spec: {template: TEMPLATE}", 1)]
    #[case::two("kind: StatefulSet", "spec: {replicas: 5, template: TEMPLATE}", 2)]
    #[case::none("kind: Deployment", "spec: {replicas: 0, template: TEMPLATE}", 1)]
    #[case::daemon("kind: DaemonSet", "spec: {template: TEMPLATE}", 1)]
    #[case::job("kind: Job", "spec: {template: TEMPLATE}", 1)]
    #[case::cron("kind: CronJob", "spec: {jobTemplate: {spec: {template: TEMPLATE}}}", 1)]
    #[case::other("kind: ConfigMap", "data: {a: b}", 0)]
    fn every_kind_of_workload_has_pods(
        #[case] kind: &str,
        #[case] spec: &str,
        #[case] expected: usize,
    ) {
        let spec = spec.replace("TEMPLATE", TEMPLATE);
        let text = format!("{kind}\nmetadata: {{name: w, namespace: n}}\n{spec}\n");
        let found = pods_in(&text);
        assert_eq!(found.len(), expected);
        for standing in found {
            assert_eq!(standing.pod.labels["app"], "x");
            assert_eq!(standing.pod.workload, "w");
            assert_eq!(standing.pod.declared, [Port::tcp(80), Port::udp(53)]);
            assert_eq!(standing.names["http"], Port::tcp(80));
            assert!(standing.listens_on(Port::tcp(1)));
        }
    }

    #[test]
    fn each_pod_has_the_labels_of_its_ordinal() {
        let text = format!(
            "kind: StatefulSet\nmetadata: {{name: w, namespace: n}}\nspec: {{replicas: 2, template: {TEMPLATE}}}\n"
        );
        let found = pods_in(&text);
        let names = found.iter().map(|one| &one.pod.labels["statefulset.kubernetes.io/pod-name"]);
        assert_eq!(names.collect::<Vec<_>>(), ["w-0", "w-1"]);
    }

    #[test]
    fn an_agent_says_what_listens() {
        let text = "kind: Pod\nmetadata: {name: p, namespace: n}\nspec: {hostNetwork: true, containers: [{image: 'partywall.local/agent:e2e', args: [serve, --listen, '8081', --decoy=9, --listen, '7,8'], ports: [{containerPort: 8080}]}]}\n";
        let found = pods_in(text);
        assert!(found[0].pod.host_network);
        assert_eq!(found[0].pod.decoys, [Port::tcp(9), Port::udp(9)]);
        let listens: Vec<String> =
            found[0].listens.iter().flatten().map(ToString::to_string).collect();
        let expected =
            ["7/TCP", "7/UDP", "8/TCP", "8/UDP", "9/TCP", "9/UDP", "8081/TCP", "8081/UDP"];
        assert_eq!(listens, expected);
        assert!(!found[0].listens_on(Port::tcp(8080)));
    }
}
