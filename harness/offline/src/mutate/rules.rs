//! Rules of policies: for more peers, for more ports, or gone.

use partywall_core::inventory::DECOY;
use serde_json::{Value, json};

use super::catalogue::{
    ADDRESSES_ADDED, NAMESPACE_TERM_DROPPED, NAMESPACES_WIDENED, PEERS_DROPPED, PODS_WIDENED,
    PORT_ADDED, PORT_REMOVED, PORTS_DROPPED, RULE_REMOVED,
};
use super::ground::{Ground, Written};
use super::model::Generated;
use super::text::Change;
use super::walls::policies;

/// The key of a direction's rules, and the key of their peers.
const SIDES: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];
const EVERYWHERE: &str = "0.0.0.0/0";

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    for policy in policies(ground) {
        for (side, peers) in SIDES {
            let rules = policy.value()["spec"][side].as_array().cloned().unwrap_or_default();
            for (index, rule) in rules.iter().enumerate() {
                let place = Rule { policy: &policy, side, peers, index, rule };
                place.generate(&mut mutants);
            }
        }
    }
    mutants
}

/// One rule of a policy.
struct Rule<'a> {
    policy: &'a Written<'a>,
    side: &'static str,
    peers: &'static str,
    index: usize,
    rule: &'a Value,
}

impl Rule<'_> {
    fn generate(&self, mutants: &mut Vec<Generated>) {
        self.rule_itself(mutants);
        self.ports(mutants);
        let peers = self.rule[self.peers].as_array().map_or(0, Vec::len);
        for peer in 0..peers {
            self.peer(peer, mutants);
        }
    }

    /// `egress-3`.
    fn detail(&self) -> String {
        format!("{}-{}", self.side, self.index + 1)
    }

    /// `egress rule 3 of a/allow`.
    fn label(&self) -> String {
        format!("{} rule {} of {}", self.side, self.index + 1, self.policy.name())
    }

    fn mutant(
        &self,
        operator: &'static super::catalogue::Operator,
        detail: &str,
        said: String,
        (below, change): (&[&str], &Change),
    ) -> Generated {
        let index = self.index.to_string();
        let mut path = vec!["spec", self.side, &index];
        path.extend(below);
        self.policy.mutant(operator, detail, said, (&path, change))
    }

    fn rule_itself(&self, mutants: &mut Vec<Generated>) {
        let (detail, label) = (self.detail(), self.label());
        let said = format!("{label} is gone");
        mutants.push(self.mutant(RULE_REMOVED, &detail, said, (&[], &Change::Remove)));
        if !self.rule[self.peers].as_array().is_none_or(Vec::is_empty) {
            let said = format!("{label} is for everybody");
            let change = (&[self.peers][..], &Change::Remove);
            mutants.push(self.mutant(PEERS_DROPPED, &detail, said, change));
            if self.side == "egress" {
                let said = format!("{label} is also for every address");
                let block = Change::Push(json!({"ipBlock": {"cidr": EVERYWHERE}}));
                let change = (&[self.peers][..], &block);
                mutants.push(self.mutant(ADDRESSES_ADDED, &detail, said, change));
            }
        }
    }

    fn ports(&self, mutants: &mut Vec<Generated>) {
        let (detail, label) = (self.detail(), self.label());
        let ports = self.rule["ports"].as_array().cloned().unwrap_or_default();
        if ports.is_empty() {
            return;
        }
        let said = format!("{label} is for every port");
        mutants.push(self.mutant(PORTS_DROPPED, &detail, said, (&["ports"], &Change::Remove)));
        let said = format!("{label} is also for port {DECOY}/TCP");
        let decoy = Change::Push(json!({"port": DECOY, "protocol": "TCP"}));
        mutants.push(self.mutant(PORT_ADDED, &detail, said, (&["ports"], &decoy)));
        if ports.len() < 2 {
            return;
        }
        for (index, port) in ports.iter().enumerate() {
            let word = port_word(port);
            let said = format!("{label} is not for port {word} any more");
            let index = index.to_string();
            let change = (&["ports", &index][..], &Change::Remove);
            let detail = format!("{detail}/{}", word.to_lowercase().replace('/', "-"));
            mutants.push(self.mutant(PORT_REMOVED, &detail, said, change));
        }
    }

    fn peer(&self, peer: usize, mutants: &mut Vec<Generated>) {
        let label = format!("peer {} of {}", peer + 1, self.label());
        let detail = format!("{}/peer-{}", self.detail(), peer + 1);
        let number = peer.to_string();
        let value = &self.rule[self.peers][peer];
        let empty = Change::Set(json!({}));
        if let Some(selector) = value["namespaceSelector"].as_object().filter(|s| !s.is_empty()) {
            let said = format!("{label} is for every namespace");
            let path = [self.peers, &number, "namespaceSelector"];
            mutants.push(self.mutant(NAMESPACES_WIDENED, &detail, said, (&path, &empty)));
            let terms = selector.get("matchLabels").and_then(Value::as_object);
            let terms = terms.into_iter().flatten().map(|(key, _)| key).collect::<Vec<_>>();
            for term in terms.iter().filter(|_| terms.len() > 1) {
                let said = format!("{label} does not ask for the namespace's label {term}");
                let path = [self.peers, &number, "namespaceSelector", "matchLabels", term];
                let detail = format!("{detail}/{}", term.replace('/', "-"));
                let change = (&path[..], &Change::Remove);
                mutants.push(self.mutant(NAMESPACE_TERM_DROPPED, &detail, said, change));
            }
        }
        let is_narrow = value["podSelector"].as_object().is_some_and(|s| !s.is_empty());
        if is_narrow {
            let said = format!("{label} is for every pod there");
            let path = [self.peers, &number, "podSelector"];
            mutants.push(self.mutant(PODS_WIDENED, &detail, said, (&path, &empty)));
        }
    }
}

/// `8000/TCP`, as people write it.
fn port_word(port: &Value) -> String {
    let number = match &port["port"] {
        Value::String(name) => name.clone(),
        Value::Null => "every".to_string(),
        number => number.to_string(),
    };
    format!("{number}/{}", port["protocol"].as_str().unwrap_or("TCP"))
}
