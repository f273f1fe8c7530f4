//! One connection, and the rules that decide it.

use super::address::Address;
use super::answer::{Answer, Doubt};
use super::error::FieldPath;
use super::facts::PodFacts;
use super::policies::Policies;
use super::policy::{Direction, Peer, Policy, PortMatch, PortRule, Rule};
use super::ports::Protocol;

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A pod, by its place among the caller's pods.
    Pod(usize),
    /// A node, and the API server on it: no policy selects it, only blocks and rules for
    /// everybody are about it.
    Node(&'a Address),
    /// Whatever else has an address: the internet, a machine beside the cluster.
    Outside(&'a Address),
}

/// Whether a connection is let through, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Both sides together.
    pub verdict: Answer,
    /// The side of the one who calls.
    pub egress: Side,
    /// The side of the one who is called.
    pub ingress: Side,
}

/// What the policies of one end say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// No policy selects it in this direction: everything passes.
    Open,
    /// Policies select it: what they do not let through is denied.
    Isolated(Isolation),
}

impl Side {
    /// The answer of this side alone.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Open => Answer::Yes,
            Self::Isolated(isolation) => isolation.answer.clone(),
        }
    }
}

/// What policies that select an end say about the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isolation {
    /// The policies that select this end in this direction, by their places, sorted.
    pub policies: Vec<usize>,
    /// What they say together.
    pub answer: Answer,
    /// Every rule that lets the connection through.
    pub allowed_by: Vec<RuleMatch>,
    /// Every rule that may let it through.
    pub unsure: Vec<(RuleMatch, Doubt)>,
    /// Rules for this peer and other ports.
    pub other_ports: Vec<RuleMatch>,
    /// Rules for this port and other peers.
    pub other_peers: Vec<RuleMatch>,
}

/// A rule of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RulePlace {
    /// The policy's place.
    pub policy: usize,
    /// Which list of rules.
    pub direction: Direction,
    /// The rule's place in it.
    pub rule: usize,
}

impl RulePlace {
    /// Where the rule is in its policy.
    pub fn path(&self) -> FieldPath {
        FieldPath::new(["spec", self.direction.word()]).child(self.rule)
    }
}

/// A rule, and which of its peers and ports match a connection. A list that the rule does not
/// have is empty: it means everybody, or every port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMatch {
    /// The rule.
    pub place: RulePlace,
    /// Places of the peers that match, or may.
    pub peers: Vec<usize>,
    /// Places of the ports that match.
    pub ports: Vec<usize>,
}

impl RuleMatch {
    /// The line to show: the first port that matches, else the first peer, else the rule.
    pub fn path(&self) -> FieldPath {
        let rule = self.place.path();
        match (self.ports.first(), self.peers.first()) {
            (Some(port), _) => rule.child("ports").child(port),
            (None, Some(peer)) => rule.child(self.place.direction.peers()).child(peer),
            (None, None) => rule,
        }
    }
}

/// A connection as one side sees it.
#[derive(Clone, Copy)]
struct View<'a> {
    direction: Direction,
    other: Party<'a>,
    /// Whoever is called: named ports are his.
    target: Party<'a>,
    protocol: Protocol,
    port: u16,
}

#[derive(Clone, Copy)]
enum Party<'a> {
    Pod(&'a PodFacts),
    Node(&'a Address),
    Outside(&'a Address),
}

impl Party<'_> {
    /// Whether its packets carry a node's address.
    const fn is_on_a_node(self) -> bool {
        match self {
            Self::Pod(pod) => pod.host_network,
            Self::Node(_) => true,
            Self::Outside(_) => false,
        }
    }
}

impl Policies {
    /// Whether a connection to a port of the target is let through. A place without a pod is
    /// an outside without addresses.
    pub fn decide(
        &self,
        from: Place<'_>,
        to: Place<'_>,
        protocol: Protocol,
        port: u16,
    ) -> Decision {
        let (source, target) = (self.party(from), self.party(to));
        let view = |direction, other| View { direction, other, target, protocol, port };
        let egress = self.side(from, view(Direction::Egress, target));
        let ingress = self.side(to, view(Direction::Ingress, source));
        let is_hairpin = matches!((from, to), (Place::Pod(from), Place::Pod(to)) if from == to);
        let verdict = if is_hairpin {
            Answer::Unknown { reason: Doubt::Hairpin }
        } else {
            egress.answer().and(ingress.answer())
        };
        Decision { verdict, egress, ingress }
    }

    fn party<'a>(&'a self, place: Place<'a>) -> Party<'a> {
        const NOWHERE: &Address = &Address::Known(Vec::new());
        match place {
            Place::Pod(place) => self.pod(place).map_or(Party::Outside(NOWHERE), Party::Pod),
            Place::Node(address) => Party::Node(address),
            Place::Outside(address) => Party::Outside(address),
        }
    }

    fn side(&self, subject: Place<'_>, view: View<'_>) -> Side {
        let Place::Pod(place) = subject else { return Side::Open };
        let Some(number) = self.world.numbers.get(place) else { return Side::Open };
        let policies = &self.classes(view.direction).of_pod(*number).policies;
        if policies.is_empty() {
            return Side::Open;
        }
        let mut isolation = Isolation {
            policies: policies.iter().map(|place| *place as usize).collect(),
            answer: Answer::No,
            allowed_by: Vec::new(),
            unsure: Vec::new(),
            other_ports: Vec::new(),
            other_peers: Vec::new(),
        };
        for place in isolation.policies.clone() {
            if let Some(policy) = self.policy(place) {
                self.add_policy(&mut isolation, place, policy, view);
            }
        }
        if view.direction == Direction::Ingress && view.other.is_on_a_node() {
            let node = Answer::Unknown { reason: Doubt::NodeToItsPods };
            isolation.answer = isolation.answer.or(node);
        }
        Side::Isolated(isolation)
    }

    fn add_policy(&self, isolation: &mut Isolation, place: usize, policy: &Policy, view: View<'_>) {
        let rules = policy.rules(view.direction).unwrap_or_default();
        for (index, rule) in rules.iter().enumerate() {
            let at = RulePlace { policy: place, direction: view.direction, rule: index };
            let (peer, peers) = self.peers(rule, policy, view);
            let ports = ports(rule, view);
            let is_port = rule.ports.is_empty() || !ports.is_empty();
            let found = RuleMatch { place: at, peers, ports };
            match (peer, is_port) {
                (Answer::Yes, true) => {
                    isolation.answer = Answer::Yes;
                    isolation.allowed_by.push(found);
                }
                (Answer::Unknown { reason }, true) => {
                    let doubt = Answer::Unknown { reason: reason.clone() };
                    isolation.answer = isolation.answer.clone().or(doubt);
                    isolation.unsure.push((found, reason));
                }
                (Answer::No, true) => isolation.other_peers.push(found),
                (Answer::Yes | Answer::Unknown { .. }, false) => isolation.other_ports.push(found),
                (Answer::No, false) => {}
            }
        }
    }

    /// Whether the other is one of a rule's peers, and which: where one certainly is, those
    /// that only may be are left out.
    fn peers(&self, rule: &Rule, policy: &Policy, view: View<'_>) -> (Answer, Vec<usize>) {
        if rule.peers.is_empty() {
            return (Answer::Yes, Vec::new());
        }
        let answers: Vec<Answer> =
            rule.peers.iter().map(|peer| self.peer(peer, policy, view.other)).collect();
        let together = answers.iter().cloned().fold(Answer::No, Answer::or);
        let counts = |answer: &Answer| match together {
            Answer::Yes => *answer == Answer::Yes,
            Answer::Unknown { .. } => *answer != Answer::No,
            Answer::No => false,
        };
        let places = answers.iter().enumerate().filter(|(_, answer)| counts(answer));
        let places = places.map(|(place, _)| place).collect();
        (together, places)
    }

    fn peer(&self, peer: &Peer, policy: &Policy, other: Party<'_>) -> Answer {
        let address = match other {
            Party::Pod(pod) => &pod.address,
            Party::Node(address) | Party::Outside(address) => address,
        };
        let (namespaces, pods) = match peer {
            Peer::Block(block) => return block.holds(address),
            Peer::Local { pods } => (None, pods),
            Peer::Namespaces { namespaces, pods } => (Some(namespaces), pods),
        };
        let Party::Pod(pod) = other else { return Answer::No };
        let is_namespace = match namespaces {
            None => pod.namespace == policy.namespace,
            Some(selector) => {
                let found = self.world.namespace(&pod.namespace);
                found.is_some_and(|found| selector.selects(&found.facts.labels))
            }
        };
        if !is_namespace || !pods.selects(&pod.labels) {
            return Answer::No;
        }
        if pod.host_network {
            return Answer::Unknown { reason: Doubt::HostNetworkPeer };
        }
        Answer::Yes
    }
}

fn ports(rule: &Rule, view: View<'_>) -> Vec<usize> {
    let matching = rule.ports.iter().enumerate().filter(|(_, port)| is_port(port, view));
    matching.map(|(place, _)| place).collect()
}

fn is_port(rule: &PortRule, view: View<'_>) -> bool {
    if rule.protocol != view.protocol {
        return false;
    }
    match (&rule.ports, view.target) {
        (PortMatch::Numbers(range), _) => (range.first..=range.last).contains(&view.port),
        (PortMatch::Named(name), Party::Pod(pod)) => pod.ports.iter().any(|port| {
            port.name.as_ref() == Some(name)
                && port.protocol == view.protocol
                && port.number == view.port
        }),
        // Only pods give names to ports.
        (PortMatch::Named(_), _) => false,
    }
}
