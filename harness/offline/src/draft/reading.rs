//! A simple reading of the rendered policies: enough to say what seems to be allowed. The judge of
//! a layout is the policy evaluator, not this.

use std::collections::BTreeMap;

use partywall_core::port::Port;
use serde_json::Value;

use super::workloads::transport;
use crate::render::{Object, Rendered};

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party<'a> {
    /// None for what is no pod.
    pub(super) pod: Option<Pod<'a>>,
    /// Names of its ports.
    pub(super) ports: &'a BTreeMap<Port, Option<String>>,
}

/// A pod as policies see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pod<'a> {
    pub(super) namespace: &'a str,
    pub(super) namespace_labels: &'a BTreeMap<String, String>,
    pub(super) labels: &'a BTreeMap<String, String>,
}

/// Policies by their namespace.
pub(super) struct Policies<'a>(BTreeMap<&'a str, Vec<&'a Object>>);

#[derive(Clone, Copy)]
struct Side {
    name: &'static str,
    rules: &'static str,
    peers: &'static str,
}

const EGRESS: Side = Side { name: "Egress", rules: "egress", peers: "to" };
const INGRESS: Side = Side { name: "Ingress", rules: "ingress", peers: "from" };

impl<'a> Policies<'a> {
    pub(super) fn of(rendered: &'a Rendered) -> Self {
        let mut policies: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
        for object in rendered.of_kind("NetworkPolicy") {
            if object.api_version() == "networking.k8s.io/v1" {
                policies.entry(object.namespace()).or_default().push(object);
            }
        }
        Self(policies)
    }

    /// Whether both sides let a connection through.
    pub(super) fn allow(&self, from: Party<'_>, to: Party<'_>, port: Port) -> bool {
        self.side(EGRESS, from, to, port, to) && self.side(INGRESS, to, from, port, to)
    }

    fn side(&self, side: Side, near: Party<'_>, far: Party<'_>, port: Port, to: Party<'_>) -> bool {
        let Some(pod) = near.pod else { return true };
        let own = self.0.get(pod.namespace).into_iter().flatten();
        let mut isolating =
            own.filter(|policy| isolates(policy, side) && chooses(policy, pod)).peekable();
        if isolating.peek().is_none() {
            return true;
        }
        isolating.any(|policy| {
            let mut rules = list(&policy.value["spec"][side.rules]);
            rules.any(|rule| {
                peers(&rule[side.peers], pod.namespace, far) && ports(&rule["ports"], port, to)
            })
        })
    }
}

/// What `policyTypes` is taken to be where it is absent.
fn isolates(policy: &Object, side: Side) -> bool {
    let spec = &policy.value["spec"];
    match spec["policyTypes"].as_array() {
        Some(types) if !types.is_empty() => types.iter().any(|one| one == side.name),
        _ => side.name == INGRESS.name || list(&spec["egress"]).next().is_some(),
    }
}

fn chooses(policy: &Object, pod: Pod<'_>) -> bool {
    selects(&policy.value["spec"]["podSelector"], pod.labels)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn peers(peers: &Value, own: &str, far: Party<'_>) -> bool {
    list(peers).next().is_none() || list(peers).any(|peer| is_peer(peer, own, far))
}

fn is_peer(peer: &Value, own: &str, far: Party<'_>) -> bool {
    if let Some(block) = peer.get("ipBlock") {
        // Addresses are not known from files: a block counts where it is all there is.
        let all = matches!(block["cidr"].as_str(), Some("0.0.0.0/0" | "::/0"));
        return all && list(&block["except"]).next().is_none();
    }
    let Some(pod) = far.pod else { return false };
    let in_namespace = match peer.get("namespaceSelector") {
        Some(selector) if !selector.is_null() => selects(selector, pod.namespace_labels),
        _ => pod.namespace == own,
    };
    in_namespace && peer.get("podSelector").is_none_or(|selector| selects(selector, pod.labels))
}

fn ports(ports: &Value, port: Port, to: Party<'_>) -> bool {
    list(ports).next().is_none() || list(ports).any(|one| is_port(one, port, to))
}

fn is_port(rule: &Value, port: Port, to: Party<'_>) -> bool {
    if transport(rule["protocol"].as_str()) != Some(port.transport) {
        return false;
    }
    match &rule["port"] {
        Value::Null => true,
        Value::String(name) => {
            to.ports.get(&port).is_some_and(|known| known.as_ref() == Some(name))
        }
        Value::Number(first) => {
            let (first, number) = (first.as_u64().unwrap_or(0), u64::from(port.number));
            let last = rule["endPort"].as_u64().unwrap_or(first);
            (first..=last).contains(&number)
        }
        _ => false,
    }
}

/// Whether a label selector takes these labels; an absent one takes all.
fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let entries = selector["matchLabels"].as_object().into_iter().flatten();
    let mut wanted = entries.map(|(key, value)| (key, value.as_str().unwrap_or_default()));
    wanted.all(|(key, value)| labels.get(key).is_some_and(|known| known == value))
        && list(&selector["matchExpressions"]).all(|expression| holds(expression, labels))
}

fn holds(expression: &Value, labels: &BTreeMap<String, String>) -> bool {
    let value = expression["key"].as_str().and_then(|key| labels.get(key));
    let listed =
        value.is_some_and(|value| list(&expression["values"]).any(|one| one == value.as_str()));
    match expression["operator"].as_str() {
        Some("In") => listed,
        Some("NotIn") => !listed,
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}
