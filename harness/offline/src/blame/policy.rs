//! NetworkPolicies as far as blame needs them: who is selected, what a rule lets through.

use std::collections::BTreeMap;

use partywall_core::document::{Document, Item, Node};
use partywall_core::source::SourceLocation;
use partywall_core::{Layout, Port, Transport};

use crate::landing::documents_in;

/// One side of a wall.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Egress,
    Ingress,
}

impl Side {
    /// `egress` or `ingress`: the key of the rules, and the word in messages.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Egress => "Egress",
            Self::Ingress => "Ingress",
        }
    }

    const fn peers(self) -> &'static str {
        match self {
            Self::Egress => "to",
            Self::Ingress => "from",
        }
    }
}

/// Labels of pods, where they are known: pods come from charts that are not rendered here.
pub(super) type Pods<'a> = Option<&'a BTreeMap<String, String>>;

/// The party on the far side of a wall.
pub(super) struct Far<'a> {
    pub(super) namespace: String,
    labels: BTreeMap<String, String>,
    pods: Pods<'a>,
}

impl<'a> Far<'a> {
    pub(super) fn new(layout: &Layout, namespace: &str, pods: Pods<'a>) -> Self {
        let mut labels = BTreeMap::new();
        let mut namespaces = layout.of_kind("Namespace");
        if let Some(document) = namespaces.find(|document| document.name() == namespace) {
            for (key, value) in document.root.entries(&["metadata", "labels"]) {
                if let Node::Scalar(value) = &value.node {
                    labels.insert(key.clone(), value.clone());
                }
            }
        }
        // The API server sets this one on every namespace.
        labels.insert("kubernetes.io/metadata.name".to_string(), namespace.to_string());
        Self { namespace: namespace.to_string(), labels, pods }
    }
}

impl Far<'_> {
    /// Whether nobody knows the labels of its pods.
    pub(super) const fn is_unknown(&self) -> bool {
        self.pods.is_none()
    }
}

/// A rule of a policy.
pub(super) struct Rule<'a> {
    pub(super) policy: &'a Document,
    pub(super) item: &'a Item,
    side: Side,
    home: String,
}

impl Rule<'_> {
    /// Whether the rule is about this party, whatever the port.
    pub(super) fn is_about(&self, far: &Far<'_>) -> bool {
        let peers = self.item.items(&[self.side.peers()]);
        peers.is_empty() || peers.iter().any(|peer| self.peer_is(peer, far))
    }

    fn peer_is(&self, peer: &Item, far: &Far<'_>) -> bool {
        if let Some(block) = peer.text(&["ipBlock", "cidr"]) {
            // What is no pod is reached by address alone. Which addresses pods get is not
            // written in a layout: there, only "everywhere" is certain.
            return far.namespace.is_empty()
                || block.ends_with("/0") && peer.items(&["ipBlock", "except"]).is_empty();
        }
        if far.namespace.is_empty() {
            return false;
        }
        let in_namespace = match peer.get("namespaceSelector") {
            Some(selector) => selects(selector, &far.labels),
            None => far.namespace == self.home,
        };
        in_namespace && may_select(peer.get("podSelector"), far.pods)
    }

    /// Whether the rule is about some pods of the far side only.
    pub(super) fn is_for_some(&self) -> bool {
        let peers = self.item.items(&[self.side.peers()]);
        !peers.is_empty() && peers.iter().all(|peer| !selects_every(peer.get("podSelector")))
    }

    /// Whether the rule lets this port through.
    pub(super) fn opens(&self, port: Port) -> bool {
        let ports = self.item.items(&["ports"]);
        ports.is_empty() || ports.iter().any(|entry| entry_opens(entry, port))
    }

    /// Whether the rule names this port's number, for whatever protocol.
    pub(super) fn names_number(&self, number: u16) -> bool {
        self.item.items(&["ports"]).iter().any(|entry| number_of(entry, "port") == Some(number))
    }

    /// Its ports for people: `53/UDP`.
    pub(super) fn ports(&self) -> String {
        let ports = self.item.items(&["ports"]).iter().map(|entry| {
            let number = entry.text(&["port"]).unwrap_or("every port");
            format!("{number}/{}", entry.text(&["protocol"]).unwrap_or("TCP"))
        });
        ports.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn location(&self) -> SourceLocation {
        SourceLocation::new(self.policy.location.file.clone(), self.item.line)
    }

    /// Where the rule's list of ports starts, or the rule.
    pub(super) fn ports_location(&self) -> SourceLocation {
        let line = self.item.get("ports").map_or(self.item.line, |ports| ports.line);
        SourceLocation::new(self.policy.location.file.clone(), line)
    }
}

/// Policies that decide one side of the wall of a namespace's pods.
pub(super) fn policies<'a>(
    layout: &'a Layout,
    namespace: &str,
    side: Side,
    pods: Pods<'_>,
) -> Vec<&'a Document> {
    let about = |document: &&Document| {
        document.kind() == "NetworkPolicy"
            && decides(document, side)
            && may_select(document.root.at(&["spec", "podSelector"]), pods)
    };
    documents_in(layout, namespace).into_iter().filter(about).collect()
}

/// Policies without `policyTypes` decide ingress, and egress where they have such rules.
fn decides(policy: &Document, side: Side) -> bool {
    let types = policy.root.items(&["spec", "policyTypes"]);
    if types.is_empty() {
        return side == Side::Ingress || policy.root.at(&["spec", "egress"]).is_some();
    }
    types.iter().any(|item| item.node == Node::Scalar(side.kind().to_string()))
}

/// Whether a policy selects every pod of its namespace.
pub(super) fn selects_all(policy: &Document) -> bool {
    selects_every(policy.root.at(&["spec", "podSelector"]))
}

/// Whether a selector is absent or empty.
fn selects_every(selector: Option<&Item>) -> bool {
    let is_empty = |item: &Item| match &item.node {
        Node::Mapping(entries) => entries.is_empty(),
        Node::Sequence(items) => items.is_empty(),
        Node::Null => true,
        Node::Scalar(_) => false,
    };
    selector.is_none_or(|selector| match &selector.node {
        Node::Mapping(entries) => entries.iter().all(|(_, item)| is_empty(item)),
        _ => is_empty(selector),
    })
}

/// Whether a selector may be about these pods; it may be about pods that nobody knows.
fn may_select(selector: Option<&Item>, pods: Pods<'_>) -> bool {
    match (selector, pods) {
        (Some(selector), Some(labels)) => selects(selector, labels),
        _ => true,
    }
}

pub(super) fn rules<'a>(policies: &[&'a Document], home: &str, side: Side) -> Vec<Rule<'a>> {
    let rules = policies.iter().flat_map(|policy| {
        let items = policy.root.items(&["spec", side.word()]);
        items.iter().map(|item| Rule { policy, item, side, home: home.to_string() })
    });
    rules.collect()
}

fn entry_opens(entry: &Item, port: Port) -> bool {
    let protocol = match port.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
        Transport::Sctp => "SCTP",
    };
    if entry.text(&["protocol"]).unwrap_or("TCP") != protocol {
        return false;
    }
    let Some(first) = entry.get("port") else {
        return true;
    };
    let Some(first) = number(first) else {
        // A named port is known only once the pods are.
        return false;
    };
    let last = number_of(entry, "endPort").unwrap_or(first);
    (first..=last).contains(&port.number)
}

fn number_of(entry: &Item, key: &str) -> Option<u16> {
    number(entry.get(key)?)
}

fn number(item: &Item) -> Option<u16> {
    match &item.node {
        Node::Scalar(text) => text.parse().ok(),
        _ => None,
    }
}

fn selects(selector: &Item, labels: &BTreeMap<String, String>) -> bool {
    let pairs = selector.entries(&["matchLabels"]).iter();
    let mut pairs = pairs.map(|(key, value)| match &value.node {
        Node::Scalar(value) => labels.get(key) == Some(value),
        _ => false,
    });
    let mut expressions = selector.items(&["matchExpressions"]).iter();
    pairs.all(|matches| matches) && expressions.all(|expression| holds(expression, labels))
}

fn holds(expression: &Item, labels: &BTreeMap<String, String>) -> bool {
    let Some(key) = expression.text(&["key"]) else {
        return false;
    };
    let value = labels.get(key);
    let listed = || {
        let mut values = expression.items(&["values"]).iter();
        values.any(|item| matches!(&item.node, Node::Scalar(text) if Some(text) == value))
    };
    match expression.text(&["operator"]) {
        Some("In") => listed(),
        Some("NotIn") => !listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_core::document::documents;
    use rstest::rstest;

    fn parse(text: &str) -> Document {
        documents("x.yaml", text).unwrap().remove(0)
    }

    #[rstest]
    #[case("{ports: []}", Port::tcp(1), true)]
    #[case("{}", Port::udp(1), true)]
    #[case("{ports: [{port: 53, protocol: UDP}]}", Port::tcp(53), false)]
    #[case("{ports: [{port: 53, protocol: UDP}]}", Port::udp(53), true)]
    #[case("{ports: [{port: 53}]}", Port::tcp(53), true)]
    #[case("{ports: [{protocol: UDP}]}", Port::udp(9), true)]
    #[case("{ports: [{port: 80, endPort: 90}]}", Port::tcp(90), true)]
    #[case("{ports: [{port: 80, endPort: 90}]}", Port::tcp(91), false)]
    #[case("{ports: [{port: http}]}", Port::tcp(80), false)]
    fn ports(#[case] rule: &str, #[case] port: Port, #[case] expected: bool) {
        let policy = parse(rule);
        let rule =
            Rule { policy: &policy, item: &policy.root, side: Side::Egress, home: String::new() };
        assert_eq!(rule.opens(port), expected);
    }

    #[rstest]
    #[case::all("{}", true)]
    #[case::own("{to: [{podSelector: {}}]}", false)]
    #[case::label("{to: [{namespaceSelector: {matchLabels: {purpose: shared}}}]}", true)]
    #[case::other_label("{to: [{namespaceSelector: {matchLabels: {purpose: x}}}]}", false)]
    #[case::every_namespace("{to: [{namespaceSelector: {}}]}", true)]
    #[case::by_name(
        "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: s}}}]}",
        true
    )]
    #[case::within(
        "{to: [{namespaceSelector: {matchExpressions: [{key: purpose, operator: In, values: [shared]}]}}]}",
        true
    )]
    #[case::not_within(
        "{to: [{namespaceSelector: {matchExpressions: [{key: purpose, operator: NotIn, values: [shared]}]}}]}",
        false
    )]
    #[case::absent(
        "{to: [{namespaceSelector: {matchExpressions: [{key: x, operator: DoesNotExist}]}}]}",
        true
    )]
    #[case::pods(
        "{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: gateway}}}]}",
        true
    )]
    #[case::other_pods(
        "{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: x}}}]}",
        false
    )]
    #[case::everywhere("{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}", true)]
    #[case::somewhere("{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}", false)]
    fn peers(#[case] rule: &str, #[case] expected: bool) {
        let namespace = "kind: Namespace\nmetadata: {name: s, labels: {purpose: shared}}\n";
        let files = [("ns.yaml".to_string(), namespace.to_string())].into();
        let layout = Layout::new(files).unwrap();
        let pods = [("app".to_string(), "gateway".to_string())].into();
        let far = Far::new(&layout, "s", Some(&pods));
        let policy = parse(rule);
        let rule =
            Rule { policy: &policy, item: &policy.root, side: Side::Egress, home: "a".to_string() };
        assert_eq!(rule.is_about(&far), expected);
    }
}
