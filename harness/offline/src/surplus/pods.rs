//! Flows between pods.

use std::collections::{BTreeMap, HashMap};

use super::ledger::{Ends, Ledger, Opening};
use super::parties::{Member, Owner, Parties, Target, is_asked};
use crate::cluster::OfflineCluster;
use crate::netpol::{Connection, Place, PortSet, Side};

/// A client and a target that both were named so often are not looked at again: where
/// everybody reaches everybody, pairs are as many as tenants times tenants.
const PAIRS_MAX: usize = 16;

/// A client, a target, and the ports between them that the contract does not list.
pub(super) type Left = (usize, usize, PortSet);

/// Two stand for a group, so that there is one beside the pod at the other end.
type Pair = [Option<usize>; 2];

/// What is left of the connections between pods without the contract.
pub(super) fn add(cluster: &OfflineCluster<'_>, parties: &Parties<'_>, ledger: &mut Ledger) {
    let matrix = cluster.walls().policies().matrix();
    let found = matrix.connections().iter().flat_map(|connection| surplus(parties, connection));
    for (from, to, ports) in not_too_often(found) {
        add_pair(cluster, parties, ledger, (from, to), &ports);
    }
}

/// Pairs of which one at least was not named too often.
pub(super) fn not_too_often(found: impl Iterator<Item = Left>) -> impl Iterator<Item = Left> {
    let mut named: HashMap<usize, usize> = HashMap::new();
    found.filter(move |(from, to, _)| {
        let count = |pod: &usize| named.get(pod).copied().unwrap_or_default();
        let is_new = count(from) < PAIRS_MAX || count(to) < PAIRS_MAX;
        if is_new {
            for pod in [from, to] {
                *named.entry(*pod).or_default() += 1;
            }
        }
        is_new
    })
}

/// The members at both ends, unless policies of other kinds blind one of their namespaces.
pub(super) fn seen<'a>(
    cluster: &OfflineCluster<'_>,
    parties: &'a Parties<'_>,
    (from, to): (usize, usize),
) -> Option<(&'a Member, &'a Member)> {
    let (client, target) = (parties.members[from].as_ref()?, parties.members[to].as_ref()?);
    let is_blind = cluster.walls().blind([&client.namespace, &target.namespace]).is_some();
    (!is_blind).then_some((client, target))
}

/// Two groups of a connection, and a pod of each.
pub(super) struct Group<'a> {
    pub(super) client: Owner,
    pub(super) target: &'a Target,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// For each two groups of a connection two pods that stand for them.
pub(super) fn groups<'a>(parties: &'a Parties<'_>, connection: &Connection) -> Vec<Group<'a>> {
    let mut clients: BTreeMap<Owner, Pair> = BTreeMap::new();
    let mut targets: BTreeMap<usize, Pair> = BTreeMap::new();
    if connection.ports.is_empty() {
        return Vec::new();
    }
    for pod in connection.from.iter() {
        if let Some(Some(member)) = parties.members.get(pod) {
            put(clients.entry(member.owner).or_default(), pod);
        }
    }
    for pod in connection.to.iter() {
        if let Some(Some(member)) = parties.members.get(pod) {
            put(targets.entry(member.target).or_default(), pod);
        }
    }
    let mut found = Vec::new();
    for (number, called) in &targets {
        let target = &parties.targets[*number];
        for (client, calling) in &clients {
            if let Some((from, to)) = apart(calling, called) {
                found.push(Group { client: *client, target, from, to });
            }
        }
    }
    found
}

/// The groups of a connection with the ports that are left, but for what cells say.
fn surplus(parties: &Parties<'_>, connection: &Connection) -> Vec<Left> {
    let is_tenants = |owner: Owner| matches!(owner, Owner::Tenant(_));
    let mut found = Vec::new();
    for Group { client, target, from, to } in groups(parties, connection) {
        // What the platform's pods reach in a tenant is nothing that the contract speaks of.
        if !is_tenants(client) && (client == Owner::Platform || !is_tenants(target.owner)) {
            continue;
        }
        let left = connection.ports.difference(&parties.allowed(client, target));
        let is_said =
            is_asked(client, target.owner) && !left.intersection(&target.asked).is_empty();
        if !left.is_empty() && !is_said {
            found.push((from, to, left));
        }
    }
    found
}

fn put(pair: &mut Pair, pod: usize) {
    if let Some(free) = pair.iter_mut().find(|place| place.is_none()) {
        *free = Some(pod);
    }
}

/// Two that are not the same: a pod is not its own neighbour.
fn apart(calling: &Pair, called: &Pair) -> Option<(usize, usize)> {
    let calling = calling.iter().flatten();
    let mut pairs = calling.flat_map(|from| called.iter().flatten().map(|to| (*from, *to)));
    pairs.find(|(from, to)| from != to)
}

/// Each range of ports on the line that allows it.
fn add_pair(
    cluster: &OfflineCluster<'_>,
    parties: &Parties<'_>,
    ledger: &mut Ledger,
    (from, to): (usize, usize),
    ports: &PortSet,
) {
    let walls = cluster.walls();
    let Some((client, target)) = seen(cluster, parties, (from, to)) else { return };
    for range in ports.ranges() {
        let (from, to) = (Place::Pod(from), Place::Pod(to));
        let decision = walls.policies().decide(from, to, range.protocol, range.first);
        let sides = [decision.egress, decision.ingress];
        let rule = sides.iter().find_map(|side| match side {
            Side::Isolated(isolation) => isolation.allowed_by.first(),
            Side::Open => None,
        });
        let opening = rule.map_or_else(
            || {
                let is_ours = matches!(client.owner, Owner::Tenant(_));
                let open = if is_ours { client } else { target };
                Opening::unprotected(cluster, &open.namespace, &open.workload)
            },
            |rule| Opening::rule(walls, rule),
        );
        let (from, to) = (client.name.clone(), target.name.clone());
        ledger.add(opening, Ends { are_pods: true, from, to }, &PortSet::of([*range]));
    }
}
