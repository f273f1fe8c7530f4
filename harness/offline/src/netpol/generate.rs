//! Valid policies at random, for the comparison of evaluators and for a real cluster.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::address::Address;
use super::facts::{NAMESPACE_NAME_LABEL, NamespaceFacts, PodFacts};
use super::ports::Protocol;

/// Make `count` policies over these namespaces and pods, called `generated-0` and so on. The same
/// seed and facts make the same policies. They name labels, ports and known addresses that
/// are there, and now and then one that is not.
pub fn generate(
    seed: u64,
    namespaces: &[NamespaceFacts],
    pods: &[PodFacts],
    count: usize,
) -> Vec<Value> {
    let mut dice = Dice(seed);
    let palette = Palette::new(namespaces, pods);
    if palette.namespaces.is_empty() {
        return Vec::new();
    }
    (0..count).map(|number| policy(&mut dice, &palette, number)).collect()
}

/// The splitmix64 generator: small, and the same on every machine.
struct Dice(u64);

impl Dice {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    /// Whether one of `of` cases is hit.
    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, Item>(&mut self, items: &'a [Item]) -> Option<&'a Item> {
        items.get(self.below(items.len()))
    }
}

/// What policies can name.
struct Palette {
    namespaces: Vec<String>,
    namespace_labels: Vec<(String, String)>,
    pod_labels: Vec<(String, String)>,
    ports: Vec<(Protocol, u16)>,
    port_names: Vec<(Protocol, String)>,
    addresses: Vec<IpAddr>,
}

impl Palette {
    fn new(namespaces: &[NamespaceFacts], pods: &[PodFacts]) -> Self {
        let mut namespace_labels = BTreeSet::new();
        let mut pod_labels = BTreeSet::new();
        let mut ports = BTreeSet::new();
        let mut port_names = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for namespace in namespaces {
            namespace_labels.extend(namespace.labels.clone());
            namespace_labels.insert((NAMESPACE_NAME_LABEL.to_string(), namespace.name.clone()));
        }
        for pod in pods {
            pod_labels.extend(pod.labels.clone());
            ports.extend(pod.ports.iter().map(|port| (port.protocol, port.number)));
            let names =
                pod.ports.iter().filter_map(|port| Some((port.protocol, port.name.clone()?)));
            port_names.extend(names);
            if let Address::Known(known) = &pod.address {
                addresses.extend(known.iter().copied());
            }
        }
        if ports.is_empty() {
            ports.insert((Protocol::Tcp, 80));
        }
        let names: BTreeSet<String> = namespaces.iter().map(|one| one.name.clone()).collect();
        Self {
            namespaces: names.into_iter().collect(),
            namespace_labels: namespace_labels.into_iter().collect(),
            pod_labels: pod_labels.into_iter().collect(),
            ports: ports.into_iter().collect(),
            port_names: port_names.into_iter().collect(),
            addresses: addresses.into_iter().collect(),
        }
    }
}

fn policy(dice: &mut Dice, palette: &Palette, number: usize) -> Value {
    let namespace = dice.pick(&palette.namespaces).cloned().unwrap_or_default();
    let mut spec = json!({"podSelector": selector(dice, &palette.pod_labels)});
    if !dice.one_in(4) {
        let types = [json!(["Ingress"]), json!(["Egress"]), json!(["Ingress", "Egress"])];
        spec["policyTypes"] = dice.pick(&types).cloned().unwrap_or_default();
    }
    if !dice.one_in(4) {
        spec["ingress"] = rules(dice, palette, "from");
    }
    if !dice.one_in(3) {
        spec["egress"] = rules(dice, palette, "to");
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": format!("generated-{number}"), "namespace": namespace},
        "spec": spec,
    })
}

fn rules(dice: &mut Dice, palette: &Palette, peers: &str) -> Value {
    let rule = |dice: &mut Dice| {
        let mut rule = json!({});
        if !dice.one_in(6) {
            let count = dice.below(3);
            rule[peers] = (0..count).map(|_| peer(dice, palette)).collect();
        }
        if !dice.one_in(3) {
            let count = dice.below(4);
            rule["ports"] = (0..count).map(|_| port(dice, palette)).collect();
        }
        rule
    };
    (0..dice.below(4)).map(|_| rule(dice)).collect()
}

fn peer(dice: &mut Dice, palette: &Palette) -> Value {
    match dice.below(7) {
        0 | 1 => json!({"podSelector": selector(dice, &palette.pod_labels)}),
        2 | 3 => json!({"namespaceSelector": selector(dice, &palette.namespace_labels)}),
        4 | 5 => json!({
            "namespaceSelector": selector(dice, &palette.namespace_labels),
            "podSelector": selector(dice, &palette.pod_labels),
        }),
        _ => json!({"ipBlock": block(dice, palette)}),
    }
}

/// A block around an address, at times with an exception around another one.
fn block(dice: &mut Dice, palette: &Palette) -> Value {
    let Some(address) = dice.pick(&palette.addresses).copied() else {
        return dice
            .pick(&[json!({"cidr": "0.0.0.0/0"}), json!({"cidr": "::/0"})])
            .cloned()
            .unwrap_or_default();
    };
    let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefixes = [0, bits / 4, bits - 12, bits - 8, bits - 4, bits - 2, bits];
    let prefix = dice.pick(&prefixes).copied().unwrap_or_default();
    let mut except: Vec<String> = Vec::new();
    if prefix < bits && dice.one_in(2) {
        let longer: Vec<u8> = prefixes.into_iter().filter(|other| *other > prefix).collect();
        let longer = dice.pick(&longer).copied().unwrap_or(bits);
        let other = dice.pick(&palette.addresses).copied().unwrap_or(address);
        // Only a part of the block may be excepted.
        let inside = network(address, prefix).contains(&other);
        except.push(network(if inside { other } else { address }, longer).to_string());
    }
    json!({"cidr": network(address, prefix).to_string(), "except": except})
}

fn network(address: IpAddr, prefix: u8) -> ipnet::IpNet {
    ipnet::IpNet::new(address, prefix).unwrap_or_else(|_| address.into()).trunc()
}

fn port(dice: &mut Dice, palette: &Palette) -> Value {
    if dice.one_in(4)
        && let Some((protocol, name)) = dice.pick(&palette.port_names)
    {
        return json!({"protocol": protocol.word(), "port": name});
    }
    let (protocol, number) = dice.pick(&palette.ports).copied().unwrap_or((Protocol::Tcp, 80));
    // The right number of the wrong protocol must open nothing.
    let protocol = if dice.one_in(5) {
        dice.pick(&Protocol::ALL).copied().unwrap_or(protocol)
    } else {
        protocol
    };
    let mut port = json!({});
    if protocol != Protocol::Tcp || dice.one_in(2) {
        port["protocol"] = json!(protocol.word());
    }
    match dice.below(6) {
        0 => {}
        1 | 2 => {
            let before = u16::try_from(dice.below(3)).unwrap_or_default();
            let after = u16::try_from(dice.below(3)).unwrap_or_default();
            port["port"] = json!(number.saturating_sub(before).max(1));
            port["endPort"] = json!(number.saturating_add(after));
        }
        3 => port["port"] = json!(number.saturating_add(1)),
        _ => port["port"] = json!(number),
    }
    port
}

fn selector(dice: &mut Dice, labels: &[(String, String)]) -> Value {
    let mut selector = json!({});
    if labels.is_empty() || dice.one_in(4) {
        return selector;
    }
    if dice.one_in(2)
        && let Some((key, value)) = dice.pick(labels)
    {
        selector["matchLabels"] = json!({key: value});
        return selector;
    }
    let count = 1 + dice.below(2);
    selector["matchExpressions"] = (0..count).map(|_| expression(dice, labels)).collect();
    selector
}

fn expression(dice: &mut Dice, labels: &[(String, String)]) -> Value {
    let (key, value) = dice.pick(labels).cloned().unwrap_or_default();
    let mut values = vec![value];
    if dice.one_in(2) {
        let others: Vec<&String> =
            labels.iter().filter(|(other, _)| *other == key).map(|(_, value)| value).collect();
        values.extend(dice.pick(&others).map(|value| (*value).clone()));
    }
    if dice.one_in(5) {
        values = vec!["elsewhere".to_string()];
    }
    match dice.below(4) {
        0 => json!({"key": key, "operator": "In", "values": values}),
        1 => json!({"key": key, "operator": "NotIn", "values": values}),
        2 => json!({"key": key, "operator": "Exists"}),
        _ => json!({"key": key, "operator": "DoesNotExist"}),
    }
}
