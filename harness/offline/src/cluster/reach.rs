//! Answers to reach probes: where the address leads, what the policies say, what listens.

use partywall_core::event::Blame;
use partywall_core::inventory::Service;
use partywall_core::observation::{Observation, Outcome, ReachObservation, ReceiptState};
use partywall_core::port::Port;
use partywall_core::probe::{By, ReachProbe, Target};

use super::standing::{APISERVER_SERVICE, Standing};
use super::walls::{Answer, Place, Ruling, Walls};
use crate::telemetry::{Hop, HopTarget, Reaches};

/// An agent that is asked over its own loopback meets no policy.
const LOOPBACK: &str = "127.0.0.1";
const DNS: (&str, (&str, &str)) = ("kube-system", ("k8s-app", "kube-dns"));

/// Where a packet ends, and the port it ends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) place: Place,
    pub(crate) port: Port,
}

/// What stands and what is between it.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) standing: &'a Standing,
    pub(crate) walls: &'a Walls,
}

impl Ground<'_> {
    /// The answer to one probe.
    pub(crate) fn observe(&self, probe: &ReachProbe) -> Observation {
        let Some(client) = self.standing.index(&probe.from) else {
            return failed(format!("no file describes the pod {}", probe.from));
        };
        let target = &probe.target;
        if target.address == LOOPBACK {
            return seen(self.listening(Place::Pod(client), target.port));
        }
        if matches!(target.by, By::Name | By::Headless | By::ExternalName)
            && let Some(unresolved) = self.unresolved(client)
        {
            return seen(unresolved);
        }
        if target.by.is_door() {
            return seen(self.through(client, target));
        }
        let destinations = self.destinations(target);
        if destinations.is_empty() {
            return failed(format!("no file says where {} leads", target.label));
        }
        seen(self.outcome(client, &destinations))
    }

    /// Whether telemetry passes from a pod to a Service or to the name server.
    pub(crate) fn hop(&self, hop: &Hop) -> Reaches {
        let Some(client) = self.standing.index(&hop.from) else {
            return Reaches::Unknown(format!("no file describes the pod {}", hop.from));
        };
        let (outcome, detail) = match &hop.to {
            HopTarget::Resolver => match self.unresolved(client) {
                None => return Reaches::Yes,
                Some(unresolved) => unresolved,
            },
            HopTarget::Service { namespace, name, port } => {
                let services = self.standing.services.iter();
                let named = services.filter(|one| one.namespace == *namespace && one.name == *name);
                let destinations: Vec<Destination> =
                    named.flat_map(|service| self.behind(service, Port::tcp(*port))).collect();
                if destinations.is_empty() {
                    return Reaches::No(format!("nothing stands behind {namespace}/{name}:{port}"));
                }
                self.outcome(client, &destinations)
            }
        };
        match outcome {
            Outcome::Reached => Reaches::Yes,
            Outcome::ProbeError => Reaches::Unknown(detail),
            _ => Reaches::No(detail),
        }
    }

    /// The wall that telemetry does not pass.
    pub(crate) fn hop_blame(&self, hop: &Hop) -> Option<Blame> {
        let client = self.standing.index(&hop.from)?;
        let destination = match &hop.to {
            HopTarget::Resolver => *self.resolvers().first()?,
            HopTarget::Service { namespace, name, port } => {
                let mut services = self.standing.services.iter();
                let service =
                    services.find(|one| one.namespace == *namespace && one.name == *name)?;
                *self.behind(service, Port::tcp(*port)).first()?
            }
        };
        self.walls.blame(Place::Pod(client), destination.place, destination.port)
    }

    /// The line that decides a probe's answer, where it is not as the claim wants it.
    pub(crate) fn blame(&self, probe: &ReachProbe) -> Option<Blame> {
        let client = self.standing.index(&probe.from)?;
        if probe.target.by.is_door() {
            let passages = self.passages(client, &probe.target).ok()?;
            let passage = passages.first()?;
            return self.walls.blame_legs(passage.egress, passage.ingress);
        }
        let destination = *self.destinations(&probe.target).first()?;
        self.walls.blame(Place::Pod(client), destination.place, destination.port)
    }

    /// Every place that a target may lead to.
    pub(crate) fn destinations(&self, target: &Target) -> Vec<Destination> {
        let port = target.port;
        let at = |place| Destination { place, port };
        match target.by {
            By::Pod => match self.standing.at_address(&target.address) {
                Some(pod) => vec![at(Place::Pod(pod))],
                None => self.beyond(&target.address).map(at).into_iter().collect(),
            },
            By::Headless | By::NodePort | By::ExternalName | By::ExternalIp => {
                self.behind_door(target)
            }
            By::Node => {
                let nodes = self.standing.nodes.iter().enumerate();
                let node = nodes.filter(|(_, node)| node.address == target.address);
                node.map(|(index, _)| at(Place::Node(index))).collect()
            }
            By::Service => {
                let services = self.standing.services.iter();
                let address = Some(target.address.as_str());
                let found = services.filter(|service| service.address.as_deref() == address);
                found.flat_map(|service| self.behind(service, port)).collect()
            }
            By::Name => {
                let services = self.standing.services.iter();
                let found = services.filter(|service| service.dns_name() == target.address);
                found.flat_map(|service| self.behind(service, port)).collect()
            }
        }
    }

    /// An address outside of the cluster: policies know it as an address and nothing else.
    fn beyond(&self, address: &str) -> Option<Place> {
        let is_known = self.standing.outside.iter().any(|outside| outside.address == address);
        address.parse().ok().filter(|_| is_known).map(Place::Address)
    }

    /// What stands behind a port of a Service: policies are asked about that, not about the
    /// Service's own address.
    pub(crate) fn behind(&self, service: &Service, port: Port) -> Vec<Destination> {
        let Some(container) = service.ports.iter().find(|one| one.port == port) else {
            return Vec::new();
        };
        let port = Port { number: container.target, transport: port.transport };
        if (service.namespace.as_str(), service.name.as_str()) == APISERVER_SERVICE {
            let nodes = self.standing.nodes.iter().enumerate();
            let control_planes = nodes.filter(|(_, node)| node.control_plane);
            return control_planes
                .map(|(index, _)| Destination { place: Place::Node(index), port })
                .collect();
        }
        let pods = self.standing.behind(service);
        pods.map(|pod| Destination { place: Place::Pod(pod), port }).collect()
    }

    /// One outcome for all that a target may lead to; unknown where they differ, because a
    /// client is sent to any of them.
    fn outcome(&self, client: usize, destinations: &[Destination]) -> (Outcome, String) {
        let from = self.place_of(client);
        self.together(destinations.iter().map(|destination| {
            let ruling = self.walls.rule(from, destination.place, destination.port);
            self.one(&ruling, *destination)
        }))
    }

    pub(super) fn together(
        &self,
        outcomes: impl Iterator<Item = (Outcome, String)>,
    ) -> (Outcome, String) {
        let mut outcomes = outcomes;
        let first = outcomes.next().unwrap_or((Outcome::ProbeError, String::new()));
        match outcomes.find(|other| other.0 != first.0) {
            None => first,
            Some((_, other)) => {
                let (_, one) = first;
                (
                    Outcome::ProbeError,
                    format!("it depends on the pod that is chosen: {one}; {other}"),
                )
            }
        }
    }

    pub(super) fn one(&self, ruling: &Ruling, destination: Destination) -> (Outcome, String) {
        match &ruling.answer {
            Answer::Yes => match self.listening(destination.place, destination.port) {
                (Outcome::Reached, _) => (Outcome::Reached, ruling.summary.clone()),
                other => other,
            },
            Answer::No => (Outcome::Dropped, ruling.summary.clone()),
            Answer::Unknown(reason) => (Outcome::ProbeError, reason.clone()),
        }
    }

    fn listening(&self, place: Place, port: Port) -> (Outcome, String) {
        let index = match place {
            Place::Pod(index) => index,
            Place::Node(node) if !self.node_listens(node, port) => {
                return (
                    Outcome::Refused,
                    format!("nothing is known to listen on {port} of a node"),
                );
            }
            Place::Node(_) | Place::FarNode(_) | Place::Address(_) => {
                return (Outcome::Reached, String::new());
            }
        };
        let pod = &self.standing.pods[index];
        if pod.listens_on(port) {
            return (Outcome::Reached, String::new());
        }
        (Outcome::Refused, format!("nothing in {} listens on {port}", pod.pod.name))
    }

    /// The cluster's name servers, asked by UDP.
    fn resolvers(&self) -> Vec<Destination> {
        let (namespace, (key, value)) = DNS;
        let servers = self.standing.pods.iter().enumerate().filter(|(_, standing)| {
            let labels = &standing.pod.labels;
            standing.pod.name.namespace == namespace
                && labels.get(key).is_some_and(|found| found == value)
        });
        servers
            .map(|(index, _)| Destination { place: Place::Pod(index), port: Port::udp(53) })
            .collect()
    }

    /// Why a client cannot resolve a name; nothing if it can.
    fn unresolved(&self, client: usize) -> Option<(Outcome, String)> {
        let destinations = self.resolvers();
        if destinations.is_empty() {
            let unknown = "no file says where the cluster's name server is".to_string();
            return Some((Outcome::ProbeError, unknown));
        }
        match self.outcome(client, &destinations) {
            (Outcome::Reached, _) => None,
            (Outcome::ProbeError, reason) => Some((Outcome::ProbeError, reason)),
            (_, reason) => Some((Outcome::Unresolved, format!("DNS over UDP: {reason}"))),
        }
    }
}

fn failed(detail: String) -> Observation {
    Observation::Failed { detail }
}

fn seen((outcome, detail): (Outcome, String)) -> Observation {
    Observation::Reach(ReachObservation {
        echoed: outcome == Outcome::Reached,
        outcome,
        receipt: ReceiptState::Computed,
        elapsed_us: 0,
        detail,
    })
}
