//! Flows that are opened and closed.

use std::collections::BTreeMap;

use partywall_core::contract::Contract;
use partywall_core::event::{Blame, NotJudged};
use partywall_core::port::Port;
use roaring::RoaringBitmap;

use super::because::{self, Scene};
use super::end::Both;
use super::inhabitants::{Inhabitant, Names};
use super::model::FlowChange;
use super::pairs::{Callers, Pairs};
use super::stance::{is_own, of_pair, promising};

/// Pairs of workloads that are listed. A change beyond this is named as a whole.
const PAIRS_MAX: usize = 20_000;

/// Flows that are opened and closed, and of which it cannot be said.
#[derive(Default)]
pub(super) struct Flows {
    pub(super) opened: Vec<FlowChange>,
    pub(super) closed: Vec<FlowChange>,
    pub(super) not_judged: Vec<NotJudged>,
}

/// Ports by client and target.
type Ports = BTreeMap<(u32, u32), Vec<Port>>;

/// What is compared, and with whom.
pub(super) struct Comparison<'a> {
    pub(super) names: &'a Names,
    pub(super) scenes: Both<Scene<'a>>,
    pub(super) contracts: Both<&'a Contract>,
}

impl Comparison<'_> {
    /// Flows between workloads.
    pub(super) fn pairs(&self, pairs: Both<&Pairs>) -> Flows {
        let mut flows = Flows::default();
        let (mut opened, mut closed) = (Ports::new(), Ports::new());
        let (mut doubtful, mut beyond) = (BTreeMap::<u32, u64>::new(), 0);
        let nobody = Callers::default();
        for key in
            pairs.base.keys().chain(pairs.head.keys().filter(|key| !pairs.base.contains_key(key)))
        {
            let base = pairs.base.get(key).unwrap_or(&nobody);
            let head = pairs.head.get(key).unwrap_or(&nobody);
            if base == head {
                continue;
            }
            beyond += self.collect(*key, &head.certain - &base.certain, &mut opened);
            beyond += self.collect(*key, &base.certain - &head.possible, &mut closed);
            let unsure = &head.possible - &head.certain;
            let was_sure = (&unsure - &base.possible) | (&unsure & &base.certain);
            if !was_sure.is_empty() {
                *doubtful.entry(key.0).or_default() += was_sure.len();
            }
        }
        flows
            .not_judged
            .extend(doubtful.into_iter().map(|(target, count)| self.doubt(target, count)));
        flows.not_judged.extend((beyond > 0).then(|| too_many(beyond)));
        for ((from, to), ports) in opened {
            self.opened(&mut flows.opened, (from, to), &ports);
        }
        for ((from, to), ports) in closed {
            self.closed(&mut flows.closed, (from, to), &ports);
        }
        flows
    }

    /// Put callers of a port under their names; says how many there was no room for.
    fn collect(&self, (to, port): (u32, Port), callers: RoaringBitmap, into: &mut Ports) -> u64 {
        let mut beyond = 0;
        for from in callers {
            let key = (from, to);
            if into.len() >= PAIRS_MAX && !into.contains_key(&key) {
                beyond += 1;
            } else if !self.is_blind(from, to) {
                into.entry(key).or_default().push(port);
            }
        }
        beyond
    }

    /// Whether a policy that nobody here evaluates may open or close it, before or after.
    fn is_blind(&self, from: u32, to: u32) -> bool {
        let ends = [self.names.namespace(from), self.names.namespace(to)];
        self.is_blind_between(ends)
    }

    pub(super) fn is_blind_between(&self, ends: [&str; 2]) -> bool {
        let Both { base, head } = self.scenes;
        base.walls().blind(ends).is_some() || head.walls().blind(ends).is_some()
    }

    fn doubt(&self, target: u32, count: u64) -> NotJudged {
        let known = self.scenes.head.get(target).and_then(|one| one.origin.clone());
        NotJudged {
            subject: format!("flows to {}", self.names.name(target)),
            reason: format!(
                "before the change it was known whether {count} of its callers reach it, and after \
                 it the files do not tell: `partywall explain` says why"
            ),
            location: known,
        }
    }

    fn opened(&self, flows: &mut Vec<FlowChange>, (from, to): (u32, u32), ports: &[Port]) {
        let Some(target) = self.scenes.head.get(to) else { return };
        let ends = (self.names.namespace(from), (self.names.namespace(to), target));
        let found = ports.iter().map(|port| {
            let stance = of_pair(self.contracts.head, ends.0, ends.1, *port);
            let because = because::opened(self.scenes, from, to, *port);
            (port.to_string(), stance.is_open(), because)
        });
        let start = flows.len();
        merged(flows, self.names.name(from), self.names.name(to), found);
        whole(&mut flows[start..], target);
    }

    fn closed(&self, flows: &mut Vec<FlowChange>, (from, to): (u32, u32), ports: &[Port]) {
        let Some(target) = self.scenes.base.get(to) else { return };
        let (client, place) = (self.names.namespace(from), self.names.namespace(to));
        let contract = promising(self.contracts, [client, place]);
        let head = self.scenes.head;
        // Nobody is promised to be there. Endpoints are, and everything of a tenant that is lost.
        let is_moot = std::ptr::eq(contract, self.contracts.head)
            && (head.get(from).is_none()
                || (head.get(to).is_none() && is_own(contract, client, place)));
        let found = ports.iter().map(|port| {
            let stance = of_pair(contract, client, (place, target), *port);
            let because = because::closed(self.scenes, from, to, *port);
            (port.to_string(), stance.is_promised() && !is_moot, because)
        });
        let start = flows.len();
        merged(flows, self.names.name(from), self.names.name(to), found);
        whole(&mut flows[start..], target);
    }
}

/// Ports of one flow, apart where they differ in the contract or in the reason. Of several lines
/// with one reason the first is named.
pub(super) fn merged(
    flows: &mut Vec<FlowChange>,
    from: &str,
    to: &str,
    ports: impl Iterator<Item = (String, bool, Option<Blame>)>,
) {
    let start = flows.len();
    for (port, contracted, because) in ports {
        let reason = |blame: &Option<Blame>| blame.as_ref().map(|blame| blame.because.clone());
        let same = |flow: &&mut FlowChange| {
            flow.contracted == contracted && reason(&flow.because) == reason(&because)
        };
        match flows[start..].iter_mut().find(same) {
            Some(flow) => flow.ports.push(port),
            None => flows.push(FlowChange {
                from: from.to_string(),
                to: to.to_string(),
                ports: vec![port],
                contracted,
                because,
            }),
        }
    }
}

/// A flow on all that is asked of a target, a decoy among it, is one on every port.
fn whole(flows: &mut [FlowChange], target: &Inhabitant) {
    if let [only] = flows
        && target.has_decoy
        && only.ports.len() == target.listening.len()
    {
        only.ports.clear();
    }
}

fn too_many(beyond: u64) -> NotJudged {
    NotJudged {
        subject: "flows".to_string(),
        reason: format!(
            "{beyond} more are opened or closed than the {PAIRS_MAX} of each kind that are listed: \
             judge the revision itself (`partywall check --rev`)"
        ),
        location: None,
    }
}

#[cfg(test)]
#[path = "flows_tests.rs"]
mod tests;
