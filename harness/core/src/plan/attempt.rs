//! Planning attempts: what a hostile object is made for, and what would show that it works.

use std::collections::BTreeMap;

use serde_json::json;

use super::cell::Plan;
use super::targets::{label, speak_to};
use super::trial::Trial;
use crate::attempt::{ATTEMPT_LABEL, AttemptProbe, AttemptReach, Effect, Hostile, Want};
use crate::contract::{Contract, Endpoint, Tenant};
use crate::inventory::{Inventory, Node, Pod, PodName, Role, Service};
use crate::port::{Port, Transport};
use crate::probe::{By, Probe, ReachProbe, Speak, Target};
use crate::scenario::Attempt;
use crate::verdict::ProofLevel;

/// The beginning of every hostile object's name.
const PREFIX: &str = "partywall-attempt";
/// Ports of nodes that hostile Services ask for, plus the place of their tenant.
const NODE_PORTS: (usize, usize) = (31_800, 31_900);
/// What the agent of a hostile pod listens on, and of one on its node's network.
const HOSTILE_PORTS: (u16, u16) = (8080, 18_089);

/// Add a cell for every hostile object of the question.
pub(super) fn plan_attempts(
    plan: &mut Plan,
    index: usize,
    trial: &Trial,
    question: &Attempt,
    contract: &Contract,
    inventory: &Inventory,
) {
    let Some(tenant) = trial.tenant(contract) else { return };
    let scene = Scene::new(contract, inventory, tenant, trial.other(contract));
    for hostile in question.objects.iter().copied() {
        let variants = match hostile {
            Hostile::LabelledPod => worn(contract, tenant),
            _ => vec![(String::new(), BTreeMap::new())],
        };
        for (variant, labels) in variants {
            let name = match variant.as_str() {
                "" => hostile.name().to_string(),
                variant => format!("{}-{variant}", hostile.name()),
            };
            match scene.as_ref().map(|scene| scene.probe(hostile, &name, &labels)) {
                Ok(probe) => {
                    plan.single(index, Probe::Attempt(Box::new(probe)), &tenant.name, &name);
                }
                Err(why) => plan.missing(index, &tenant.name, &name, why.clone()),
            }
        }
    }
}

/// Labels of the endpoints that the tenant may reach, by their names: what policies ask for.
fn worn(contract: &Contract, tenant: &Tenant) -> Vec<(String, BTreeMap<String, String>)> {
    let names = contract.allowed_endpoints(&tenant.name).into_iter();
    let endpoints = names.filter_map(|name| Some((name, contract.endpoints.get(name)?)));
    let with_pods = endpoints.filter(|(_, endpoint)| !endpoint.pods.is_empty());
    with_pods.map(|(name, endpoint)| (name.to_string(), endpoint.pods.clone())).collect()
}

/// Who takes part in the attempts of one tenant.
struct Scene<'a> {
    inventory: &'a Inventory,
    tenant: &'a Tenant,
    /// The place of the tenant in the contract, for ports of nodes that no other asks for.
    place: usize,
    namespace: &'a str,
    other: &'a str,
    own: &'a Pod,
    neighbour: &'a Pod,
    neighbour_service: Option<&'a Service>,
    shared: Option<(&'a Endpoint, &'a Pod)>,
    open: Option<&'a Pod>,
    sink: Option<&'a Pod>,
}

impl<'a> Scene<'a> {
    fn new(
        contract: &'a Contract,
        inventory: &'a Inventory,
        tenant: &'a Tenant,
        other: Option<&'a Tenant>,
    ) -> Result<Self, String> {
        let place = contract.tenants.iter().position(|one| one.name == tenant.name).unwrap_or(0);
        let next = contract.tenants.iter().cycle().skip(place + 1).take(contract.tenants.len());
        let other = other.or_else(|| next.into_iter().find(|one| one.name != tenant.name));
        let other = other.ok_or("the tenant has no neighbour")?;
        let agent_of = |of: &'a Tenant| {
            let mut pods = inventory.workloads(&of.namespaces);
            let found = pods.find_map(|pod| {
                let agent = inventory.stand_in(pod)?;
                tcp_port(agent).map(|_| agent)
            });
            found.ok_or_else(|| format!("no pod of {} stands that could be asked", of.name))
        };
        let (own, neighbour) = (agent_of(tenant)?, agent_of(other)?);
        let mut services = inventory.services.iter();
        let neighbour_service = services.find(|one| one.door.is_none() && one.selects(neighbour));
        Ok(Self {
            inventory,
            tenant,
            place,
            namespace: &own.name.namespace,
            other: &neighbour.name.namespace,
            own,
            neighbour,
            neighbour_service,
            shared: shared(contract, inventory, tenant),
            open: inventory.with_role(Role::OpenClient).next(),
            sink: inventory.with_role(Role::OpenSink).next(),
        })
    }

    fn probe(
        &self,
        hostile: Hostile,
        short: &str,
        labels: &BTreeMap<String, String>,
    ) -> AttemptProbe {
        let name = format!("{PREFIX}-{short}");
        let reaches = self.reaches(hostile, &name, labels);
        let setting = self.setting(&name, labels);
        let markers = match hostile.effect() {
            Effect::Hijack => self.marker(&name).into_iter().collect(),
            _ => Vec::new(),
        };
        AttemptProbe { tenant: self.tenant.clone(), hostile, name, setting, markers, reaches }
    }

    /// What stands for the placeholders of the templates.
    fn setting(&self, name: &str, labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let port = |pod: &Pod| tcp_port(pod).map_or(HOSTILE_PORTS.0, |port| port.number);
        let mut labels = labels.clone();
        labels.insert(ATTEMPT_LABEL.to_string(), name.to_string());
        let shared_namespace =
            self.shared.map_or("shared-services", |(_, pod)| pod.name.namespace.as_str());
        let known = self.inventory.namespaces.get(shared_namespace);
        let mut shared_labels = known.cloned().unwrap_or_default();
        // These two name the namespace and who applied it, and no policy means more by them.
        shared_labels.retain(|key, _| !key.contains("kubernetes.io/") && !key.contains("fluxcd"));
        if shared_labels.is_empty() {
            shared_labels.insert("purpose".to_string(), shared_namespace.to_string());
        }
        let shared = self.shared.map(|(endpoint, pod)| {
            let port = endpoint.ports.first().map_or(HOSTILE_PORTS.0, |port| port.number);
            (pod.address.clone(), port)
        });
        let (shared_address, shared_port) =
            shared.unwrap_or_else(|| ("203.0.113.10".to_string(), HOSTILE_PORTS.0));
        let service = self.neighbour_service.map(Service::dns_name);
        let values = [
            ("name", name.to_string()),
            ("namespace", self.namespace.to_string()),
            ("other", self.other.to_string()),
            ("neighbour_address", self.neighbour.address.clone()),
            ("neighbour_port", port(self.neighbour).to_string()),
            ("neighbour_service", service.unwrap_or_else(|| format!("x.{}.svc", self.other))),
            ("shared_address", shared_address),
            ("shared_port", shared_port.to_string()),
            ("shared_labels", json!(shared_labels).to_string()),
            ("own_labels", json!(self.own.labels).to_string()),
            ("own_port", port(self.own).to_string()),
            ("node_port", (NODE_PORTS.0 + self.place % 100).to_string()),
            ("balanced_port", (NODE_PORTS.1 + self.place % 100).to_string()),
            ("labels", json!(labels).to_string()),
        ];
        values.map(|(key, value)| (key.to_string(), value)).into()
    }

    fn reaches(
        &self,
        hostile: Hostile,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Vec<AttemptReach> {
        let made = self.made(hostile, name, labels);
        match hostile.effect() {
            Effect::Walls => self.walls(),
            Effect::Pod => self.of_pod(&made),
            Effect::Breach if hostile == Hostile::HostNetworkPod => vec![
                // Not judged by it: it shows what such a pod is worth.
                self.denied(&made, self.neighbour, None),
            ],
            Effect::Service => self.through(hostile, name),
            Effect::Apiserver => self.to_apiserver(name).into_iter().collect(),
            Effect::Exposed => self.exposed(hostile).into_iter().collect(),
            Effect::Hijack => self.hijacked().into_iter().collect(),
            Effect::Breach | Effect::Release | Effect::Recorded => Vec::new(),
        }
    }

    /// Each wall of the namespace alone, then both together.
    fn walls(&self) -> Vec<AttemptReach> {
        let mut found = Vec::new();
        found.extend(self.sink.map(|sink| self.denied(self.own, sink, None)));
        found.extend(self.open.map(|open| self.denied(open, self.own, None)));
        found.push(self.denied(self.own, self.neighbour, None));
        found.push(self.denied(self.neighbour, self.own, None));
        found
    }

    fn of_pod(&self, made: &Pod) -> Vec<AttemptReach> {
        let mut found = Vec::new();
        found.extend(self.sink.map(|sink| self.denied(made, sink, None)));
        found.push(self.denied(made, self.neighbour, None));
        let undeclared = self.shared.and_then(|(_, pod)| {
            let pod = self.inventory.stand_in(pod)?;
            let decoy = pod.decoys.iter().find(|port| port.transport == Transport::Tcp)?;
            Some(self.denied(made, pod, Some(*decoy)))
        });
        found.extend(undeclared);
        found.extend(self.open.map(|open| self.denied(open, made, None)));
        found.push(self.denied(self.neighbour, made, None));
        found
    }

    /// The neighbour's pod, by the hostile Service's address or name: asked by the tenant itself, and
    /// by a shared service that follows what a tenant names.
    fn through(&self, hostile: Hostile, name: &str) -> Vec<AttemptReach> {
        let own_label = format!("{}/{name}", self.namespace);
        let followers = self.inventory.with_role(Role::Client).filter(|client| {
            self.shared.is_some_and(|(_, pod)| pod.name.namespace == client.name.namespace)
        });
        let clients = std::iter::once(self.own).chain(followers);
        let asked = clients.filter_map(|client| {
            let mut denied = self.denied(client, self.neighbour, None);
            let behind = denied.probe.target.clone();
            let mut target = Target { label: own_label.clone(), ..behind.clone() };
            if hostile == Hostile::ExternalNameNeighbour {
                let service = self.neighbour_service?;
                let mut ports = service.ports.iter();
                let port = ports.find(|port| port.port.transport == Transport::Tcp)?;
                let pods = self.inventory.pods.iter();
                let pods = pods.filter(|pod| service.selects(pod) && pod.agent);
                target.by = By::Name;
                target.address = format!("{name}.{}.svc.cluster.local", self.namespace);
                target.port = port.port;
                target.servers = pods.map(|pod| pod.name.clone()).collect();
            } else {
                target.by = By::Service;
                target.address.clone_from(&own_label);
            }
            denied.aim_at(target, behind);
            Some(denied)
        });
        asked.collect()
    }

    fn to_apiserver(&self, name: &str) -> Option<AttemptReach> {
        let mut services = self.inventory.services.iter();
        let service = services
            .find(|one| (one.namespace.as_str(), one.name.as_str()) == ("default", "kubernetes"))?;
        let port = service.ports.first()?.port;
        let target = |label: String, by: By, address: String| Target {
            label,
            by,
            address,
            port,
            speak: Speak::Https,
            servers: Vec::new(),
        };
        let behind =
            target("default/kubernetes".to_string(), By::Service, service.address.clone()?);
        let named = target(
            format!("{}/{name}", self.namespace),
            By::Name,
            format!("{name}.{}.svc.cluster.local", self.namespace),
        );
        let mut reach = self.denied(self.own, self.neighbour, None);
        reach.target_controls =
            self.open.map(|open| probe(open, named.clone())).into_iter().collect();
        reach.aim_at(named, behind);
        Some(reach)
    }

    /// The tenant's pod, by a port of a node.
    fn exposed(&self, hostile: Hostile) -> Option<AttemptReach> {
        // Of its own node: by another's port, the packet would come from that node, not from a client.
        let nodes = &self.inventory.nodes;
        let own = nodes.iter().find(|node| node.name == self.own.node);
        let node: &Node = own.or(nodes.first())?;
        let base = if hostile == Hostile::NodePort { NODE_PORTS.0 } else { NODE_PORTS.1 };
        let number = u16::try_from(base + self.place % 100).ok()?;
        let mut reach = self.denied(self.open?, self.own, None);
        let behind = reach.probe.target.clone();
        let target = Target {
            label: format!("{}@{}", label(self.own), node.name),
            by: By::Node,
            address: node.address.clone(),
            port: Port::tcp(number),
            servers: self.alike(self.own),
            ..behind.clone()
        };
        reach.aim_at(target, behind);
        Some(reach)
    }

    /// A neighbour that asks the shared service at its own address.
    fn hijacked(&self) -> Option<AttemptReach> {
        let (endpoint, pod) = self.shared?;
        let port = *endpoint.ports.first()?;
        let pod = Some(pod).filter(|pod| pod.agent)?;
        let mut reach = self.denied(self.neighbour, pod, Some(port));
        let mut alive = reach.probe.target.clone();
        alive.address = "127.0.0.1".to_string();
        reach.target_controls = vec![probe(pod, alive)];
        reach.want = Want::Unmoved;
        reach.leads_to = Some(target_of(self.own, tcp_port(self.own)?));
        Some(reach)
    }

    /// The hostile Service's own address, which is programmed together with what it claims.
    fn marker(&self, name: &str) -> Option<ReachProbe> {
        let (endpoint, _) = self.shared?;
        let client = self.beside(self.own).next()?;
        let target = Target {
            label: format!("{}/{name}", self.namespace),
            by: By::Service,
            address: format!("{}/{name}", self.namespace),
            port: *endpoint.ports.first()?,
            speak: Speak::Nonce,
            servers: self.alike(self.own),
        };
        Some(probe(client, target))
    }

    /// Pods with the labels of this one: whoever is sent to it may be sent to them.
    fn alike(&self, pod: &Pod) -> Vec<PodName> {
        let has_all =
            |one: &&Pod| pod.labels.iter().all(|(key, value)| one.labels.get(key) == Some(value));
        let there = |one: &&Pod| one.name.namespace == pod.name.namespace && one.agent;
        let pods = self.inventory.pods.iter().filter(there).filter(has_all);
        pods.map(|one| one.name.clone()).collect()
    }

    fn denied(&self, client: &Pod, server: &Pod, port: Option<Port>) -> AttemptReach {
        let port = port.or_else(|| tcp_port(server)).unwrap_or(Port::tcp(HOSTILE_PORTS.0));
        let target = target_of(server, port);
        let controls = self.others(client, server);
        AttemptReach {
            client_controls: self.allowed(client),
            target_controls: controls.map(|pod| probe(pod, target.clone())).collect(),
            probe: probe(client, target),
            want: Want::Denied,
            leads_to: None,
            proof: ProofLevel::Receipt,
        }
    }

    /// The same client to what it may reach.
    fn allowed(&self, client: &Pod) -> Vec<ReachProbe> {
        let to = match client.role {
            Role::OpenClient => self.sink,
            _ => self.beside(client).find(|pod| pod.role != Role::Client),
        };
        let port = to.and_then(tcp_port);
        to.zip(port).map(|(pod, port)| probe(client, target_of(pod, port))).into_iter().collect()
    }

    /// Others, who may ask this server.
    fn others(&self, client: &Pod, server: &Pod) -> impl Iterator<Item = &'a Pod> {
        let client = client.name.clone();
        let open = self.open.filter(|_| server.role == Role::OpenSink);
        let beside = self.beside(server).filter(move |pod| pod.name != client);
        beside.take(2).chain(open)
    }

    /// Agents of the same namespace, ours last.
    fn beside(&self, pod: &Pod) -> impl Iterator<Item = &'a Pod> {
        let inventory = self.inventory;
        let (name, address) = (pod.name.clone(), pod.address.clone());
        let namespace = name.namespace.clone();
        let there =
            move |one: &&'a Pod| one.name.namespace == namespace && !one.host_network && one.agent;
        let other = move |one: &&'a Pod| one.name != name && one.address != address;
        let ours = inventory.pods.iter().filter(|one| one.role == Role::Client);
        let pods = inventory.pods.iter().filter(|one| is_theirs(one)).chain(ours);
        pods.filter(there).filter(other)
    }

    /// The pod that a hostile workload makes, under the name of the workload.
    fn made(&self, hostile: Hostile, name: &str, labels: &BTreeMap<String, String>) -> Pod {
        let number = match hostile {
            Hostile::HostNetworkPod => HOSTILE_PORTS.1,
            _ => HOSTILE_PORTS.0,
        };
        Pod {
            name: PodName::new(self.namespace, name),
            workload: name.to_string(),
            labels: labels.clone(),
            address: format!("{}/{name}", self.namespace),
            role: Role::Workload,
            agent: true,
            declared: vec![Port::tcp(number)],
            decoys: Vec::new(),
            ..self.own.clone()
        }
    }
}

fn is_theirs(pod: &Pod) -> bool {
    matches!(pod.role, Role::Workload | Role::Twin { .. })
}

impl AttemptReach {
    /// Ask another target, which leads to the one behind it; the controls ask it too.
    fn aim_at(&mut self, target: Target, behind: Target) {
        for control in &mut self.target_controls {
            control.target = target.clone();
        }
        self.probe.target = target;
        self.leads_to = Some(behind);
    }
}

/// The first endpoint that the tenant may reach whose pods are our agents, and one of them.
fn shared<'a>(
    contract: &'a Contract,
    inventory: &'a Inventory,
    tenant: &Tenant,
) -> Option<(&'a Endpoint, &'a Pod)> {
    let names = contract.allowed_endpoints(&tenant.name).into_iter();
    let endpoints = names.filter_map(|name| contract.endpoints.get(name));
    let with_pods = endpoints.filter_map(|endpoint| {
        let is_tcp = endpoint.ports.first().is_some_and(|p| p.transport == Transport::Tcp);
        let mut pods = inventory.workloads(&contract.platform);
        let pod = pods.find(|pod| {
            is_tcp && pod.agent && endpoint.selects(&pod.name.namespace, &pod.labels)
        })?;
        Some((endpoint, pod))
    });
    with_pods.into_iter().next()
}

fn tcp_port(pod: &Pod) -> Option<Port> {
    pod.listening().into_iter().find(|port| port.transport == Transport::Tcp)
}

fn target_of(server: &Pod, port: Port) -> Target {
    Target {
        label: label(server),
        by: By::Pod,
        address: server.address.clone(),
        port,
        speak: speak_to(server, port),
        servers: vec![server.name.clone()],
    }
}

fn probe(client: &Pod, target: Target) -> ReachProbe {
    ReachProbe { from: client.name.clone(), target }
}
