//! The pods that a peer of a rule stands for, each found once for all policies that name it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;
use roaring::RoaringBitmap;

use super::address::{self, Address, AddressBlock};
use super::answer::Answer;
use super::policy::Peer;
use super::selector::Selector;
use super::world::World;

/// Pods that a peer stands for.
#[derive(Debug, Default)]
pub(super) struct PeerSet {
    /// Those it stands for in any cluster.
    pub(super) certain: RoaringBitmap,
    /// Those of which it cannot be said.
    pub(super) doubtful: RoaringBitmap,
}

impl PeerSet {
    /// Both.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.certain.iter().chain(&self.doubtful)
    }
}

/// What names a set: equal keys have equal sets.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Everyone,
    OnNodes,
    Local(&'a str, &'a Selector),
    Namespaces(&'a Selector, &'a Selector),
    Block(&'a AddressBlock),
}

/// All the sets that were asked for.
pub(super) struct PeerSets<'a> {
    world: &'a World,
    places: HashMap<Key<'a>, usize>,
    sets: Vec<Rc<PeerSet>>,
    namespaces: HashMap<&'a Selector, Rc<RoaringBitmap>>,
    addresses: Addresses,
}

impl<'a> PeerSets<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self {
            world,
            places: HashMap::new(),
            sets: Vec::new(),
            namespaces: HashMap::new(),
            addresses: Addresses::new(world),
        }
    }

    pub(super) fn get(&self, place: usize) -> &Rc<PeerSet> {
        &self.sets[place]
    }

    pub(super) const fn count(&self) -> usize {
        self.sets.len()
    }

    /// Whoever there is.
    pub(super) fn everyone(&mut self) -> usize {
        self.find(Key::Everyone, |sets| PeerSet {
            certain: sets.world.everyone.clone(),
            doubtful: RoaringBitmap::new(),
        })
    }

    /// Pods with their node's address: it is not said which pods run on that node.
    pub(super) fn on_nodes(&mut self) -> usize {
        self.find(Key::OnNodes, |sets| PeerSet {
            certain: RoaringBitmap::new(),
            doubtful: sets.world.on_host_network.clone(),
        })
    }

    /// The set of a peer in a policy of this namespace.
    pub(super) fn of(&mut self, peer: &'a Peer, namespace: &'a str) -> usize {
        match peer {
            Peer::Local { pods } => self.find(Key::Local(namespace, pods), |sets| {
                sets.selected(sets.world.local(namespace, pods))
            }),
            Peer::Namespaces { namespaces, pods } => {
                self.find(Key::Namespaces(namespaces, pods), |sets| {
                    let all = sets.of_namespaces(namespaces);
                    sets.selected(sets.world.among(all.as_ref().clone(), pods))
                })
            }
            Peer::Block(block) => self.find(Key::Block(block), |sets| sets.addresses.held(block)),
        }
    }

    fn find(&mut self, key: Key<'a>, make: impl FnOnce(&mut Self) -> PeerSet) -> usize {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let set = make(self);
        self.sets.push(Rc::new(set));
        self.places.insert(key, self.sets.len() - 1);
        self.sets.len() - 1
    }

    fn of_namespaces(&mut self, selector: &'a Selector) -> Rc<RoaringBitmap> {
        let world = self.world;
        let found = self.namespaces.entry(selector);
        Rc::clone(found.or_insert_with(|| Rc::new(world.of_namespaces(selector))))
    }

    fn selected(&self, pods: RoaringBitmap) -> PeerSet {
        let doubtful = &pods & &self.world.on_host_network;
        PeerSet { certain: pods - &doubtful, doubtful }
    }
}

/// Pods by address, so that a block is a range.
struct Addresses {
    sorted: Vec<(IpAddr, u32)>,
    /// How many addresses each pod has.
    counts: HashMap<u32, usize>,
    private: RoaringBitmap,
}

impl Addresses {
    fn new(world: &World) -> Self {
        let mut all =
            Self { sorted: Vec::new(), counts: HashMap::new(), private: RoaringBitmap::new() };
        for (number, pod) in (0_u32..).zip(&world.pods) {
            match &pod.address {
                Address::Known(addresses) => {
                    all.sorted.extend(addresses.iter().map(|address| (*address, number)));
                    all.counts.insert(number, addresses.len());
                }
                Address::Private => {
                    all.private.insert(number);
                }
            }
        }
        all.sorted.sort_unstable();
        all
    }

    fn held(&self, block: &AddressBlock) -> PeerSet {
        let mut held: HashMap<u32, usize> = HashMap::new();
        for (first, last) in block.kept() {
            // Every address of one family sorts before every address of the other.
            let order = |address: IpAddr, bound: u128| {
                let families = address.is_ipv6().cmp(&matches!(block.cidr, IpNet::V6(_)));
                families.then(address::number(address).cmp(&bound))
            };
            let start = self.sorted.partition_point(|(one, _)| order(*one, first).is_lt());
            let end = self.sorted.partition_point(|(one, _)| order(*one, last).is_le());
            for (_, pod) in &self.sorted[start..end] {
                *held.entry(*pod).or_default() += 1;
            }
        }
        let mut set = PeerSet::default();
        for (pod, count) in held {
            let all = self.counts.get(&pod) == Some(&count);
            if all {
                set.certain.insert(pod)
            } else {
                set.doubtful.insert(pod)
            };
        }
        match block.holds(&Address::Private) {
            Answer::Yes => set.certain |= &self.private,
            Answer::Unknown { .. } => set.doubtful |= &self.private,
            Answer::No => {}
        }
        set
    }
}
