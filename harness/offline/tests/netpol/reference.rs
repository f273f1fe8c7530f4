//! The slow and obvious evaluator, written from the API's text: it goes over the JSON again for
//! every question, and shares no code with the one under test.

use std::collections::BTreeSet;
use std::net::IpAddr;

use partywall_offline::netpol::{Address, NamespaceFacts, PodFacts, Protocol};
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Yes,
    No,
    Maybe,
}

#[derive(Clone, Copy)]
pub enum End<'a> {
    Pod(&'a PodFacts),
    Node(&'a Address),
    Outside(&'a Address),
}

pub struct Reference<'a> {
    pub namespaces: &'a [NamespaceFacts],
    pub policies: &'a [Value],
}

impl Reference<'_> {
    /// "For a connection from a source pod to a destination pod to be allowed, both the egress
    /// policy on the source pod and the ingress policy on the destination pod need to allow it."
    pub fn allows(&self, from: End<'_>, to: End<'_>, protocol: Protocol, port: u16) -> Truth {
        if let (End::Pod(from), End::Pod(to)) = (from, to)
            && (&from.namespace, &from.name) == (&to.namespace, &to.name)
        {
            return Truth::Maybe;
        }
        let out = self.side("egress", from, to, to, (protocol, port));
        let within = self.side("ingress", to, from, to, (protocol, port));
        match (out, within) {
            (Truth::No, _) | (_, Truth::No) => Truth::No,
            (Truth::Yes, Truth::Yes) => Truth::Yes,
            _ => Truth::Maybe,
        }
    }

    /// "By default, a pod is non-isolated ... A pod is isolated if there is any NetworkPolicy
    /// that both selects the pod and has the direction in its policyTypes ... The effects of
    /// those lists combine additively."
    fn side(
        &self,
        direction: &str,
        subject: End<'_>,
        other: End<'_>,
        target: End<'_>,
        port: (Protocol, u16),
    ) -> Truth {
        let End::Pod(pod) = subject else { return Truth::Yes };
        if pod.host_network {
            return Truth::Yes;
        }
        let mut isolated = false;
        let mut truths = vec![];
        for policy in self.policies {
            let spec = &policy["spec"];
            let is_here = policy["metadata"]["namespace"] == pod.namespace.as_str();
            if !is_here || !selects(&spec["podSelector"], &pairs(pod)) || !is_about(spec, direction)
            {
                continue;
            }
            isolated = true;
            for rule in list(&spec[direction]) {
                let peers = &rule[if direction == "egress" { "to" } else { "from" }];
                if !ports_match(&rule["ports"], target, port) {
                    continue;
                }
                if list(peers).is_empty() {
                    truths.push(Truth::Yes);
                }
                truths
                    .extend(list(peers).iter().map(|peer| self.peer(peer, &pod.namespace, other)));
            }
        }
        if !isolated || truths.contains(&Truth::Yes) {
            return Truth::Yes;
        }
        let from_node = match other {
            End::Pod(pod) => pod.host_network,
            End::Node(_) => true,
            End::Outside(_) => false,
        };
        if truths.contains(&Truth::Maybe) || direction == "ingress" && from_node {
            return Truth::Maybe;
        }
        Truth::No
    }

    fn peer(&self, peer: &Value, home: &str, other: End<'_>) -> Truth {
        let address = match other {
            End::Pod(pod) => &pod.address,
            End::Node(address) | End::Outside(address) => address,
        };
        if let Some(block) = peer.get("ipBlock") {
            return in_block(block, address);
        }
        let End::Pod(pod) = other else { return Truth::No };
        let namespace_matches = match peer.get("namespaceSelector") {
            None => pod.namespace == home,
            Some(selector) => {
                let mut labels = vec![];
                for namespace in self.namespaces.iter().filter(|one| one.name == pod.namespace) {
                    let own =
                        namespace.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
                    labels.extend(own.filter(|(key, _)| key != "kubernetes.io/metadata.name"));
                }
                labels.push(("kubernetes.io/metadata.name".to_string(), pod.namespace.clone()));
                selects(selector, &labels)
            }
        };
        let pod_matches =
            peer.get("podSelector").is_none_or(|selector| selects(selector, &pairs(pod)));
        match (namespace_matches && pod_matches, pod.host_network) {
            (false, _) => Truth::No,
            (true, true) => Truth::Maybe,
            (true, false) => Truth::Yes,
        }
    }
}

/// "If no policyTypes are specified on a NetworkPolicy then by default Ingress will always be set
/// and Egress will be set if the NetworkPolicy has any egress rules."
fn is_about(spec: &Value, direction: &str) -> bool {
    let types = list(&spec["policyTypes"]);
    if types.is_empty() {
        return direction == "ingress" || !list(&spec["egress"]).is_empty();
    }
    types.iter().any(|word| word.as_str().is_some_and(|word| word.eq_ignore_ascii_case(direction)))
}

fn ports_match(ports: &Value, target: End<'_>, (protocol, number): (Protocol, u16)) -> bool {
    let ports = list(ports);
    if ports.is_empty() {
        return true;
    }
    for port in ports {
        let word = port["protocol"].as_str().unwrap_or("TCP");
        if word != protocol.to_string() {
            continue;
        }
        if port.get("port").is_none() {
            return true;
        }
        if let Some(first) = port["port"].as_u64() {
            let last = port["endPort"].as_u64().unwrap_or(first);
            if u64::from(number) >= first && u64::from(number) <= last {
                return true;
            }
        }
        if let (Some(name), End::Pod(pod)) = (port["port"].as_str(), target) {
            for declared in &pod.ports {
                if declared.name.as_deref() == Some(name)
                    && declared.protocol == protocol
                    && declared.number == number
                {
                    return true;
                }
            }
        }
    }
    false
}

fn selects(selector: &Value, labels: &[(String, String)]) -> bool {
    let value_of = |key: &str| labels.iter().find(|(one, _)| one == key).map(|(_, value)| value);
    if let Some(wanted) = selector["matchLabels"].as_object() {
        for (key, value) in wanted {
            if value_of(key).map(String::as_str) != value.as_str() {
                return false;
            }
        }
    }
    for expression in list(&selector["matchExpressions"]) {
        let value = value_of(expression["key"].as_str().unwrap());
        let listed =
            list(&expression["values"]).iter().any(|one| one.as_str() == value.map(String::as_str));
        let holds = match expression["operator"].as_str().unwrap() {
            "In" => value.is_some() && listed,
            "NotIn" => value.is_none() || !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            other => panic!("{other}"),
        };
        if !holds {
            return false;
        }
    }
    true
}

fn in_block(block: &Value, address: &Address) -> Truth {
    let answers: BTreeSet<bool> = match address {
        Address::Known(addresses) => addresses.iter().map(|one| block_has(block, *one)).collect(),
        Address::Private => {
            private_samples(block).iter().map(|one| block_has(block, *one)).collect()
        }
    };
    match (answers.contains(&true), answers.contains(&false)) {
        (true, false) => Truth::Yes,
        (true, true) => Truth::Maybe,
        (false, _) => Truth::No,
    }
}

fn block_has(block: &Value, address: IpAddr) -> bool {
    let excepted =
        list(&block["except"]).iter().any(|part| within(part.as_str().unwrap(), address));
    within(block["cidr"].as_str().unwrap(), address) && !excepted
}

fn within(cidr: &str, address: IpAddr) -> bool {
    let (network, prefix) = split(cidr);
    let same = network.is_ipv4() == address.is_ipv4();
    same && bits(network).starts_with(&bits(address)[..prefix])
}

/// Whether a block has an address changes only where a network begins or ends: the private
/// addresses there stand for all of the block's family.
fn private_samples(block: &Value) -> Vec<IpAddr> {
    let is_four = split(block["cidr"].as_str().unwrap()).0.is_ipv4();
    let private: &[&str] = if is_four {
        &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
    } else {
        &["fc00::/7"]
    };
    let mut networks = private.to_vec();
    networks.push(block["cidr"].as_str().unwrap());
    networks.extend(list(&block["except"]).iter().map(|part| part.as_str().unwrap()));
    let mut samples = vec![];
    for network in networks {
        let (address, prefix) = split(network);
        let mut first = bits(address);
        let mut last = first.clone();
        first.replace_range(prefix.., &"0".repeat(first.len() - prefix));
        last.replace_range(prefix.., &"1".repeat(last.len() - prefix));
        let (first, last) = (number(&first), number(&last));
        let highest = if is_four { u128::from(u32::MAX) } else { u128::MAX };
        let after = if last < highest { last + 1 } else { last };
        samples.extend([first.saturating_sub(1), first, last, after]);
    }
    let address = |number: u128| -> IpAddr {
        if is_four {
            std::net::Ipv4Addr::from(u32::try_from(number).unwrap()).into()
        } else {
            std::net::Ipv6Addr::from(number).into()
        }
    };
    let samples = samples.into_iter().map(address);
    samples.filter(|one| private.iter().any(|range| within(range, *one))).collect()
}

fn split(cidr: &str) -> (IpAddr, usize) {
    let (address, prefix) = cidr.split_once('/').unwrap();
    (address.parse().unwrap(), prefix.parse().unwrap())
}

/// An address as a text of zeros and ones.
fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("{:0128b}", u128::from(address)),
    }
}

fn number(bits: &str) -> u128 {
    u128::from_str_radix(bits, 2).unwrap()
}

fn pairs(pod: &PodFacts) -> Vec<(String, String)> {
    pod.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
