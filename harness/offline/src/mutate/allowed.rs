//! Everything that a layout lets through, and everything else of it, to tell whether a change is
//! none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::{OfflineCluster, Place};
use crate::netpol::{Direction, Peer, Side};
use crate::render::Object;
use partywall_core::port::Port;

/// How the labels begin by which admission is told what pods may be.
const ADMISSION: &str = "pod-security.kubernetes.io/";

/// Whose wall, from pod, to pod; with the ports that pass, and those of which it cannot be said.
type Flow = (Direction, String, String);

/// What a layout comes to. Two that are equal allow the same and are the same besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed {
    /// By the end whose wall lets it through, as though the other had none.
    flows: BTreeMap<Flow, (String, String)>,
    /// Pod and direction: whether it is closed at all, and to which addresses it is open.
    addresses: BTreeMap<(String, Direction), Option<BTreeSet<String>>>,
    /// Every object that is no NetworkPolicy, with who applies it.
    objects: BTreeMap<String, Value>,
    /// Everything that Flux says.
    flux: BTreeSet<String>,
}

impl Allowed {
    /// Of a layout that stands.
    pub fn of(cluster: &OfflineCluster<'_>) -> Self {
        let rendered = cluster.rendered();
        let others: Vec<&Object> =
            rendered.objects.iter().filter(|object| object.kind() != "NetworkPolicy").collect();
        let texts = others.iter().filter(|object| object.kind() != "Namespace");
        let texts: Vec<String> = texts.map(|object| object.value.to_string()).collect();
        // As a label with this value, or by an expression about the label.
        let named = |label: &str, value: &Value| {
            let label = Value::from(label);
            let words = [format!("{label}:{value}"), format!("\"key\":{label}")];
            texts.iter().any(|text| words.iter().any(|word| text.contains(word.as_str())))
        };
        let objects = others.iter().map(|object| {
            (format!("{} by {}", object.label(), object.applied_by), judged(object, named))
        });
        let objects = objects.collect();
        let flux = rendered.flux.iter().map(|state| format!("{state:?}"));
        Self { flows: flows(cluster), addresses: addresses(cluster), objects, flux: flux.collect() }
    }

    /// How it is known that this is the same as another; nothing where it is not.
    pub fn same(&self, other: &Self) -> Option<String> {
        (self == other).then(|| {
            format!(
                "between the pods that stand each wall alone allows the same ({} pairs of pods \
                 on the same ports) and the same addresses outside, and every other object is the \
                 same",
                self.flows.len()
            )
        })
    }

    /// What of it differs, in words.
    pub fn difference(&self, other: &Self) -> String {
        let flows = |one: &Self, other: &Self| {
            one.flows.iter().filter(|(ends, ports)| other.flows.get(ends) != Some(ports)).count()
        };
        let mut words = Vec::new();
        let (opened, closed) = (flows(other, self), flows(self, other));
        if opened + closed > 0 {
            words.push(format!("{opened} pairs of pods pass more of one wall, {closed} less"));
        }
        if self.addresses != other.addresses {
            words.push("other addresses outside are allowed".to_string());
        }
        if self.objects != other.objects {
            words.push("other objects differ".to_string());
        }
        if self.flux != other.flux {
            words.push("Flux ends differently".to_string());
        }
        words.join("; ")
    }
}

/// Labels of a namespace are for the selectors of NetworkPolicies, whose effect is among the
/// flows; those that admission goes by are not, nor those that any other object names.
fn judged(object: &Object, named: impl Fn(&str, &Value) -> bool) -> Value {
    let mut value = object.value.clone();
    let labels = value.pointer_mut("/metadata/labels").and_then(Value::as_object_mut);
    if let Some(labels) = labels.filter(|_| object.kind() == "Namespace") {
        labels.retain(|label, value| label.starts_with(ADMISSION) || named(label, value));
        if labels.is_empty()
            && let Some(metadata) = value.pointer_mut("/metadata").and_then(Value::as_object_mut)
        {
            metadata.shift_remove("labels");
        }
    }
    value
}

fn names(cluster: &OfflineCluster<'_>) -> Vec<String> {
    let pods = cluster.standing().pods.iter();
    pods.map(|standing| format!("{}/{}", standing.pod.name.namespace, standing.pod.name.name))
        .collect()
}

fn flows(cluster: &OfflineCluster<'_>) -> BTreeMap<Flow, (String, String)> {
    let names = names(cluster);
    let name = |pod: usize| names.get(pod).cloned().unwrap_or_default();
    let mut flows = BTreeMap::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        for connection in cluster.walls().policies().alone(direction).connections() {
            let ports = (connection.ports.to_string(), connection.unsure.to_string());
            for (from, to) in connection.pairs() {
                flows.insert((direction, name(from), name(to)), ports.clone());
            }
        }
    }
    flows
}

fn addresses(
    cluster: &OfflineCluster<'_>,
) -> BTreeMap<(String, Direction), Option<BTreeSet<String>>> {
    let walls = cluster.walls();
    // Which policies select a pod does not depend on the other end.
    let nowhere = Place::Node(usize::MAX);
    let mut found = BTreeMap::new();
    for (pod, name) in names(cluster).into_iter().enumerate() {
        let own = Place::Pod(pod);
        let [egress, _] = walls.sides(own, nowhere, Port::tcp(1));
        let [_, ingress] = walls.sides(nowhere, own, Port::tcp(1));
        for (side, direction) in [(egress, Direction::Egress), (ingress, Direction::Ingress)] {
            let open = match side {
                Side::Open => None,
                Side::Isolated(isolation) => {
                    let policies = isolation.policies.iter();
                    Some(policies.flat_map(|policy| blocks(cluster, *policy, direction)).collect())
                }
            };
            found.insert((name.clone(), direction), open);
        }
    }
    found
}

/// The rules of a policy that are about addresses, or about everybody.
fn blocks(cluster: &OfflineCluster<'_>, policy: usize, direction: Direction) -> Vec<String> {
    let known = cluster.walls().policies().policy(policy);
    let rules = known.and_then(|policy| policy.rules(direction)).unwrap_or_default();
    let mut words = Vec::new();
    for rule in rules {
        if rule.peers.is_empty() {
            words.push(format!("everybody on {:?}", rule.ports));
        }
        for peer in &rule.peers {
            if let Peer::Block(block) = peer {
                words.push(format!("{block} on {:?}", rule.ports));
            }
        }
    }
    words
}
