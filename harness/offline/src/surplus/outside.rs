//! Flows between tenants and addresses: no cell asks one that is outside of the cluster.

use std::collections::BTreeMap;

use super::ledger::{Ends, Ledger, Opening};
use super::parties::{Member, Parties};
use crate::cluster::{OfflineCluster, Place};
use crate::difference::rule_ports;
use crate::netpol::{
    Direction, Peer, PortMatch, PortRule, PortSet, Rule, RuleMatch, RulePlace, Side,
};
use partywall_core::port::Port;

/// Whoever has an address.
const ANYWHERE: &str = "any address";

/// The rules of tenants that name addresses, or nobody at all.
pub(super) fn add(cluster: &OfflineCluster<'_>, parties: &Parties<'_>, ledger: &mut Ledger) {
    for ((policy, direction), pods) in policies(cluster, parties) {
        let known = cluster.walls().policies().policy(policy);
        let rules = known.and_then(|policy| policy.rules(direction)).unwrap_or_default();
        for (index, rule) in rules.iter().enumerate() {
            let place = RulePlace { policy, direction, rule: index };
            let is_named = |port: &PortRule| matches!(port.ports, PortMatch::Named(_));
            // Only what a name means differs from pod to pod.
            let count = if rule.ports.iter().any(is_named) { pods.len() } else { 1 };
            for (ports, rule) in parts(rule) {
                for pod in pods.iter().take(count) {
                    let Some(Some(member)) = parties.members.get(*pod) else { continue };
                    let left = left(parties, *pod, &rule, direction);
                    add_rule(cluster, ledger, (member, &left), (place, &ports, &rule));
                }
            }
        }
    }
}

/// A rule for everybody is blamed port by port, as it is where pods come through it; one with
/// peers is blamed on the peer.
fn parts(rule: &Rule) -> Vec<(Vec<usize>, Rule)> {
    if !rule.peers.is_empty() || rule.ports.is_empty() {
        return vec![(Vec::new(), rule.clone())];
    }
    let ports = rule.ports.iter().enumerate();
    let part = |port: &PortRule| Rule { peers: Vec::new(), ports: vec![port.clone()] };
    ports.map(|(index, port)| (vec![index], part(port))).collect()
}

/// The policies over pods of tenants, each with the pods that it closes.
fn policies(
    cluster: &OfflineCluster<'_>,
    parties: &Parties<'_>,
) -> BTreeMap<(usize, Direction), Vec<usize>> {
    // Which policies select a pod does not depend on the other end.
    let nowhere = Place::Node(usize::MAX);
    let mut found: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (pod, member) in parties.members.iter().enumerate() {
        let Some(member) = member.as_ref().filter(|member| member.is_a_tenants()) else { continue };
        if member.host_network || cluster.walls().blind([&member.namespace, "-"]).is_some() {
            continue;
        }
        let own = Place::Pod(pod);
        let [egress, _] = cluster.walls().sides(own, nowhere, Port::tcp(1));
        let [_, ingress] = cluster.walls().sides(nowhere, own, Port::tcp(1));
        for (side, direction) in [(egress, Direction::Egress), (ingress, Direction::Ingress)] {
            let Side::Isolated(isolation) = side else { continue };
            for policy in isolation.policies {
                found.entry((policy, direction)).or_default().push(pod);
            }
        }
    }
    found
}

/// The ports of a rule that the contract does not allow. What comes in from outside of the cluster
/// is nothing that the contract speaks of: the walls are between tenants.
fn left(parties: &Parties<'_>, pod: usize, rule: &Rule, direction: Direction) -> PortSet {
    let owner = parties.members[pod].as_ref().map(|member| member.owner);
    match direction {
        Direction::Ingress => PortSet::none(),
        Direction::Egress => {
            let allowed = owner.map_or_else(PortSet::none, |one| parties.allowed_entities(one));
            rule_ports(rule, None).difference(&allowed)
        }
    }
}

fn add_rule(
    cluster: &OfflineCluster<'_>,
    ledger: &mut Ledger,
    (member, ports): (&Member, &PortSet),
    (place, ports_matched, rule): (RulePlace, &[usize], &Rule),
) {
    if ports.is_empty() {
        return;
    }
    let mut add = |peers: Vec<usize>, address: &str| {
        let rule = RuleMatch { place, peers, ports: ports_matched.to_vec() };
        let (own, address) = (member.name.clone(), address.to_string());
        let (from, to) = match place.direction {
            Direction::Egress => (own, address),
            Direction::Ingress => (address, own),
        };
        let ends = Ends { are_pods: false, from, to };
        ledger.add(Opening::rule(cluster.walls(), &rule), ends, ports);
    };
    // Whoever may come from anywhere may come from a pod, and is found there.
    if rule.peers.is_empty() && place.direction == Direction::Egress {
        add(Vec::new(), ANYWHERE);
    }
    for (index, peer) in rule.peers.iter().enumerate() {
        if let Peer::Block(block) = peer {
            add(vec![index], &block.to_string());
        }
    }
}
