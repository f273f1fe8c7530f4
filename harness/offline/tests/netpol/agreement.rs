//! The evaluator and its matrix against the reference.

use std::collections::BTreeMap;

use partywall_offline::netpol::{
    Address, Answer, Connection, ContainerPort, NamespaceFacts, Place, PodFacts, Policies, PortSet,
    Protocol, Side, generate,
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;

use crate::random::{Setting, address, setting};
use crate::reference::{End, Reference, Truth};

const PORTS: [u16; 10] = [1, 52, 53, 54, 79, 80, 81, 82, 65534, 65535];

fn policies(setting: &Setting) -> Policies {
    let Setting { namespaces, pods, policies } = setting.clone();
    policies_of(namespaces, pods, policies)
}

fn policies_of(
    namespaces: Vec<NamespaceFacts>,
    pods: Vec<PodFacts>,
    policies: Vec<Value>,
) -> Policies {
    let found = Policies::new(namespaces, pods, policies);
    assert_eq!(found.refused(), [], "the generator makes valid policies");
    found
}

fn truth(answer: &Answer) -> Truth {
    match answer {
        Answer::Yes => Truth::Yes,
        Answer::No => Truth::No,
        Answer::Unknown { .. } => Truth::Maybe,
    }
}

fn every_port() -> impl Iterator<Item = (Protocol, u16)> {
    PORTS.into_iter().flat_map(|port| Protocol::ALL.map(|protocol| (protocol, port)))
}

/// What the matrix says of each pair; no pair may be in two groups.
fn pairs<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
) -> BTreeMap<(usize, usize), (PortSet, PortSet)> {
    let mut pairs = BTreeMap::new();
    for connection in connections {
        let mut count = 0;
        for pair in connection.pairs() {
            count += 1;
            let ports = (connection.ports.clone(), connection.unsure.clone());
            assert!(pairs.insert(pair, ports).is_none(), "{pair:?} is in two groups");
        }
        assert_eq!(count, connection.pair_count());
    }
    pairs
}

fn in_matrix(found: Option<&(PortSet, PortSet)>, (protocol, port): (Protocol, u16)) -> Truth {
    match found {
        Some((certain, _)) if certain.contains(protocol, port) => Truth::Yes,
        Some((_, unsure)) if unsure.contains(protocol, port) => Truth::Maybe,
        _ => Truth::No,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn between_pods(setting in setting()) {
        let evaluator = policies(&setting);
        let reference = Reference { namespaces: &setting.namespaces, policies: &setting.policies };
        let matrix = evaluator.matrix();
        let pairs = pairs(matrix.connections());
        let declared: Vec<Connection> = matrix.declared(&evaluator).collect();
        let declared = self::pairs(&declared);
        for (from, source) in setting.pods.iter().enumerate() {
            for (to, target) in setting.pods.iter().enumerate() {
                for (protocol, port) in every_port() {
                    let expected = reference.allows(End::Pod(source), End::Pod(target), protocol, port);
                    let decision = evaluator.decide(Place::Pod(from), Place::Pod(to), protocol, port);
                    prop_assert_eq!(truth(&decision.verdict), expected, "{:?}", decision);
                    if from == to {
                        continue;
                    }
                    let found = in_matrix(pairs.get(&(from, to)), (protocol, port));
                    prop_assert_eq!(found, expected, "matrix: {} to {} {}/{}", from, to, port, protocol);
                    let expected = if declares(target, protocol, port) { expected } else { Truth::No };
                    let found = in_matrix(declared.get(&(from, to)), (protocol, port));
                    prop_assert_eq!(found, expected, "declared: {} to {} {}/{}", from, to, port, protocol);
                }
            }
        }
    }

    #[test]
    fn with_what_is_no_pod(setting in setting(), address in address(), is_node in any::<bool>()) {
        let evaluator = policies(&setting);
        let reference = Reference { namespaces: &setting.namespaces, policies: &setting.policies };
        let (place, end) = outside(&address, is_node);
        for (index, pod) in setting.pods.iter().enumerate() {
            for (protocol, port) in every_port() {
                let out = evaluator.decide(Place::Pod(index), place, protocol, port);
                let expected = reference.allows(End::Pod(pod), end, protocol, port);
                prop_assert_eq!(truth(&out.verdict), expected, "{:?}", out);
                let within = evaluator.decide(place, Place::Pod(index), protocol, port);
                let expected = reference.allows(end, End::Pod(pod), protocol, port);
                prop_assert_eq!(truth(&within.verdict), expected, "{:?}", within);
            }
        }
    }

    /// Policies add up: their order means nothing, nor that of pods and namespaces.
    #[test]
    fn in_any_order(setting in setting()) {
        let count = setting.pods.len();
        let mut turned = setting.clone();
        turned.policies.reverse();
        turned.pods.reverse();
        turned.namespaces.reverse();
        let straight = pairs(policies(&setting).matrix().connections());
        let turned = pairs(policies(&turned).matrix().connections());
        let back = turned.into_iter().map(|((from, to), ports)| ((count - 1 - from, count - 1 - to), ports));
        prop_assert_eq!(straight, back.collect());
    }

    /// A rule that is named lets the connection through all by itself.
    #[test]
    fn for_the_reason_it_names(setting in setting()) {
        let evaluator = policies(&setting);
        for (from, to) in (0..setting.pods.len()).flat_map(|from| (0..setting.pods.len()).map(move |to| (from, to))) {
            for (protocol, port) in every_port() {
                let decision = evaluator.decide(Place::Pod(from), Place::Pod(to), protocol, port);
                for side in [decision.egress, decision.ingress] {
                    let Side::Isolated(isolation) = side else { continue };
                    prop_assert_eq!(isolation.answer == Answer::Yes, !isolation.allowed_by.is_empty());
                    for found in &isolation.allowed_by {
                        prop_assert!(isolation.policies.contains(&found.place.policy));
                        let path = found.path();
                        let pointer = format!("/{}", path.segments().join("/"));
                        let value = setting.policies[found.place.policy].pointer(&pointer);
                        prop_assert!(value.is_some(), "{} leads nowhere", path);
                    }
                }
            }
        }
    }
}

fn declares(pod: &PodFacts, protocol: Protocol, port: u16) -> bool {
    pod.ports.iter().any(|one| one.protocol == protocol && one.number == port)
}

fn outside(address: &Address, is_node: bool) -> (Place<'_>, End<'_>) {
    if is_node {
        (Place::Node(address), End::Node(address))
    } else {
        (Place::Outside(address), End::Outside(address))
    }
}

/// The comparison above can fail: a reference that misses one policy is told apart.
#[test]
fn a_difference_is_seen() {
    let pods = ["one", "two"].map(|name| PodFacts {
        namespace: "a".to_string(),
        name: name.to_string(),
        ..PodFacts::default()
    });
    let deny = serde_json::json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": "a", "name": "deny"},
        "spec": {"podSelector": {}},
    });
    let evaluator = Policies::new(Vec::new(), pods.to_vec(), [deny]);
    let reference = Reference { namespaces: &[], policies: &[] };
    let decision = evaluator.decide(Place::Pod(0), Place::Pod(1), Protocol::Tcp, 80);
    let expected = reference.allows(End::Pod(&pods[0]), End::Pod(&pods[1]), Protocol::Tcp, 80);
    assert_ne!(truth(&decision.verdict), expected);
    assert_eq!(evaluator.matrix().connections(), []);
}

/// So many classes that they are narrowed down before they are tried.
#[rstest]
#[case(1)]
#[case(2)]
fn with_many_namespaces(#[case] seed: u64) {
    let names = (0..180).map(|number| format!("namespace-{number}"));
    let label = |key: &str, number: usize| {
        [(key.to_string(), ["x", "y", "z"][number % 3].to_string())].into()
    };
    let facts = |(number, name): (usize, String)| {
        let port = ContainerPort {
            name: Some("http".to_string()),
            number: if number % 4 == 0 { 81 } else { 80 },
            protocol: Protocol::Tcp,
        };
        let pod = PodFacts {
            namespace: name.clone(),
            name: "pod".to_string(),
            labels: label("app", number / 3),
            ports: vec![port],
            host_network: number % 50 == 49,
            address: if number % 5 == 0 {
                Address::Private
            } else {
                Address::Known(vec![[10, 0, 0, u8::try_from(number).unwrap()].into()])
            },
        };
        (NamespaceFacts { name, labels: label("tier", number) }, pod)
    };
    let (namespaces, pods): (Vec<NamespaceFacts>, Vec<PodFacts>) =
        names.enumerate().map(facts).unzip();
    let policies = generate(seed, &namespaces, &pods, 700);
    let count = pods.len();
    let evaluator = policies_of(namespaces, pods, policies);
    let pairs = pairs(evaluator.matrix().connections());
    let mut seen = BTreeMap::new();
    for (from, to) in (0..count).flat_map(|from| (0..count).map(move |to| (from, to))) {
        for port in [80, 81].into_iter().filter(|_| from != to) {
            let decision = evaluator.decide(Place::Pod(from), Place::Pod(to), Protocol::Tcp, port);
            let found = in_matrix(pairs.get(&(from, to)), (Protocol::Tcp, port));
            assert_eq!(found, truth(&decision.verdict), "{from} to {to}: {decision:?}");
            *seen.entry(format!("{found:?}")).or_insert(0_usize) += 1;
        }
    }
    assert!(seen.len() == 3 && seen.values().all(|count| *count > 100), "{seen:?}");
}
