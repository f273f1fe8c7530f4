//! What one class lets through: pods that are apart, each set with its ports.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::class::Class;
use super::peers::{PeerSet, PeerSets};
use super::policies::Policies;
use super::policy::{Direction, PortMatch, Rule};
use super::ports::{PortSet, Protocol};

/// Pods at the other end that are treated alike.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) pods: RoaringBitmap,
    /// Ports that pass.
    pub(super) certain: PortSet,
    /// Ports that pass or may.
    pub(super) possible: PortSet,
}

/// What a class lets through, and the sets of peers that it was put together from.
#[derive(Debug, Default)]
pub(super) struct Passage {
    pub(super) pieces: Vec<Piece>,
    pub(super) peers: Vec<usize>,
}

impl Passage {
    /// Keeps the pieces apart: what is already there in part is split.
    fn add(&mut self, pods: RoaringBitmap, certain: &PortSet, possible: &PortSet) {
        let mut left = pods;
        let mut split = Vec::new();
        for piece in &mut self.pieces {
            if left.is_empty() {
                break;
            }
            if piece.pods.is_disjoint(&left) {
                continue;
            }
            let common = &piece.pods & &left;
            left -= &common;
            let certain = piece.certain.union(certain);
            let possible = piece.possible.union(possible);
            if common == piece.pods {
                piece.certain = certain;
                piece.possible = possible;
            } else if certain != piece.certain || possible != piece.possible {
                piece.pods -= &common;
                split.push(Piece { pods: common, certain, possible });
            }
        }
        self.pieces.extend(split);
        if !left.is_empty() {
            let (certain, possible) = (certain.clone(), possible.clone());
            self.pieces.push(Piece { pods: left, certain, possible });
        }
    }

    fn add_set(&mut self, set: &PeerSet, ports: &PortSet) {
        if ports.is_empty() {
            return;
        }
        self.add(set.certain.clone(), ports, ports);
        if !set.doubtful.is_empty() {
            self.add(set.doubtful.clone(), &PortSet::none(), ports);
        }
    }
}

/// Reads the rules of classes.
pub(super) struct Reader<'a> {
    policies: &'a Policies,
    pub(super) peers: PeerSets<'a>,
    named: HashMap<(&'a str, Protocol), Vec<(u16, RoaringBitmap)>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(policies: &'a Policies) -> Self {
        Self { policies, peers: PeerSets::new(&policies.world), named: HashMap::new() }
    }

    /// What a class lets through in one direction.
    pub(super) fn passage(&mut self, class: &Class, direction: Direction) -> Passage {
        let mut passage = Passage::default();
        if class.policies.is_empty() {
            let everyone = self.peers.everyone();
            passage.peers.push(everyone);
            passage.add_set(self.peers.get(everyone), &PortSet::all());
            return passage;
        }
        for place in &class.policies {
            let Some(policy) = self.policies.policy(*place as usize) else { continue };
            for rule in policy.rules(direction).unwrap_or_default() {
                let set = self.union(rule, &policy.namespace, &mut passage);
                passage.add_set(&set, &self.numbers(rule, class, direction));
                if direction == Direction::Egress {
                    self.add_named(rule, &set, &mut passage);
                }
            }
        }
        if direction == Direction::Ingress && !self.policies.world.on_host_network.is_empty() {
            let on_nodes = self.peers.on_nodes();
            passage.peers.push(on_nodes);
            passage.add_set(self.peers.get(on_nodes), &PortSet::all());
        }
        passage
    }

    fn union(&mut self, rule: &'a Rule, namespace: &'a str, passage: &mut Passage) -> PeerSet {
        let mut union = PeerSet::default();
        let places: Vec<usize> = if rule.peers.is_empty() {
            vec![self.peers.everyone()]
        } else {
            rule.peers.iter().map(|peer| self.peers.of(peer, namespace)).collect()
        };
        for place in places {
            passage.peers.push(place);
            let set = self.peers.get(place);
            union.certain |= &set.certain;
            union.doubtful |= &set.doubtful;
        }
        union.doubtful -= &union.certain;
        union
    }

    /// The ports of a rule that are the same for every target. What is let in goes to the
    /// class itself, whose pods have one meaning of each name.
    fn numbers(&self, rule: &Rule, class: &Class, direction: Direction) -> PortSet {
        if rule.ports.is_empty() {
            return PortSet::all();
        }
        let mut ports = PortSet::none();
        for port in &rule.ports {
            match &port.ports {
                PortMatch::Numbers(range) => ports = ports.union(&PortSet::of([*range])),
                PortMatch::Named(name) if direction == Direction::Ingress => {
                    let own = class.ports.map(|place| &self.policies.world.ports[place as usize]);
                    for number in own.iter().flat_map(|own| own.named(name, port.protocol)) {
                        ports = ports.union(&PortSet::single(port.protocol, number));
                    }
                }
                PortMatch::Named(_) => {}
            }
        }
        ports
    }

    /// Each target has its own meaning of a name.
    fn add_named(&mut self, rule: &'a Rule, set: &PeerSet, passage: &mut Passage) {
        for port in &rule.ports {
            let PortMatch::Named(name) = &port.ports else { continue };
            let key = (name.as_str(), port.protocol);
            let policies = self.policies;
            let found = self.named.entry(key).or_insert_with(|| named(policies, key));
            for (number, pods) in found {
                let part =
                    PeerSet { certain: &set.certain & &*pods, doubtful: &set.doubtful & &*pods };
                passage.add_set(&part, &PortSet::single(port.protocol, *number));
            }
        }
    }
}

/// Who means which number by a name.
fn named(policies: &Policies, (name, protocol): (&str, Protocol)) -> Vec<(u16, RoaringBitmap)> {
    let mut numbers: HashMap<u16, RoaringBitmap> = HashMap::new();
    for class in &policies.world.ports {
        for number in class.named(name, protocol) {
            *numbers.entry(number).or_default() |= &class.pods;
        }
    }
    let mut numbers: Vec<(u16, RoaringBitmap)> = numbers.into_iter().collect();
    numbers.sort_unstable_by_key(|(number, _)| *number);
    numbers
}
