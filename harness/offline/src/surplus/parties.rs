//! Who stands there, as far as the contract tells them apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use partywall_core::contract::{Contract, Endpoint, Tenant};
use partywall_core::inventory::{DECOY, Pod, Role};
use partywall_core::port::{Port, Transport};

use crate::cluster::OfflineCluster;
use crate::netpol::{PortSet, Protocol};

/// Stands for every pod that no policy selects.
const UNPROTECTED: &str = "a pod that no policy selects";

/// Whose a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owner {
    /// A tenant, by its place in the contract.
    Tenant(usize),
    Platform,
    /// The harness, in a namespace without policies.
    Open,
    /// Nobody that the contract knows.
    Nobody,
}

/// Pods that the contract treats alike when they are called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Target {
    pub(super) owner: Owner,
    /// Endpoints of the contract that select them.
    endpoints: Vec<String>,
    /// Ports that cells ask.
    pub(super) asked: PortSet,
}

/// A pod.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// For people.
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) workload: String,
    pub(super) owner: Owner,
    /// Its place among the targets.
    pub(super) target: usize,
    pub(super) host_network: bool,
}

impl Member {
    pub(super) const fn is_a_tenants(&self) -> bool {
        matches!(self.owner, Owner::Tenant(_))
    }
}

/// Everybody.
pub(super) struct Parties<'a> {
    contract: &'a Contract,
    /// By pod; none for twins, which are alike to their originals, and for the nodes' own clients.
    pub(super) members: Vec<Option<Member>>,
    pub(super) targets: Vec<Target>,
}

impl<'a> Parties<'a> {
    pub(super) fn new(cluster: &OfflineCluster<'a>) -> Self {
        let contract = cluster.contract();
        let owners = owners(contract);
        let mut known: HashMap<Target, usize> = HashMap::new();
        let mut found = Self { contract, members: Vec::new(), targets: Vec::new() };
        for standing in &cluster.standing().pods {
            let pod = &standing.pod;
            let (owner, name) = match pod.role {
                Role::Workload => {
                    let namespace = pod.name.namespace.as_str();
                    let owner = owners.get(namespace).copied().unwrap_or(Owner::Nobody);
                    (owner, format!("{namespace}/{}", pod.workload))
                }
                Role::OpenClient | Role::OpenSink | Role::NameServer | Role::Outside => {
                    (Owner::Open, UNPROTECTED.to_string())
                }
                // It has no labels that anybody selects: what stands there besides is like it.
                Role::Client => {
                    let namespace = pod.name.namespace.as_str();
                    let owner = owners.get(namespace).copied().unwrap_or(Owner::Nobody);
                    (owner, format!("any other pod of {namespace}"))
                }
                Role::Twin { .. } | Role::NodeClient | Role::FarTwin { .. } => {
                    found.members.push(None);
                    continue;
                }
            };
            let target = target(contract, pod, owner);
            let number = *known.entry(target).or_insert_with_key(|target| {
                found.targets.push(target.clone());
                found.targets.len() - 1
            });
            found.members.push(Some(Member {
                name,
                namespace: pod.name.namespace.clone(),
                workload: pod.workload.clone(),
                owner,
                target: number,
                host_network: pod.host_network,
            }));
        }
        found
    }

    /// What the contract allows a client of a target.
    pub(super) fn allowed(&self, client: Owner, target: &Target) -> PortSet {
        let Some(tenant) = self.tenant(client) else { return PortSet::none() };
        if client == target.owner && self.contract.allows_same_tenant(&tenant.name) {
            return PortSet::all();
        }
        let allowed = self.contract.allowed_endpoints(&tenant.name);
        let names = target.endpoints.iter().filter(|name| allowed.contains(&name.as_str()));
        self.ports_of(names.map(String::as_str))
    }

    /// What the contract allows a tenant of the API server and the nodes, wherever they are.
    pub(super) fn allowed_entities(&self, client: Owner) -> PortSet {
        let Some(tenant) = self.tenant(client) else { return PortSet::none() };
        let is_entity = |name: &&str| {
            self.contract.endpoints.get(*name).is_some_and(|endpoint| endpoint.entity.is_some())
        };
        self.ports_of(self.contract.allowed_endpoints(&tenant.name).into_iter().filter(is_entity))
    }

    fn tenant(&self, owner: Owner) -> Option<&'a Tenant> {
        match owner {
            Owner::Tenant(place) => self.contract.tenants.get(place),
            Owner::Platform | Owner::Open | Owner::Nobody => None,
        }
    }

    fn ports_of<'n>(&self, names: impl Iterator<Item = &'n str>) -> PortSet {
        let endpoints = names.filter_map(|name| self.contract.endpoints.get(name));
        ports(endpoints.flat_map(|endpoint| endpoint.ports.iter().copied()))
    }
}

/// Whether a cell asks this pair, with the answer no, on the ports that the target listens on.
pub(super) fn is_asked(client: Owner, target: Owner) -> bool {
    match (client, target) {
        (Owner::Tenant(one), Owner::Tenant(other)) => one != other,
        (Owner::Tenant(_), Owner::Platform | Owner::Open) | (Owner::Open, Owner::Tenant(_)) => true,
        _ => false,
    }
}

fn owners(contract: &Contract) -> BTreeMap<&str, Owner> {
    let platform = contract.platform.iter().map(|name| (name.as_str(), Owner::Platform));
    let tenants = contract.tenants.iter().enumerate().flat_map(|(place, tenant)| {
        tenant.namespaces.iter().map(move |name| (name.as_str(), Owner::Tenant(place)))
    });
    platform.chain(tenants).collect()
}

fn target(contract: &Contract, pod: &Pod, owner: Owner) -> Target {
    let selects = |endpoint: &Endpoint| endpoint.selects(&pod.name.namespace, &pod.labels);
    let endpoints = || contract.endpoints.iter().filter(|(_, endpoint)| selects(endpoint));
    let mut asked: BTreeSet<Port> = match pod.role {
        // No cell is about our own clients.
        Role::Client => BTreeSet::new(),
        _ => pod.listening().into_iter().collect(),
    };
    // Somebody else's pod is asked through its twin, which answers as all our agents do.
    if !pod.agent && !pod.host_network && pod.role != Role::Client {
        asked.extend(pod.declared.iter().map(|port| Port::udp(port.number)));
        asked.extend([Port::tcp(DECOY), Port::udp(DECOY)]);
    }
    asked.extend(endpoints().flat_map(|(_, endpoint)| endpoint.ports.iter().copied()));
    Target {
        owner,
        endpoints: endpoints().map(|(name, _)| name.clone()).collect(),
        asked: ports(asked.into_iter()),
    }
}

fn ports(ports: impl Iterator<Item = Port>) -> PortSet {
    let one = |port: Port| PortSet::single(protocol(port.transport), port.number);
    PortSet::of(ports.flat_map(|port| one(port).ranges().to_vec()))
}

const fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
        Transport::Sctp => Protocol::Sctp,
    }
}
