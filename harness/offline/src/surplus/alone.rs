//! What one wall alone lets through: policies add up, so that the wall of one end hides a hole in
//! that of the other, until it is changed.

use super::ledger::{Ends, Ledger, Opening};
use super::parties::{Owner, Parties};
use super::pods::{Left, groups, not_too_often, seen};
use crate::cluster::OfflineCluster;
use crate::netpol::{Answer, Connection, Direction, Place, PortSet, Side};

const DIRECTIONS: [Direction; 2] = [Direction::Egress, Direction::Ingress];

/// What a wall that stands lets through without the contract, and the other wall stops.
pub(super) fn add(cluster: &OfflineCluster<'_>, parties: &Parties<'_>, ledger: &mut Ledger) {
    for direction in DIRECTIONS {
        let matrix = cluster.walls().policies().alone(direction);
        let found = matrix.connections().iter().flat_map(|connection| surplus(parties, connection));
        for (from, to, ports) in not_too_often(found) {
            add_pair(cluster, parties, ledger, (direction, from, to), &ports);
        }
    }
}

/// For each two groups of a connection two pods, with the ports that the contract does not list.
fn surplus(parties: &Parties<'_>, connection: &Connection) -> Vec<Left> {
    let found = groups(parties, connection).into_iter();
    let of_tenants = found.filter(|group| matches!(group.client, Owner::Tenant(_)));
    let left = of_tenants.filter_map(|group| {
        let allowed = parties.allowed(group.client, group.target);
        let left = connection.ports.difference(&allowed);
        (!left.is_empty()).then_some((group.from, group.to, left))
    });
    left.collect()
}

/// Each range of ports on the line that allows it. What passes both walls is said elsewhere, and
/// so is an end without a wall.
fn add_pair(
    cluster: &OfflineCluster<'_>,
    parties: &Parties<'_>,
    ledger: &mut Ledger,
    (direction, from, to): (Direction, usize, usize),
    ports: &PortSet,
) {
    let walls = cluster.walls();
    let Some((client, target)) = seen(cluster, parties, (from, to)) else { return };
    for range in ports.ranges() {
        let (from, to) = (Place::Pod(from), Place::Pod(to));
        let decision = walls.policies().decide(from, to, range.protocol, range.first);
        let side = match direction {
            Direction::Egress => decision.egress,
            Direction::Ingress => decision.ingress,
        };
        let Side::Isolated(isolation) = side else { continue };
        let Some(rule) = isolation.allowed_by.first() else { continue };
        let opening = Opening::hidden(walls, rule);
        // A line that lets something through both walls is narrowed for that.
        if decision.verdict == Answer::No && !ledger.knows(&opening) {
            let ends = Ends { are_pods: true, from: client.name.clone(), to: target.name.clone() };
            ledger.add(opening, ends, &PortSet::of([*range]));
        }
    }
}
