//! Random namespaces, pods and policies.

use partywall_offline::netpol::{
    Address, ContainerPort, Labels, NamespaceFacts, PodFacts, Protocol, generate,
};
use proptest::prelude::*;
use serde_json::Value;

pub const NAMESPACES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
pub struct Setting {
    pub namespaces: Vec<NamespaceFacts>,
    pub pods: Vec<PodFacts>,
    pub policies: Vec<Value>,
}

pub fn setting() -> impl Strategy<Value = Setting> {
    let namespaces = prop::collection::vec(labels(), NAMESPACES.len());
    let pods = prop::collection::vec(pod(), 1..8);
    (namespaces, pods, any::<u64>(), 0..9_usize).prop_map(|(labels, mut pods, seed, count)| {
        let name =
            |(name, labels): (&&str, Labels)| NamespaceFacts { name: (*name).to_string(), labels };
        let namespaces: Vec<NamespaceFacts> = NAMESPACES.iter().zip(labels).map(name).collect();
        for (index, pod) in pods.iter_mut().enumerate() {
            pod.name = format!("pod-{index}");
        }
        let policies = generate(seed, &namespaces, &pods, count);
        Setting { namespaces, pods, policies }
    })
}

fn labels() -> impl Strategy<Value = Labels> {
    let key = prop::sample::select(vec!["app", "tier"]);
    let value = prop::sample::select(vec!["x", "y", "z"]);
    let pair = (key, value).prop_map(|(key, value)| (key.to_string(), value.to_string()));
    prop::collection::btree_map(key_of(pair.clone()), value_of(pair), 0..3)
}

fn key_of(pair: impl Strategy<Value = (String, String)>) -> impl Strategy<Value = String> {
    pair.prop_map(|(key, _)| key)
}

fn value_of(pair: impl Strategy<Value = (String, String)>) -> impl Strategy<Value = String> {
    pair.prop_map(|(_, value)| value)
}

fn pod() -> impl Strategy<Value = PodFacts> {
    let namespace = prop::sample::select(NAMESPACES.to_vec());
    let ports = prop::collection::vec(port(), 0..4);
    let on_host = prop::bool::weighted(0.12);
    (namespace, labels(), ports, on_host, address()).prop_map(
        |(namespace, labels, ports, host_network, address)| PodFacts {
            namespace: namespace.to_string(),
            name: String::new(),
            labels,
            ports,
            host_network,
            address,
        },
    )
}

/// One name has several numbers and protocols, in one pod even.
fn port() -> impl Strategy<Value = ContainerPort> {
    let name = prop::option::of(prop::sample::select(vec!["http", "dns", "s1"]));
    let number = prop::sample::select(vec![53_u16, 80, 81, 90, 65535]);
    let protocol = prop::sample::select(Protocol::ALL.to_vec());
    (name, number, protocol).prop_map(|(name, number, protocol)| ContainerPort {
        name: name.map(str::to_string),
        number,
        protocol,
    })
}

pub fn address() -> impl Strategy<Value = Address> {
    let one = prop::sample::select(vec![
        "10.0.0.1",
        "10.0.0.2",
        "10.0.1.1",
        "172.16.0.1",
        "8.8.8.8",
        "255.255.255.255",
        "fd00::1",
        "fd00::2",
        "2001:db8::1",
        "::",
    ]);
    let known = prop::collection::vec(one.prop_map(|text| text.parse().unwrap()), 0..3);
    prop_oneof![3 => known.prop_map(Address::Known), 1 => Just(Address::Private)]
}
