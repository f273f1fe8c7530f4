//! Who may call whom: for each port of a workload the set of its callers.

use std::collections::{BTreeMap, HashMap, HashSet};

use partywall_core::port::{Port, Transport};
use roaring::RoaringBitmap;

use super::inhabitants::Inhabitants;
use crate::cluster::OfflineCluster;
use crate::netpol::{Connection, Protocol};

/// Callers of one port, by their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Callers {
    /// Those that are let through.
    pub(super) certain: RoaringBitmap,
    /// Those that are or may be.
    pub(super) possible: RoaringBitmap,
}

/// The callers of every port of every workload.
pub(super) type Pairs = BTreeMap<(u32, Port), Callers>;

/// Everything that policies let through to a port that answers.
pub(super) fn pairs(cluster: &OfflineCluster<'_>, inhabitants: &Inhabitants) -> Pairs {
    let mut found = Pairs::new();
    for connection in cluster.walls().policies().matrix().connections() {
        add(connection, inhabitants, &mut found);
    }
    found
}

fn add(connection: &Connection, inhabitants: &Inhabitants, found: &mut Pairs) {
    let number = |pod: usize| inhabitants.of_pod.get(pod).copied().flatten();
    let pods: HashSet<usize> = connection.from.iter().collect();
    let callers: RoaringBitmap = pods.iter().filter_map(|pod| number(*pod)).collect();
    let is_replica = |pod: &usize| !inhabitants.twins.contains(pod);
    let mut replicas: HashMap<u32, usize> = HashMap::new();
    for caller in pods.iter().filter(|pod| is_replica(pod)).filter_map(|pod| number(*pod)) {
        *replicas.entry(caller).or_default() += 1;
    }
    for pod in connection.to.iter() {
        let Some(target) = number(pod) else { continue };
        let Some(inhabitant) = inhabitants.get(target) else { continue };
        // A pod is no caller of itself or of its twin; another replica of its workload is.
        let count = replicas.get(&target).copied().unwrap_or_default();
        let is_caller = is_replica(&pod) && count > usize::from(pods.contains(&pod));
        for port in &inhabitant.listening {
            let protocol = protocol(port.transport);
            let is_certain = connection.ports.contains(protocol, port.number);
            if !is_certain && !connection.unsure.contains(protocol, port.number) {
                continue;
            }
            let known = found.entry((target, *port)).or_default();
            insert(&mut known.possible, &callers, (target, is_caller));
            if is_certain {
                insert(&mut known.certain, &callers, (target, is_caller));
            }
        }
    }
}

fn insert(known: &mut RoaringBitmap, callers: &RoaringBitmap, (own, is_caller): (u32, bool)) {
    let keeps_own = is_caller || known.contains(own);
    *known |= callers;
    if !keeps_own {
        known.remove(own);
    }
}

/// As policies name it.
pub(super) const fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
        Transport::Sctp => Protocol::Sctp,
    }
}
