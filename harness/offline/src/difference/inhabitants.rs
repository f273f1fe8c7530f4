//! The workloads of one revision: replicas and twins are one, under the same number before and
//! after.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use partywall_core::contract::Contract;
use partywall_core::inventory::{DECOY, Pod, Role};
use partywall_core::port::Port;
use partywall_core::source::SourceLocation;

use super::end::Both;
use crate::cluster::{OfflineCluster, Place};
use crate::netpol::{PortMatch, PortRange, Protocol};
use crate::render::Object;

/// Kinds of objects that have pods.
const KINDS: [&str; 8] = [
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// Stands for every pod of a namespace without policies: a wall that is open to it has a hole,
/// even where the neighbours' own walls hide it.
const UNPROTECTED: &str = "a pod that no policy selects";

/// How the label of a HelmRelease begins.
const RELEASE: &str = "HelmRelease ";

/// Workloads by number. Both revisions share the numbers.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    fn number(&mut self, name: String) -> u32 {
        *self.numbers.entry(name).or_insert_with_key(|name| {
            self.names.push(name.clone());
            u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// `customer-a/open-webui`.
    pub(super) fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }

    /// Its namespace.
    pub(super) fn namespace(&self, number: u32) -> &str {
        self.name(number).split_once('/').map_or("", |(namespace, _)| namespace)
    }
}

/// A workload.
#[derive(Clone, Debug)]
pub(super) struct Inhabitant {
    /// The first of its pods: the others are alike to every policy.
    pub(super) pod: usize,
    pub(super) labels: BTreeMap<String, String>,
    /// Ports that answer: declared ones, those that a contract names, and decoys.
    pub(super) listening: BTreeSet<Port>,
    /// Whether a port among them stands for all that nobody declares.
    pub(super) has_decoy: bool,
    /// Where it is written; none for what no file describes.
    pub(super) origin: Option<SourceLocation>,
    /// The Kustomization of Flux that makes it, directly or through a HelmRelease.
    pub(super) maker: Option<String>,
}

impl Inhabitant {
    pub(super) const fn place(&self) -> Place {
        Place::Pod(self.pod)
    }
}

/// Ports that both revisions are asked for, so that no flow comes or goes because something else
/// names its port.
pub(super) struct Asked<'a> {
    contracts: [&'a Contract; 2],
    /// Those that rules of policies name, and a decoy.
    rules: BTreeSet<Port>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(clusters: Both<&OfflineCluster<'a>>) -> Self {
        let contracts = clusters.map(OfflineCluster::contract);
        let mut rules = BTreeSet::from([Port::tcp(DECOY), Port::udp(DECOY)]);
        for cluster in [clusters.base, clusters.head] {
            rules.extend(rule_ports(cluster));
        }
        Self { contracts: [contracts.base, contracts.head], rules }
    }

    /// What is asked of a pod: what it declares, what a contract names, and its decoys.
    fn of(&self, pod: &Pod) -> BTreeSet<Port> {
        let endpoints = self.contracts.iter().flat_map(|contract| contract.endpoints.values());
        let named = endpoints.filter(|one| one.selects(&pod.name.namespace, &pod.labels));
        let named = named.flat_map(|endpoint| endpoint.ports.iter().copied());
        pod.listening().into_iter().chain(named).collect()
    }
}

/// The bounds of every range of ports that a policy names.
fn rule_ports(cluster: &OfflineCluster<'_>) -> Vec<Port> {
    let walls = cluster.walls();
    let places = (0..).take_while(|place| walls.policy(*place).is_some());
    let policies = places.filter_map(|place| walls.policies().policy(place));
    let rules = policies.flat_map(|policy| policy.egress.iter().chain(&policy.ingress).flatten());
    let ranges = rules.flat_map(|rule| &rule.ports).filter_map(|port| match port.ports {
        PortMatch::Numbers(range) if range != PortRange::every(range.protocol) => Some(range),
        _ => None,
    });
    let bounds = ranges.flat_map(|range| {
        [range.first, range.last].into_iter().filter_map(move |number| match range.protocol {
            Protocol::Tcp => Some(Port::tcp(number)),
            Protocol::Udp => Some(Port::udp(number)),
            Protocol::Sctp => None,
        })
    });
    bounds.collect()
}

/// Everybody who stands in one revision.
#[derive(Debug)]
pub(super) struct Inhabitants {
    /// The workload of each pod; none for control clients.
    pub(super) of_pod: Vec<Option<u32>>,
    /// Pods that only stand in for another of their workload.
    pub(super) twins: HashSet<usize>,
    pub(super) all: BTreeMap<u32, Inhabitant>,
    /// The Kustomizations of Flux, with their lines.
    pub(super) makers: BTreeMap<String, SourceLocation>,
}

impl Inhabitants {
    /// Of one revision.
    pub(super) fn new(cluster: &OfflineCluster<'_>, asked: &Asked<'_>, names: &mut Names) -> Self {
        let (written, makers) = (written(cluster), makers(cluster));
        let mut found = Self {
            of_pod: Vec::new(),
            twins: HashSet::new(),
            all: BTreeMap::new(),
            makers: BTreeMap::new(),
        };
        for (index, standing) in cluster.standing().pods.iter().enumerate() {
            let pod = &standing.pod;
            let (name, ports) = match pod.role {
                Role::Workload | Role::Twin { .. } => (
                    format!("{}/{}", pod.name.namespace, pod.workload),
                    asked.of(pod).into_iter().filter(|port| standing.listens_on(*port)).collect(),
                ),
                Role::OpenClient | Role::OpenSink | Role::NameServer | Role::Outside => {
                    (UNPROTECTED.to_string(), asked.rules.clone())
                }
                Role::Client | Role::NodeClient | Role::FarTwin { .. } => {
                    found.of_pod.push(None);
                    continue;
                }
            };
            if matches!(pod.role, Role::Twin { .. }) {
                found.twins.insert(index);
            }
            let number = names.number(name);
            found.of_pod.push(Some(number));
            let place = (pod.name.namespace.as_str(), pod.workload.as_str());
            let one = found.all.entry(number).or_insert_with(|| Inhabitant {
                pod: index,
                labels: pod.labels.clone(),
                listening: BTreeSet::new(),
                has_decoy: false,
                origin: written.get(&place).map(|(_, origin)| (*origin).clone()),
                maker: written.get(&place).and_then(|(by, _)| maker(&makers, by)),
            });
            one.listening.extend(ports);
            one.has_decoy |= !pod.decoys.is_empty();
        }
        let kustomizations = makers.into_iter().filter(|(label, _)| !label.starts_with(RELEASE));
        found.makers = kustomizations.map(|(label, (_, origin))| (label, origin.clone())).collect();
        found
    }

    pub(super) fn get(&self, number: u32) -> Option<&Inhabitant> {
        self.all.get(&number)
    }
}

/// What applies an object, and where the object is written.
type Written<'a> = (&'a str, &'a SourceLocation);

/// Every workload by namespace and name.
fn written<'a>(cluster: &OfflineCluster<'a>) -> HashMap<(&'a str, &'a str), Written<'a>> {
    let objects = cluster.rendered().objects.iter();
    let workloads = objects.filter(|object| KINDS.contains(&object.kind()));
    let one = |object: &'a Object| {
        let written = (object.applied_by.as_str(), &object.origin);
        ((object.namespace(), object.name()), written)
    };
    workloads.map(one).collect()
}

/// What applies objects, by its label.
fn makers<'a>(cluster: &OfflineCluster<'a>) -> HashMap<String, Written<'a>> {
    let objects = cluster.rendered().objects.iter();
    let makers = objects.filter(|object| ["HelmRelease", "Kustomization"].contains(&object.kind()));
    let one = |object: &'a Object| (object.label(), (object.applied_by.as_str(), &object.origin));
    makers.map(one).collect()
}

/// The Kustomization behind what applies an object.
fn maker(makers: &HashMap<String, Written<'_>>, applied_by: &str) -> Option<String> {
    let label = match applied_by.starts_with(RELEASE) {
        true => makers.get(applied_by)?.0,
        false => applied_by,
    };
    (!label.is_empty()).then(|| label.to_string())
}
