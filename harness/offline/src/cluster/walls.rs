//! What the policies say between two places, and on which line.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use partywall_core::event::{Blame, Defect};
use partywall_core::inventory::{OPEN_NAMESPACE, PodName};
use partywall_core::port::Port;
use partywall_core::source::SourceLocation;

use super::blind::{Blind, blinds};
use super::explain::{ExplainedLine, ExplainedSide};
use super::facts::{address, namespaces, pod_facts, protocol};
use super::standing::Standing;
use super::workload::StandingPod;
use crate::netpol::{
    self, Address, Decision, Isolation, Labels, NAMESPACE_NAME_LABEL, Peer, PodFacts, Policies,
    Requirement, RuleMatch, Selector, Side,
};
use crate::render::{Object, Rendered};

/// A policy that the API server refuses, so that the Kustomization which holds it never becomes
/// ready, and the wall that it was to be does not stand.
pub const REFUSED_POLICY: &str = "refused-policy";

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By its place among what stands.
    Pod(usize),
    /// By its place among what stands.
    Node(usize),
    /// The same, as a pod of another node sees it: no node is let through but to its own pods.
    FarNode(usize),
    /// Something with an address outside of the cluster.
    Address(IpAddr),
}

/// A connection as the policies of one end see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) port: Port,
}

/// Whether a connection passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    /// The files do not tell; says why.
    Unknown(String),
}

/// What the policies say of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Ruling {
    pub(crate) answer: Answer,
    /// Which rule or which lack of one decides.
    pub(crate) summary: String,
}

/// Where a policy comes from.
#[derive(Clone, Debug)]
struct Origin {
    label: String,
    name: String,
    /// Its own line.
    place: SourceLocation,
    /// Lines of the parts of it that are asked about.
    lines: BTreeMap<Vec<String>, SourceLocation>,
}

/// Every policy.
pub(crate) struct Walls {
    policies: Policies,
    origins: Vec<Origin>,
    refused: Vec<Defect>,
    blinds: Vec<Blind>,
    pods: Vec<(PodName, String)>,
    /// Namespaces whose labels are known: the layout's, and the harness's own.
    written: BTreeSet<String>,
    nodes: Vec<Address>,
}

impl Walls {
    pub(crate) fn new(rendered: &Rendered, standing: &Standing) -> Self {
        let is_policy = |object: &&Object| {
            object.kind() == "NetworkPolicy"
                && object.api_version().starts_with("networking.k8s.io/")
        };
        let objects: Vec<&Object> = rendered.objects.iter().filter(is_policy).collect();
        let pods = standing.pods.iter().map(pod_facts).collect();
        let values = objects.iter().map(|object| &object.value).chain(&standing.policies);
        let policies = Policies::new(namespaces(rendered, standing), pods, values);
        let written = objects.iter().map(|object| Origin::of(rendered, object));
        let origins = written.chain(standing.policies.iter().map(Origin::around)).collect();
        let refused = refused(rendered, &objects, &policies);
        let label = |standing: &StandingPod| {
            let pod = &standing.pod;
            (pod.name.clone(), format!("{}/{}", pod.name.namespace, pod.workload))
        };
        Self {
            refused,
            origins,
            policies,
            blinds: blinds(rendered),
            written: rendered
                .of_kind("Namespace")
                .map(|object| object.name().to_string())
                .chain([OPEN_NAMESPACE.to_string()])
                .chain(standing.namespaces.keys().cloned())
                .collect(),
            pods: standing.pods.iter().map(label).collect(),
            nodes: standing.nodes.iter().map(|node| address(&node.address)).collect(),
        }
    }

    /// Policies that decide nothing, because the API server would refuse them.
    pub(crate) fn refused(&self) -> &[Defect] {
        &self.refused
    }

    /// The evaluator behind it.
    pub(crate) const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Whether a connection passes, and what decides it.
    pub(crate) fn rule(&self, from: Place, to: Place, port: Port) -> Ruling {
        let leg = Leg { from, to, port };
        self.rule_legs(leg, leg)
    }

    /// The same where the two ends see different addresses: what the client's policies say of the
    /// one, and the target's of the other.
    pub(crate) fn rule_legs(&self, egress: Leg, ingress: Leg) -> Ruling {
        let ends = [self.namespace(egress.from), self.namespace(ingress.to)];
        if let Some(reason) = Blind::between(&self.blinds, ends) {
            return Ruling { answer: Answer::Unknown(reason.to_string()), summary: String::new() };
        }
        let decision = self.decide_legs(egress, ingress);
        if let Some(reason) = self.unknown_labels(ingress.from, egress.to, &decision) {
            return Ruling { answer: Answer::Unknown(reason), summary: String::new() };
        }
        let summary = self.summary(&decision);
        let answer = match decision.verdict {
            netpol::Answer::Yes => Answer::Yes,
            netpol::Answer::No => Answer::No,
            netpol::Answer::Unknown { reason } => Answer::Unknown(reason.to_string()),
        };
        Ruling { answer, summary }
    }

    /// Why a denial is not certain: a rule asks for labels of a namespace that no file of the
    /// layout creates, and only the cluster knows them.
    fn unknown_labels(&self, from: Place, to: Place, decision: &Decision) -> Option<String> {
        let sides = [(&decision.egress, to), (&decision.ingress, from)];
        if decision.verdict != netpol::Answer::No {
            return None;
        }
        let mut reason = None;
        for (side, other) in sides {
            let Side::Isolated(isolation) = side else { continue };
            if isolation.answer != netpol::Answer::No {
                continue;
            }
            // One wall that stands for certain is enough.
            reason = Some(self.may_select(isolation, other)?);
        }
        reason
    }

    fn may_select(&self, isolation: &Isolation, other: Place) -> Option<String> {
        let Place::Pod(index) = other else { return None };
        let pod = self.policies.pod(index)?;
        if self.written.contains(&pod.namespace) {
            return None;
        }
        let rule = isolation.other_peers.iter().find(|near| {
            let policy = self.policies.policy(near.place.policy);
            let rules = policy.and_then(|policy| policy.rules(near.place.direction));
            let rule = rules.and_then(|rules| rules.get(near.place.rule));
            rule.is_some_and(|rule| rule.peers.iter().any(|peer| asks_for_labels(peer, pod)))
        })?;
        Some(format!(
            "{} asks for labels of namespace {}, which no file of the layout creates",
            self.rule_place(rule),
            pod.namespace
        ))
    }

    fn decide_legs(&self, egress: Leg, ingress: Leg) -> Decision {
        let whole = self.decide(egress.from, egress.to, egress.port);
        if egress == ingress {
            return whole;
        }
        let ingress = self.decide(ingress.from, ingress.to, ingress.port).ingress;
        let verdict = whole.egress.answer().and(ingress.answer());
        Decision { verdict, egress: whole.egress, ingress }
    }

    fn decide(&self, from: Place, to: Place, port: Port) -> Decision {
        let outside = |place| match place {
            Place::Address(address) => Address::Known(vec![address]),
            _ => Address::Private,
        };
        let (from_address, to_address) = (outside(from), outside(to));
        let (from, to) = (self.place(from, &from_address), self.place(to, &to_address));
        self.policies.decide(from, to, protocol(port.transport), port.number)
    }

    fn place<'a>(&'a self, place: Place, outside: &'a Address) -> netpol::Place<'a> {
        match place {
            Place::Pod(index) => netpol::Place::Pod(index),
            Place::Node(index) => netpol::Place::Node(self.nodes.get(index).unwrap_or(outside)),
            Place::FarNode(index) => {
                netpol::Place::Outside(self.nodes.get(index).unwrap_or(outside))
            }
            Place::Address(_) => netpol::Place::Outside(outside),
        }
    }

    fn namespace(&self, place: Place) -> &str {
        match place {
            Place::Pod(index) => self.pods.get(index).map_or("", |(name, _)| &name.namespace),
            Place::Node(_) | Place::FarNode(_) | Place::Address(_) => "-",
        }
    }

    /// One line: the rules that let it pass, or the side that does not.
    fn summary(&self, decision: &Decision) -> String {
        let sides = [("egress", &decision.egress), ("ingress", &decision.ingress)];
        if decision.verdict == netpol::Answer::Yes {
            let by = sides.iter().filter_map(|(word, side)| match side {
                Side::Open => Some(format!("{word}: no policy")),
                Side::Isolated(isolation) => {
                    let rule = isolation.allowed_by.first()?;
                    Some(format!("{word}: {}", self.rule_place(rule)))
                }
            });
            return by.collect::<Vec<_>>().join("; ");
        }
        let closed = sides.iter().filter_map(|(word, side)| match side {
            Side::Isolated(isolation) if isolation.answer == netpol::Answer::No => {
                Some(format!("{word}: no rule of {} allows it", self.names(isolation)))
            }
            _ => None,
        });
        closed.collect::<Vec<_>>().join("; ")
    }

    fn names(&self, isolation: &Isolation) -> String {
        let names = isolation.policies.iter().filter_map(|index| self.origins.get(*index));
        names.map(|origin| origin.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn rule_place(&self, rule: &RuleMatch) -> String {
        let origin = self.origins.get(rule.place.policy);
        let name = origin.map_or("", |origin| origin.name.as_str());
        self.line(rule).map_or_else(|| name.to_string(), |line| format!("{name} at {line}"))
    }

    /// Both sides of a connection: what leaves the one, and what comes to the other.
    pub(crate) fn sides(&self, from: Place, to: Place, port: Port) -> [Side; 2] {
        let decision = self.decide(from, to, port);
        [decision.egress, decision.ingress]
    }

    /// A policy for people, and its own line.
    pub(crate) fn policy(&self, index: usize) -> Option<(&str, &SourceLocation)> {
        self.origins.get(index).map(|origin| (origin.label.as_str(), &origin.place))
    }

    /// The line of a list of rules, or of the policy where it has none.
    pub(crate) fn rules(&self, index: usize, direction: &str) -> Option<SourceLocation> {
        self.origins.get(index).map(|origin| origin.line(&owned(&["spec", direction])))
    }

    /// Why nothing can be said of traffic between two namespaces; nothing if it can.
    pub(crate) fn blind(&self, ends: [&str; 2]) -> Option<&str> {
        Blind::between(&self.blinds, ends)
    }

    /// The line on which a rule lets something through.
    pub(crate) fn line(&self, rule: &RuleMatch) -> Option<SourceLocation> {
        let origin = self.origins.get(rule.place.policy)?;
        Some(origin.line(rule.path().segments()))
    }

    /// The line that opens what should be closed, or closes what should be open.
    pub(crate) fn blame(&self, from: Place, to: Place, port: Port) -> Option<Blame> {
        let leg = Leg { from, to, port };
        self.blame_legs(leg, leg)
    }

    /// The same where the two ends see different addresses.
    pub(crate) fn blame_legs(&self, egress: Leg, ingress: Leg) -> Option<Blame> {
        let decision = self.decide_legs(egress, ingress);
        let port = ingress.port;
        let sides = [("egress", &decision.egress), ("ingress", &decision.ingress)];
        let mut isolations = sides.into_iter().filter_map(|(word, side)| match side {
            Side::Isolated(isolation) => Some((word, isolation)),
            Side::Open => None,
        });
        match decision.verdict {
            netpol::Answer::Yes => {
                let rule = isolations.find_map(|(_, isolation)| isolation.allowed_by.first())?;
                let label = &self.origins.get(rule.place.policy)?.label;
                let word = rule.place.direction.word();
                let because = format!("this {word} rule of {label} lets it through on {port}");
                Some(Blame { location: self.line(rule)?, because })
            }
            netpol::Answer::No => {
                let (word, closed) =
                    isolations.find(|(_, one)| one.answer == netpol::Answer::No)?;
                self.missing(word, closed, port)
            }
            netpol::Answer::Unknown { .. } => None,
        }
    }

    /// Where a rule is missing: at one that is for the same target, else among the rules of the
    /// direction, else at a policy that closes it.
    fn missing(&self, word: &str, closed: &Isolation, port: Port) -> Option<Blame> {
        let other = if word == "egress" { "target" } else { "client" };
        if let Some(rule) = closed.other_ports.first() {
            let because = format!("this rule is for the {other}, and not for port {port}");
            return Some(Blame { location: self.line(rule)?, because });
        }
        let origins = || closed.policies.iter().filter_map(|index| self.origins.get(*index));
        let rules = owned(&["spec", word]);
        let place = origins().find_map(|origin| origin.lines.get(&rules));
        let place = place.or_else(|| origins().map(|origin| &origin.place).next())?;
        let because =
            format!("no {word} rule of {} is for the {other} on {port}", self.names(closed));
        Some(Blame { location: place.clone(), because })
    }

    /// Both sides of a connection, for people.
    pub(crate) fn explain(&self, from: Place, to: Place, port: Port) -> Vec<ExplainedSide> {
        let decision = self.decide(from, to, port);
        let side = |word: &str, place: Place, side: &Side| self.explained(word, place, side);
        vec![side("egress", from, &decision.egress), side("ingress", to, &decision.ingress)]
    }

    fn explained(&self, word: &str, place: Place, side: &Side) -> ExplainedSide {
        let who = match place {
            Place::Pod(index) => self.pods.get(index).map_or("", |(_, label)| label).to_string(),
            Place::Node(_) | Place::FarNode(_) => "a node".to_string(),
            Place::Address(address) => address.to_string(),
        };
        let Side::Isolated(isolation) = side else {
            let why = match place {
                Place::Pod(index) if self.namespace(Place::Pod(index)) == OPEN_NAMESPACE => {
                    "a namespace of the harness, which no policy touches"
                }
                Place::Pod(_) => {
                    "no NetworkPolicy selects it in this direction, and the default is to allow"
                }
                Place::Node(_) | Place::FarNode(_) | Place::Address(_) => {
                    "policies select pods and nothing else"
                }
            };
            let lines = vec![ExplainedLine { location: None, text: why.to_string() }];
            return ExplainedSide { title: format!("{word} of {who}: open"), lines };
        };
        let verdict = match &isolation.answer {
            netpol::Answer::Yes => "allowed",
            netpol::Answer::No => "denied",
            netpol::Answer::Unknown { .. } => "not told by the files",
        };
        let mut lines = Vec::new();
        let line = |rule: &RuleMatch, text: String| ExplainedLine {
            location: self.line(rule),
            text: format!("{}: {text}", self.origins[rule.place.policy].label),
        };
        lines.extend(isolation.allowed_by.iter().map(|rule| line(rule, "allows it".to_string())));
        let unsure = isolation.unsure.iter();
        lines.extend(unsure.map(|(rule, doubt)| line(rule, format!("may allow it: {doubt}"))));
        if isolation.allowed_by.is_empty() {
            let near = isolation.other_ports.iter();
            lines.extend(near.map(|rule| line(rule, "this peer, and not this port".to_string())));
            let near = isolation.other_peers.iter();
            lines.extend(near.map(|rule| line(rule, "this port, and not this peer".to_string())));
            lines.extend(self.isolating(isolation));
        }
        ExplainedSide { title: format!("{word} of {who}: {verdict}"), lines }
    }

    /// The policies that close a side by selecting the pod.
    fn isolating(&self, isolation: &Isolation) -> Vec<ExplainedLine> {
        let origins = isolation.policies.iter().filter_map(|index| self.origins.get(*index));
        let selector = owned(&["spec", "podSelector"]);
        let line = |origin: &Origin| ExplainedLine {
            location: Some(origin.line(&selector)),
            text: format!("{} selects the pod: what no rule allows is denied", origin.label),
        };
        origins.map(line).collect()
    }
}

impl Origin {
    fn of(rendered: &Rendered, object: &Object) -> Self {
        let selector = ["spec", "podSelector"];
        let mut lines = BTreeMap::from([(owned(&selector), rendered.locate(object, &selector))]);
        for direction in ["egress", "ingress"] {
            let list = ["spec", direction];
            let rules = object.at(&list).and_then(|rules| rules.as_array());
            if rules.is_some_and(|rules| !rules.is_empty()) {
                lines.insert(owned(&list), rendered.locate(object, &list));
            }
            for (index, rule) in rules.into_iter().flatten().enumerate() {
                let index = index.to_string();
                let path = ["spec", direction, &index];
                lines.insert(owned(&path), rendered.locate(object, &path));
                for list in ["to", "from", "ports"] {
                    let items = rule[list].as_array().map_or(0, Vec::len);
                    for item in 0..items {
                        let item = item.to_string();
                        let path = ["spec", direction, &index, list, &item];
                        lines.insert(owned(&path), rendered.locate(object, &path));
                    }
                }
            }
        }
        Self {
            label: object.label(),
            name: object.name().to_string(),
            place: object.origin.clone(),
            lines,
        }
    }

    /// Of a policy that no file of the layout describes.
    fn around(policy: &serde_json::Value) -> Self {
        let text = |key: &str| policy["metadata"][key].as_str().unwrap_or_default();
        Self {
            label: format!("NetworkPolicy {}/{}", text("namespace"), text("name")),
            name: text("name").to_string(),
            place: SourceLocation::new("(in the cluster)", 1),
            lines: BTreeMap::new(),
        }
    }

    fn line(&self, path: &[String]) -> SourceLocation {
        self.lines.get(path).unwrap_or(&self.place).clone()
    }
}

/// Whether a peer would be this pod if its namespace had the right labels.
fn asks_for_labels(peer: &Peer, pod: &PodFacts) -> bool {
    let Peer::Namespaces { namespaces, pods } = peer else { return false };
    let (by_name, by_label): (Vec<&Requirement>, Vec<&Requirement>) =
        namespaces.requirements().iter().partition(|one| one.key() == NAMESPACE_NAME_LABEL);
    let name = Labels::from([(NAMESPACE_NAME_LABEL.to_string(), pod.namespace.clone())]);
    let is_named = Selector::new(by_name.into_iter().cloned()).selects(&name);
    !by_label.is_empty() && is_named && pods.selects(&pod.labels)
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}

fn refused(rendered: &Rendered, objects: &[&Object], policies: &Policies) -> Vec<Defect> {
    let defects = policies.refused().iter().filter_map(|refused| {
        let object = objects.get(refused.policy)?;
        let path: Vec<&str> = refused.error.path.segments().iter().map(String::as_str).collect();
        Some(Defect {
            name: REFUSED_POLICY.to_string(),
            summary: format!(
                "the API server refuses {}, so that the wall does not stand: {}",
                object.label(),
                refused.error
            ),
            object: object.applied_by.clone(),
            message: String::new(),
            location: Some(rendered.locate(object, &path)),
            behind: None,
        })
    });
    defects.collect()
}
