//! One of the two revisions.

use partywall_core::Layout;
use partywall_core::event::{Defect, NotJudged};

use crate::cluster::OfflineCluster;

/// A revision of a layout, rendered and standing.
pub struct End<'a> {
    /// Its files.
    pub layout: &'a Layout,
    /// What stands of it.
    pub cluster: &'a OfflineCluster<'a>,
    /// Defects that were found while it was rendered, and those of its wiring.
    pub defects: Vec<Defect>,
    /// What of its files could not be read, or is a draft.
    pub not_judged: Vec<NotJudged>,
}

/// Two of the same: before the change and after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Both<Thing> {
    pub(super) base: Thing,
    pub(super) head: Thing,
}

impl<Thing> Both<Thing> {
    /// Each with its counterpart of the other pair.
    pub(super) fn zip<Other>(self, other: Both<Other>) -> Both<(Thing, Other)> {
        Both { base: (self.base, other.base), head: (self.head, other.head) }
    }

    /// Something of each.
    pub(super) fn map<Other>(self, mut of: impl FnMut(Thing) -> Other) -> Both<Other> {
        Both { base: of(self.base), head: of(self.head) }
    }

    /// The two by reference.
    pub(super) const fn as_ref(&self) -> Both<&Thing> {
        Both { base: &self.base, head: &self.head }
    }
}
