//! Which classes may meet at all, so that not every class is tried with every other.
//!
//! A class that calls reaches the classes that its rules name; a class that is called is open
//! to the classes that its own rules name. Both are found by the sets of peers, which many
//! classes share, and only what is in both is looked at.

use roaring::{MultiOps, RoaringBitmap};

use super::class::Classes;
use super::peers::{PeerSet, PeerSets};
use super::pieces::Passage;

/// So few classes are tried faster than narrowed down.
const FEW: u64 = 64;

/// Who may meet whom.
pub(super) struct Join {
    /// For each set of peers: the classes of the called that it has pods of.
    reached: Vec<Option<RoaringBitmap>>,
    /// For each set of peers: the classes of the called that let it in.
    let_in_by: Vec<RoaringBitmap>,
    /// For each class of callers: the sets of peers it is in.
    within: Vec<RoaringBitmap>,
}

impl Join {
    /// From what the called let in.
    pub(super) fn new(ingress: &[Passage], peers: &PeerSets<'_>, callers: &Classes) -> Self {
        let mut let_in_by = vec![RoaringBitmap::new(); peers.count()];
        for (class, passage) in (0_u32..).zip(ingress) {
            for set in &passage.peers {
                let_in_by[*set].insert(class);
            }
        }
        let mut within = vec![RoaringBitmap::new(); callers.classes.len()];
        for (number, set) in (0_u32..).zip(0..peers.count()) {
            for class in &classes_of(peers.get(set), callers) {
                within[class as usize].insert(number);
            }
        }
        Self { reached: Vec::new(), let_in_by, within }
    }

    /// The classes of the called that a class of callers may meet.
    pub(super) fn candidates(
        &mut self,
        caller: usize,
        passage: &Passage,
        peers: &PeerSets<'_>,
        called: &Classes,
    ) -> RoaringBitmap {
        if self.reached.len() < peers.count() {
            self.reached.resize(peers.count(), None);
        }
        let mut reached = RoaringBitmap::new();
        for set in &passage.peers {
            let known = &mut self.reached[*set];
            reached |= &*known.get_or_insert_with(|| classes_of(peers.get(*set), called));
        }
        if reached.len() <= FEW {
            return reached;
        }
        let let_in = self.within[caller].iter().map(|set| &self.let_in_by[set as usize]).union();
        reached & let_in
    }
}

/// The classes that a set has pods of.
fn classes_of(set: &PeerSet, classes: &Classes) -> RoaringBitmap {
    let mut found = RoaringBitmap::new();
    let mut last = None;
    for pod in set.iter() {
        let class = classes.of[pod as usize];
        // Pods of one class are often neighbours.
        if last != Some(class) {
            found.insert(class);
            last = Some(class);
        }
    }
    found
}
