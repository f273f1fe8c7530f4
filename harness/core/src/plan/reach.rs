//! Planning who is asked to reach whom, with the controls that give a deny its meaning.

use super::cell::{Cell, CellSubject, Plan, ReachCell};
use super::coverage::plan_missing;
use super::targets::{Aim, Viewer, aims_at_entities, aims_at_pod, speak_to};
use super::trial::Trial;
use crate::contract::Contract;
use crate::inventory::{Inventory, Pod, Role};
use crate::port::{Port, Transport};
use crate::probe::{By, ReachProbe, Speak, Target};
use crate::scenario::{Expect, Party, Ports, Reach};
use crate::verdict::ProofLevel;

pub(super) fn plan_reach(
    plan: &mut Plan,
    index: usize,
    trial: &Trial,
    question: &Reach,
    contract: &Contract,
    inventory: &Inventory,
) {
    let planner = Planner { index, trial, question, contract, inventory };
    for client in planner.clients() {
        for aim in planner.aims(client) {
            planner.plan_cell(plan, client, &aim);
        }
    }
    plan_missing(plan, index, trial, question, contract, inventory);
}

struct Planner<'a> {
    index: usize,
    trial: &'a Trial,
    question: &'a Reach,
    contract: &'a Contract,
    inventory: &'a Inventory,
}

impl<'a> Planner<'a> {
    fn denies(&self) -> bool {
        self.trial.scenario.expect == Expect::Denied
    }

    fn clients(&self) -> Vec<&'a Pod> {
        let pods: Vec<&Pod> = match &self.question.from {
            Party::Open => self.inventory.with_role(Role::OpenClient).collect(),
            party => self.pods_of(party),
        };
        pods.into_iter().filter_map(|pod| self.inventory.stand_in(pod)).collect()
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
            Party::Nodes | Party::Itself => Vec::new(),
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
            aims.extend(aims_at_pod(&viewer, self.question, pod, self.denies(), self.inventory));
        }
        let contracted = self.question.ports == Ports::Contracted;
        // Entities have no ports but those that the contract names, so that an entity which may
        // be reached has no undeclared ones.
        let entities = match self.question.to {
            Party::Platform | Party::Nodes => true,
            Party::Contracted => contracted,
            _ => false,
        };
        if entities {
            aims.extend(aims_at_entities(&viewer, self.question, contracted, self.inventory));
        }
        aims
    }

    fn plan_cell(&self, plan: &mut Plan, client: &Pod, aim: &Aim) {
        if self.question.to != Party::Itself && self.is_itself(client, aim) {
            return;
        }
        let probe =
            plan.reach(ReachProbe { from: client.name.clone(), target: aim.target.clone() });
        let client_controls = self.client_controls(client, aim.target.port.transport);
        let target_controls = match self.trial.scenario.expect {
            Expect::Reached => self.liveness(client, aim),
            _ => self.target_controls(client, aim),
        };
        let cell = ReachCell {
            proof: aim.proof,
            client_controls: client_controls.into_iter().map(|p| plan.reach(p)).collect(),
            target_controls: target_controls.into_iter().map(|p| plan.reach(p)).collect(),
        };
        plan.cells.push(Cell {
            trial: self.index,
            row: self.row(client),
            column: aim.column.clone(),
            probe,
            subject: CellSubject::Reach(cell),
        });
    }

    /// Whether the client would ask itself. A twin's own original counts where the twin is asked
    /// in its place.
    fn is_itself(&self, client: &Pod, aim: &Aim) -> bool {
        let is_target = aim.pod.as_ref().is_some_and(|pod| pod.name == client.name);
        is_target || (aim.target.by == By::Pod && aim.target.address == client.address)
    }

    fn row(&self, client: &Pod) -> String {
        let tenant = self.contract.tenant_of(&client.name.namespace);
        tenant.map_or_else(|| client.name.namespace.clone(), |tenant| tenant.name.clone())
    }

    /// The same client to something that it may reach: a pod of its own tenant, or the sink
    /// of the harness for a client of the harness.
    fn client_controls(&self, client: &Pod, transport: Transport) -> Vec<ReachProbe> {
        // Somebody else's pod is asked through its twin, which also keeps the receipt.
        let own = |pod: &'a Pod| {
            let fits = match client.role {
                Role::OpenClient => pod.role == Role::OpenSink,
                _ => pod.role == Role::Workload && self.same_tenant(client, pod),
            };
            let stand_in = self.inventory.stand_in(pod)?;
            (fits && stand_in.name != client.name && !pod.host_network).then_some(stand_in)
        };
        let Some(neighbour) = self.inventory.pods.iter().find_map(own) else { return Vec::new() };
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
        let namespace = aim.pod.as_ref().map(|pod| pod.name.namespace.as_str());
        let may_ask = |pod: &&Pod| {
            let is_client = pod.name == client.name || self.same_row(client, pod);
            pod.agent && !pod.host_network && !is_client && !self.is_itself(pod, aim)
        };
        let of_role = |role: Role| self.inventory.with_role(role).filter(may_ask);
        let in_namespace = |pod: &&Pod| Some(pod.name.namespace.as_str()) == namespace;
        let is_target = |pod: &Pod| aim.pod.as_ref().is_some_and(|target| target.name == pod.name);
        let neighbours = self.inventory.with_role(Role::Workload).filter(in_namespace);
        let neighbour = neighbours
            .filter(|pod| !is_target(pod))
            .filter_map(|pod| self.inventory.stand_in(pod))
            .find(may_ask);
        let ours = of_role(Role::Client).find(in_namespace);
        let open = of_role(Role::OpenClient).next();
        let is_control = aim.proof == ProofLevel::Control || aim.target.by == By::Node;
        let clients = if is_control { vec![open, ours] } else { vec![neighbour, ours, open] };
        let probes = clients
            .into_iter()
            .flatten()
            .map(|pod| ReachProbe { from: pod.name.clone(), target: aim.target.clone() });
        probes.collect()
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
