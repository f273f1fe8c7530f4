//! Every connection that is let through, as groups of pods: never pair by pair.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::class::{Class, Classes};
use super::join::Join;
use super::pieces::{Passage, Reader};
use super::policies::Policies;
use super::policy::Direction;
use super::ports::PortSet;

/// Every connection between pods that is let through or may be. No pair of pods is in two
/// groups, and no pod is listed with itself.
#[derive(Clone, Debug)]
pub struct Matrix {
    connections: Vec<Connection>,
}

/// Every pod of one set may open these ports of every pod of another, save a pod its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Who calls.
    pub from: PodSet,
    /// Who is called.
    pub to: PodSet,
    /// The ports that pass.
    pub ports: PortSet,
    /// Ports of which it cannot be said; [`Policies::decide`] says why.
    pub unsure: PortSet,
}

impl Connection {
    /// How many pairs of two pods this is.
    pub fn pair_count(&self) -> u64 {
        let same = self.from.pods.intersection_len(&self.to.pods);
        self.from.pods.len() * self.to.pods.len() - same
    }

    /// The pairs, by the pods' places among the caller's pods.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let pairs = self.from.iter().flat_map(|from| self.to.iter().map(move |to| (from, to)));
        pairs.filter(|(from, to)| from != to)
    }
}

/// A set of pods.
#[derive(Clone, Debug)]
pub struct PodSet {
    pods: Arc<RoaringBitmap>,
    order: Arc<[u32]>,
}

impl PodSet {
    /// Their places among the caller's pods, sorted by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.pods.iter().map(|number| self.order[number as usize] as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.pods.len()).unwrap_or(usize::MAX)
    }

    /// Whether there are none; no connection has such a set.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }
}

impl PartialEq for PodSet {
    fn eq(&self, other: &Self) -> bool {
        self.pods == other.pods && self.order == other.order
    }
}

impl Matrix {
    pub(super) fn new(policies: &Policies) -> Self {
        Self::between(policies, &policies.egress, &policies.ingress)
    }

    /// What one end lets through, with nothing in the way at the other.
    pub(super) fn alone(policies: &Policies, direction: Direction) -> Self {
        match direction {
            Direction::Egress => {
                let open = policies.open(Direction::Ingress);
                Self::between(policies, &policies.egress, &open)
            }
            Direction::Ingress => {
                let open = policies.open(Direction::Egress);
                Self::between(policies, &open, &policies.ingress)
            }
        }
    }

    fn between(policies: &Policies, calling: &Classes, called: &Classes) -> Self {
        let mut reader = Reader::new(policies);
        let ingress: Vec<Passage> =
            called.classes.iter().map(|class| reader.passage(class, Direction::Ingress)).collect();
        let mut join = Join::new(&ingress, &reader.peers, calling);
        let mut connections = Vec::new();
        for (number, caller) in calling.classes.iter().enumerate() {
            if caller.pods.is_empty() {
                continue;
            }
            let passage = reader.passage(caller, Direction::Egress);
            for class in join.candidates(number, &passage, &reader.peers, called) {
                let target = (&called.classes[class as usize], &ingress[class as usize]);
                meet((caller, &passage), target, &policies.world.order, &mut connections);
            }
        }
        connections.sort_by_key(|one| (one.from.pods.min(), one.to.pods.min()));
        Self { connections }
    }

    /// The groups, sorted by their first pods.
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// How many pairs of pods may connect on some port, for certain.
    pub fn pair_count(&self) -> u64 {
        let certain = self.connections.iter().filter(|one| !one.ports.is_empty());
        certain.map(Connection::pair_count).sum()
    }

    /// The same, on ports that the target's containers declare: `8000/TCP` rather than all.
    /// `policies` must be those of this matrix.
    pub fn declared<'a>(&'a self, policies: &'a Policies) -> impl Iterator<Item = Connection> + 'a {
        let world = &policies.world;
        let declared: Vec<PortSet> = world.ports.iter().map(|class| class.declared()).collect();
        self.connections.iter().flat_map(move |connection| {
            let mut parts = Vec::new();
            let pods = connection.to.pods.iter();
            let places: BTreeSet<u32> = if connection.to.len() < declared.len() {
                pods.map(|pod| world.port_class[pod as usize]).collect()
            } else {
                (0_u32..).take(declared.len()).collect()
            };
            for place in places {
                let place = place as usize;
                let ports = connection.ports.intersection(&declared[place]);
                let unsure = connection.unsure.intersection(&declared[place]);
                if ports.is_empty() && unsure.is_empty() {
                    continue;
                }
                if let Some(pods) = common(&connection.to.pods, &world.ports[place].pods) {
                    let to = PodSet { pods, order: Arc::clone(&world.order) };
                    let from = connection.from.clone();
                    parts.push(Connection { from, to, ports, unsure });
                }
            }
            parts.into_iter().filter(|part| part.pair_count() > 0)
        })
    }
}

/// What one class may open of another: what the one lets out and the other lets in.
fn meet(
    (caller, egress): (&Class, &Passage),
    (called, ingress): (&Class, &Passage),
    order: &Arc<[u32]>,
    connections: &mut Vec<Connection>,
) {
    let ends = |passage: &Passage, class: &Class| -> Vec<(usize, Arc<RoaringBitmap>)> {
        let pieces = passage.pieces.iter().enumerate();
        pieces
            .filter_map(|(place, piece)| Some((place, common(&class.pods, &piece.pods)?)))
            .collect()
    };
    let sources = ends(ingress, caller);
    if sources.is_empty() {
        return;
    }
    for (out, target) in ends(egress, called) {
        let out = &egress.pieces[out];
        for (within, source) in &sources {
            let within = &ingress.pieces[*within];
            let ports = out.certain.intersection(&within.certain);
            let unsure = out.possible.intersection(&within.possible).difference(&ports);
            if ports.is_empty() && unsure.is_empty() {
                continue;
            }
            let set = |pods: &Arc<RoaringBitmap>| PodSet {
                pods: Arc::clone(pods),
                order: Arc::clone(order),
            };
            let connection = Connection { from: set(source), to: set(&target), ports, unsure };
            if connection.pair_count() > 0 {
                connections.push(connection);
            }
        }
    }
}

/// What is in both; the class's own set, not a copy, where that is all of it.
fn common(class: &Arc<RoaringBitmap>, pods: &RoaringBitmap) -> Option<Arc<RoaringBitmap>> {
    let count = class.intersection_len(pods);
    if count == 0 {
        None
    } else if count == class.len() {
        Some(Arc::clone(class))
    } else {
        Some(Arc::new(class.as_ref() & pods))
    }
}
