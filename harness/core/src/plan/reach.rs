//! Planning who is asked to reach whom, with the controls that give a deny its meaning.

use std::collections::{BTreeMap, HashMap};

use super::cell::{Cell, CellSubject, Plan, ReachCell};
use super::coverage::{plan_missing, plan_unasked_doors, plan_unasked_nodes};
use super::family::{control_in_family, in_family};
use super::nodes::aims_at_nodes;
use super::outside::aims_outside;
use super::targets::{Aim, Viewer, aims_at_entities, aims_at_pod, speak_to};
use super::trial::Trial;
use crate::contract::Contract;
use crate::index::Index;
use crate::inventory::{Inventory, OPEN_NAMESPACE, Pod, Role, Service};
use crate::port::{Port, Transport};
use crate::probe::{By, ReachProbe, Speak, Target};
use crate::scenario::{Expect, Family, Party, Ports, Reach};
use crate::verdict::ProofLevel;

/// One trial's question, and what stands.
pub(super) struct Asked<'a> {
    /// Index of the trial.
    pub index: usize,
    pub trial: &'a Trial,
    pub question: &'a Reach,
    pub pods: &'a Index<'a>,
}

pub(super) fn plan_reach(
    plan: &mut Plan,
    asked: &Asked<'_>,
    contract: &Contract,
    inventory: &Inventory,
) {
    let Asked { index, trial, question, pods } = *asked;
    let planner = Planner { index, trial, question, contract, inventory, pods };
    let clients = planner.clients();
    if question.to == Party::Itself {
        for client in clients {
            planner.plan_cells(plan, &[client], &planner.aims(client));
        }
    } else if let Some(first) = clients.first() {
        if planner.asks_by_place() {
            for clients in by_node(&clients) {
                let Some(first) = clients.first() else { continue };
                planner.plan_cells(plan, &clients, &planner.aims(first));
            }
        } else {
            // Whoever asks, the targets of a trial are the same.
            planner.plan_cells(plan, &clients, &planner.aims(first));
        }
    }
    plan_unasked_nodes(plan, asked, contract, inventory);
    plan_unasked_doors(plan, asked, contract, inventory);
    plan_missing(plan, index, trial, question, contract, inventory);
}

/// Clients by the node that they stand on, and by their namespace, which names may depend on.
fn by_node<'a>(clients: &[&'a Pod]) -> Vec<Vec<&'a Pod>> {
    let mut groups: BTreeMap<(&str, &str), Vec<&'a Pod>> = BTreeMap::new();
    for client in clients {
        let place = (client.node.as_str(), client.name.namespace.as_str());
        groups.entry(place).or_default().push(client);
    }
    groups.into_values().collect()
}

struct Planner<'a> {
    index: usize,
    trial: &'a Trial,
    question: &'a Reach,
    contract: &'a Contract,
    inventory: &'a Inventory,
    pods: &'a Index<'a>,
}

impl<'a> Planner<'a> {
    fn denies(&self) -> bool {
        self.trial.scenario.expect == Expect::Denied
    }

    fn clients(&self) -> Vec<&'a Pod> {
        let pods: Vec<&Pod> = match &self.question.from {
            Party::Open => self.inventory.with_role(Role::OpenClient).collect(),
            Party::Nodes => self.inventory.with_role(Role::NodeClient).collect(),
            party => self.pods_of(party),
        };
        let stand_ins = pods.into_iter().filter_map(|pod| self.inventory.stand_in(pod));
        stand_ins.chain(self.far_twins()).collect()
    }

    /// Clients of the tenant on nodes that have no pod of it: walls are asked from everywhere.
    fn far_twins(&self) -> Vec<&'a Pod> {
        let tenant = self.trial.tenant(self.contract);
        let tenant = tenant.filter(|_| self.denies() && self.question.from == Party::Tenant);
        let namespaces = tenant.map(|tenant| tenant.namespaces.as_slice()).unwrap_or_default();
        let near = namespaces.iter().flat_map(|namespace| self.pods.in_namespace(namespace));
        near.copied().filter(|pod| matches!(pod.role, Role::FarTwin { .. })).collect()
    }

    /// Whether targets depend on where the client stands.
    fn asks_by_place(&self) -> bool {
        self.question.from == Party::Nodes || self.question.by.iter().any(|by| by.is_door())
    }

    /// The aim of a node's own client, with the place of its target: a node is let through to the
    /// pods on it, and to no others.
    fn with_place(&self, client: &Pod, pod: &Pod, mut aim: Aim) -> Aim {
        if client.role == Role::NodeClient {
            let place = if client.node == pod.node { "on this node" } else { "on another node" };
            aim.target.label = format!("{} ({place})", aim.target.label);
        }
        aim
    }

    fn pods_of(&self, party: &Party) -> Vec<&'a Pod> {
        let tenant_pods = |tenant: Option<&'a crate::contract::Tenant>| {
            let namespaces = tenant.map(|tenant| tenant.namespaces.as_slice()).unwrap_or_default();
            self.inventory.workloads(namespaces).collect::<Vec<_>>()
        };
        match party {
            Party::Tenant => tenant_pods(self.trial.tenant(self.contract)),
            Party::Other => tenant_pods(self.trial.other(self.contract)),
            Party::Open => self.inventory.with_role(Role::OpenSink).collect(),
            Party::Platform => self.inventory.workloads(&self.contract.platform).collect(),
            Party::Contracted => self
                .inventory
                .workloads(&self.contract.platform)
                .filter(|p| self.contracted(p))
                .collect(),
            Party::Shared => {
                let shared = self.contract.shared_namespaces();
                let platform = self.inventory.workloads(&self.contract.platform);
                platform.filter(|pod| shared.contains(&pod.name.namespace)).collect()
            }
            Party::NameServers => self.inventory.with_role(Role::NameServer).collect(),
            Party::TelemetryStores => self.telemetry_stores(),
            Party::Nodes | Party::Itself | Party::Metadata | Party::Outside => Vec::new(),
            Party::Pods { namespace, labels } => {
                let of_namespace = self.inventory.pods.iter().filter(|pod| {
                    pod.role == Role::Workload
                        && pod.name.namespace == *namespace
                        && labels.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
                });
                of_namespace.collect()
            }
        }
    }

    /// The pods behind the Services that the contract names as stores.
    fn telemetry_stores(&self) -> Vec<&'a Pod> {
        let stores = self.contract.telemetry.as_ref();
        let places: Vec<(&str, &str)> = stores
            .iter()
            .flat_map(|stores| [&stores.logs, &stores.metrics])
            .filter_map(|place| place.rsplit_once(':')?.0.split_once('/'))
            .collect();
        let is_store = |service: &&Service| {
            service.door.is_none()
                && places.contains(&(service.namespace.as_str(), service.name.as_str()))
        };
        let services: Vec<&Service> = self.inventory.services.iter().filter(is_store).collect();
        let platform = self.inventory.workloads(&self.contract.platform);
        platform.filter(|pod| services.iter().any(|service| service.selects(pod))).collect()
    }

    fn contracted(&self, pod: &Pod) -> bool {
        let Some(tenant) = self.trial.tenant(self.contract) else { return false };
        let names = self.contract.allowed_endpoints(&tenant.name);
        names.iter().any(|name| {
            self.contract
                .endpoints
                .get(*name)
                .is_some_and(|endpoint| endpoint.selects(&pod.name.namespace, &pod.labels))
        })
    }

    fn aims(&self, client: &'a Pod) -> Vec<Aim> {
        let viewer = Viewer {
            contract: self.contract,
            tenant: match self.question.from {
                Party::Tenant => self.trial.tenant(self.contract),
                _ => None,
            },
        };
        let mut aims = Vec::new();
        let targets = match &self.question.to {
            Party::Itself => vec![client],
            party => self.pods_of(party),
        };
        for pod in targets {
            let ends = (client, pod);
            let of_pod = aims_at_pod(&viewer, self.question, ends, self.denies(), self.inventory);
            let of_pod = of_pod.into_iter().map(|aim| self.with_place(client, pod, aim));
            aims.extend(of_pod.filter_map(|aim| in_family(self.question, self.inventory, aim)));
        }
        if self.question.to == Party::Nodes {
            aims.extend(aims_at_nodes(&viewer, self.question, self.inventory));
            if matches!(self.question.ports, Ports::These(_)) {
                return aims;
            }
        }
        aims.extend(aims_outside(self.question, self.inventory));
        let contracted = self.question.ports == Ports::Contracted;
        // Entities have no ports but those that the contract names, so that an entity which may
        // be reached has no undeclared ones.
        let entities = match self.question.to {
            Party::Platform | Party::Nodes => true,
            Party::Contracted => contracted,
            _ => false,
        };
        if entities && self.question.family == Family::Ipv4 {
            aims.extend(aims_at_entities(&viewer, self.question, contracted, self.inventory));
        }
        aims
    }

    fn plan_cells(&self, plan: &mut Plan, clients: &[&'a Pod], aims: &[Aim]) {
        let mut of_tenants: HashMap<(&str, usize), Vec<usize>> = HashMap::new();
        for client in clients {
            let tenant = self.contract.tenant_of(&client.name.namespace);
            let row = tenant.map_or(client.name.namespace.as_str(), |tenant| tenant.name.as_str());
            for (place, aim) in aims.iter().enumerate() {
                if self.question.to != Party::Itself && self.is_itself(client, aim) {
                    continue;
                }
                let probe = ReachProbe { from: client.name.clone(), target: aim.target.clone() };
                let probe = plan.reach(probe);
                let known = tenant.and_then(|_| of_tenants.get(&(row, place)).cloned());
                let target_controls = known.unwrap_or_else(|| {
                    let controls = self.controls_of(client, aim);
                    let controls: Vec<usize> =
                        controls.into_iter().map(|probe| plan.reach(probe)).collect();
                    // No pod of a client's own tenant is a control, so that all clients of one
                    // tenant have the same.
                    of_tenants.insert((row, place), controls.clone());
                    controls
                });
                let cell = ReachCell {
                    proof: aim.proof,
                    unproven: aim.unproven,
                    client_controls: self.client_controls_in(plan, client, aim),
                    target_controls,
                };
                plan.cells.push(Cell {
                    trial: self.index,
                    row: row.to_string(),
                    column: aim.column.clone(),
                    probe,
                    subject: CellSubject::Reach(cell),
                });
            }
        }
    }

    /// The controls of a target, for the clients of one tenant or for one other client.
    fn controls_of(&self, client: &Pod, aim: &Aim) -> Vec<ReachProbe> {
        match self.trial.scenario.expect {
            Expect::Reached => self.liveness(client, aim),
            _ => self.target_controls(client, aim),
        }
    }

    fn client_controls_in(&self, plan: &mut Plan, client: &Pod, aim: &Aim) -> Vec<usize> {
        let transport = aim.target.port.transport;
        if self.question.family == Family::Ipv6 {
            let controls = self.client_controls(client, transport).into_iter();
            let in_family = |probe| control_in_family(self.question, self.inventory, probe);
            return controls.filter_map(in_family).map(|probe| plan.reach(probe)).collect();
        }
        if let Some(known) = plan.client_controls.get(&(client.name.clone(), transport)) {
            return known.clone();
        }
        let controls = self.client_controls(client, transport);
        let controls: Vec<usize> = controls.into_iter().map(|p| plan.reach(p)).collect();
        plan.client_controls.insert((client.name.clone(), transport), controls.clone());
        controls
    }

    /// Whether the client would ask itself. A twin's own original counts where the twin is asked
    /// in its place.
    fn is_itself(&self, client: &Pod, aim: &Aim) -> bool {
        let is_target = aim.pod.as_ref().is_some_and(|pod| pod.name == client.name);
        is_target || (aim.target.by == By::Pod && aim.target.address == client.address)
    }

    /// The same client to something that it may reach: a pod of its own tenant, or the sink
    /// of the harness for a client of the harness.
    fn client_controls(&self, client: &Pod, transport: Transport) -> Vec<ReachProbe> {
        // Somebody else's pod is asked through its twin, which also keeps the receipt.
        let role = match client.role {
            Role::OpenClient => Role::OpenSink,
            _ => Role::Workload,
        };
        let own = |pod: &&'a Pod| {
            let stand_in = self.pods.stand_in(pod)?;
            let fits = pod.role == role && stand_in.name != client.name && !pod.host_network;
            fits.then_some(stand_in)
        };
        let tenant = self.contract.tenant_of(&client.name.namespace);
        let namespaces = match (&client.role, tenant) {
            (Role::OpenClient, _) => std::slice::from_ref(&client.name.namespace),
            (_, Some(tenant)) => tenant.namespaces.as_slice(),
            (_, None) => return Vec::new(),
        };
        let mut near = namespaces.iter().flat_map(|namespace| self.pods.in_namespace(namespace));
        let Some(neighbour) = near.find_map(own) else { return Vec::new() };
        let port = neighbour.listening().into_iter().find(|port| port.transport == transport);
        port.map(|port| vec![probe_to(client, neighbour, port)]).unwrap_or_default()
    }

    fn same_tenant(&self, one: &Pod, other: &Pod) -> bool {
        let tenant = self.contract.tenant_of(&one.name.namespace);
        tenant.is_some_and(|tenant| tenant.namespaces.contains(&other.name.namespace))
    }

    /// What shows that a target which should have been reached listens at all: its own agent
    /// asks it over loopback, where no policy stands. Somebody else's pod is asked by others.
    fn liveness(&self, client: &Pod, aim: &Aim) -> Vec<ReachProbe> {
        match &aim.pod {
            Some(pod) if pod.agent => {
                let mut target = aim.target.clone();
                target.address = "127.0.0.1".to_string();
                target.by = By::Pod;
                target.port.number = aim.container_port;
                target.servers = vec![pod.name.clone()];
                vec![ReachProbe { from: pod.name.clone(), target }]
            }
            _ => self.target_controls(client, aim),
        }
    }

    /// Other clients to the same address and port: a neighbour of the target in its own
    /// namespace (or that neighbour's twin), then our client there, then our client in a
    /// policy-free namespace.
    fn target_controls(&self, client: &Pod, aim: &Aim) -> Vec<ReachProbe> {
        let near = match &aim.pod {
            Some(pod) => self.pods.in_namespace(&pod.name.namespace),
            None => &[],
        };
        let may_ask = |pod: &&Pod| {
            let is_client = pod.name == client.name || self.same_row(client, pod);
            pod.agent && !pod.host_network && !is_client && !self.is_itself(pod, aim)
        };
        let is_target = |pod: &Pod| aim.pod.as_ref().is_some_and(|target| target.name == pod.name);
        let with_role = |role: Role| near.iter().copied().filter(move |pod| pod.role == role);
        let neighbour = with_role(Role::Workload)
            .filter(|pod| !is_target(pod))
            .filter_map(|pod| self.pods.stand_in(pod))
            .find(may_ask);
        let ours = with_role(Role::Client).find(may_ask);
        if let Some(node) = &aim.control_on {
            return self.controls_on(node, near, aim, &may_ask);
        }
        let outside = self.pods.in_namespace(OPEN_NAMESPACE).iter().copied();
        let open = outside.filter(|pod| pod.role == Role::OpenClient).find(may_ask);
        let is_control = aim.proof == ProofLevel::Control || aim.target.by == By::Node;
        let clients = if is_control { vec![open, ours] } else { vec![neighbour, ours, open] };
        let probes = clients
            .into_iter()
            .flatten()
            .map(|pod| ReachProbe { from: pod.name.clone(), target: aim.target.clone() });
        probes.collect()
    }

    /// Clients of one node that may use a door: a neighbour of the target, or its twin there, and
    /// where there is none the node itself, which network plugins let through to its own pods.
    fn controls_on(
        &self,
        node: &str,
        near: &[&'a Pod],
        aim: &Aim,
        may_ask: &dyn Fn(&&'a Pod) -> bool,
    ) -> Vec<ReachProbe> {
        let is_there = |pod: &&Pod| pod.node == node;
        let is_target = |pod: &Pod| aim.pod.as_ref().is_some_and(|target| target.name == pod.name);
        let neighbours = near.iter().copied().filter(|pod| !is_target(pod));
        let stand_ins = neighbours
            .clone()
            .filter(|pod| pod.role == Role::Workload)
            .filter_map(|pod| self.pods.stand_in(pod));
        let far = neighbours.filter(|pod| matches!(pod.role, Role::FarTwin { .. }));
        let neighbour = stand_ins.chain(far).filter(is_there).find(may_ask);
        let itself = self.pods.in_namespace(OPEN_NAMESPACE).iter().copied();
        let itself = itself.filter(|pod| pod.role == Role::NodeClient).find(is_there);
        let clients = [neighbour, itself].into_iter().flatten();
        let probe = |pod: &Pod| ReachProbe { from: pod.name.clone(), target: aim.target.clone() };
        clients.map(probe).collect()
    }

    fn same_row(&self, client: &Pod, pod: &Pod) -> bool {
        self.contract.tenant_of(&client.name.namespace).is_some() && self.same_tenant(client, pod)
    }
}

fn probe_to(client: &Pod, server: &Pod, port: Port) -> ReachProbe {
    let target = Target {
        label: super::targets::label(server),
        by: By::Pod,
        address: server.address.clone(),
        port,
        speak: speak_to(server, port),
        servers: vec![server.name.clone()],
    };
    debug_assert!(target.speak == Speak::Nonce, "controls go to agents");
    ReachProbe { from: client.name.clone(), target }
}
