//! Flows to and from what has no pod: blocks of addresses, and the entities of the contract.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::contract::{Contract, Entity};
use partywall_core::event::Blame;
use partywall_core::port::Port;

use super::because::{Route, Scene, at, closed_route, gone_from, opened_route};
use super::end::Both;
use super::flows::{Comparison, Flows, merged};
use super::inhabitants::Inhabitant;
use super::model::FlowChange;
use super::pairs::protocol;
use super::stance::{Stance, from_nobody, promising, to_addresses, to_entity};
use crate::cluster::{Place, Walls};
use crate::netpol::{
    AddressBlock, Answer, Direction, Peer, PodFacts, PortMatch, PortSet, Rule, RuleMatch,
    RulePlace, Side,
};

/// Whoever has an address, as a rule without peers has it.
const ANYWHERE: &str = "0.0.0.0/0";

/// A block of addresses; none is whoever has one.
type Block = Option<AddressBlock>;

/// What a workload lets out to blocks, or in from them.
#[derive(Default)]
struct Exposure {
    blocks: BTreeMap<Block, Passage>,
    /// Whether a policy closes the direction at all.
    isolated_by: Option<usize>,
}

#[derive(Clone, Default)]
struct Passage {
    ports: PortSet,
    /// The first rule; none where no policy closes the direction.
    rule: Option<RuleMatch>,
}

impl Comparison<'_> {
    /// Flows to and from addresses, and to entities.
    pub(super) fn outside(&self, flows: &mut Flows) {
        let Both { base, head } = self.scenes.map(|scene| &scene.inhabitants.all);
        let numbers: BTreeSet<u32> = base.keys().chain(head.keys()).copied().collect();
        let entities = self.entities();
        for number in numbers {
            let namespace = self.names.namespace(number);
            if self.is_blind_between([namespace, "-"]) {
                continue;
            }
            for direction in [Direction::Egress, Direction::Ingress] {
                self.exposure(flows, number, direction);
            }
            for (name, ports) in &entities {
                self.entity(flows, number, name, ports);
            }
        }
    }

    fn exposure(&self, flows: &mut Flows, number: u32, direction: Direction) {
        let known = self.scenes.map(|scene| scene.get(number));
        let seen = self.scenes.zip(known).map(|(scene, one)| {
            one.map(|one| exposure(scene.walls(), one, direction)).unwrap_or_default()
        });
        let namespace = self.names.namespace(number);
        let (from, to) = (self.contracts, [namespace, namespace]);
        let stance = |contract: &Contract| match direction {
            Direction::Egress => to_addresses(contract, namespace),
            Direction::Ingress => from_nobody(contract, namespace),
        };
        for (block, passage) in &seen.head.blocks {
            let ports = passage.ports.difference(&covered(&seen.base, block));
            let because = self.opened_block(known.head, &seen, passage, direction);
            let flow = (stance(from.head).is_open(), because);
            self.add_block(&mut flows.opened, number, direction, (text(block), &ports), flow);
        }
        for (block, passage) in &seen.base.blocks {
            let ports = passage.ports.difference(&covered(&seen.head, block));
            let in_part = seen.head.blocks.keys().any(|other| overlaps(other, block));
            let name = if in_part { format!("{} (in part)", text(block)) } else { text(block) };
            let because = self.closed_block(known, &seen, passage, direction);
            let flow = (stance(promising(from, to)).is_promised(), because);
            self.add_block(&mut flows.closed, number, direction, (name, &ports), flow);
        }
    }

    /// What comes in is asked on the ports that answer; what goes out, on those of the rule.
    fn add_block(
        &self,
        flows: &mut Vec<FlowChange>,
        number: u32,
        direction: Direction,
        (block, ports): (String, &PortSet),
        (contracted, because): (bool, Option<Blame>),
    ) {
        let own = self.names.name(number).to_string();
        let is_every = *ports == PortSet::all();
        if direction == Direction::Egress || is_every {
            let (from, to) = match direction {
                Direction::Egress => (own, block),
                Direction::Ingress => (block, own),
            };
            let words = ports.ranges().iter().map(ToString::to_string);
            let words = if is_every { Vec::new() } else { words.collect() };
            if !ports.is_empty() {
                flows.push(FlowChange { from, to, ports: words, contracted, because });
            }
            return;
        }
        let Both { base, head } = self.scenes.map(|scene| scene.get(number));
        let listening = base.into_iter().chain(head).flat_map(|one| &one.listening);
        let listening: BTreeSet<&Port> = listening.collect();
        let open = listening
            .into_iter()
            .filter(|port| ports.contains(protocol(port.transport), port.number));
        let ports = open.map(|port| (port.to_string(), contracted, because.clone()));
        merged(flows, &block, &own, ports);
    }

    fn opened_block(
        &self,
        head: Option<&Inhabitant>,
        seen: &Both<Exposure>,
        passage: &Passage,
        direction: Direction,
    ) -> Option<Blame> {
        let walls = self.scenes.map(|scene| scene.walls());
        let word = direction.word();
        if let Some(rule) = &passage.rule {
            let (label, _) = walls.head.policy(rule.place.policy)?;
            let because = format!("this {word} rule of {label} lets it through");
            return Some(Blame { location: walls.head.line(rule)?, because });
        }
        let Some(policy) = seen.base.isolated_by else {
            return at(
                head?.origin.as_ref(),
                &format!("it is new, and no policy closes its {word}"),
            );
        };
        let (label, place) = walls.base.policy(policy)?;
        let because = format!(
            "{label}, which stood here before the change, closed it: no policy closes its {word} now"
        );
        at(Some(place), &because)
    }

    fn closed_block(
        &self,
        known: Both<Option<&Inhabitant>>,
        seen: &Both<Exposure>,
        passage: &Passage,
        direction: Direction,
    ) -> Option<Blame> {
        let walls = self.scenes.map(|scene| scene.walls());
        let word = direction.word();
        if known.head.is_none() {
            return gone_from(self.scenes, known.base?);
        }
        if let Some(rule) = &passage.rule {
            let (label, _) = walls.base.policy(rule.place.policy)?;
            let because = format!(
                "this {word} rule of {label}, as it stood before the change, let it through"
            );
            return Some(Blame { location: walls.base.line(rule)?, because });
        }
        let (label, place) = walls.head.policy(seen.head.isolated_by?)?;
        at(Some(place), &format!("{label} closes its {word}, and no policy did before the change"))
    }

    /// Names of entities, with the ports that either contract has for them.
    fn entities(&self) -> BTreeMap<String, (Entity, BTreeSet<Port>)> {
        let mut found: BTreeMap<String, (Entity, BTreeSet<Port>)> = BTreeMap::new();
        for contract in [self.contracts.base, self.contracts.head] {
            for (name, endpoint) in &contract.endpoints {
                if let Some(entity) = endpoint.entity {
                    let known = found.entry(name.clone()).or_insert((entity, BTreeSet::new()));
                    known.1.extend(&endpoint.ports);
                }
            }
        }
        found
    }

    fn entity(
        &self,
        flows: &mut Flows,
        number: u32,
        name: &str,
        (entity, ports): &(Entity, BTreeSet<Port>),
    ) {
        let routes = self.scenes.map(|scene| route(scene, number, *entity));
        let walls = self.scenes.map(|scene| scene.walls());
        let (own, namespace) = (self.names.name(number), self.names.namespace(number));
        let (mut opened, mut closed) = (Vec::new(), Vec::new());
        for port in ports {
            let passes = walls.zip(routes).map(|(walls, route)| {
                route.map(|route| walls.sides(route.from, route.to, *port)[0].answer())
            });
            let stance = |contract| to_entity(contract, namespace, name, *port);
            match (passes.base, passes.head, routes.base, routes.head) {
                (Some(Answer::Yes), Some(Answer::Yes), ..) => {}
                (_, Some(Answer::Yes), before, Some(after)) => {
                    let because = opened_route(walls, before, after, *port);
                    opened.push((port.to_string(), stance(self.contracts.head).is_open(), because));
                }
                (Some(Answer::Yes), Some(Answer::No), Some(before), Some(after)) => {
                    let because = closed_route(walls, before, after, *port);
                    let promised = stance(self.contracts.head).is_promised();
                    closed.push((port.to_string(), promised, because));
                }
                (Some(Answer::Yes), None, ..) => {
                    let gone = self.scenes.base.get(number);
                    let because = gone.and_then(|gone| gone_from(self.scenes, gone));
                    let contract = promising(self.contracts, [namespace, namespace]);
                    let promised = stance(contract) == Stance::Allowed
                        && std::ptr::eq(contract, self.contracts.base);
                    closed.push((port.to_string(), promised, because));
                }
                _ => {}
            }
        }
        merged(&mut flows.opened, own, name, opened.into_iter());
        merged(&mut flows.closed, own, name, closed.into_iter());
    }
}

/// The way from a workload to the first node that an entity is on.
fn route(scene: Scene<'_>, number: u32, entity: Entity) -> Option<Route> {
    let nodes = &scene.cluster.standing().nodes;
    let node = nodes.iter().position(|node| entity == Entity::Node || node.control_plane)?;
    Some(Route { from: scene.get(number)?.place(), to: Place::Node(node) })
}

/// What the policies of a workload say of addresses.
fn exposure(walls: &Walls, one: &Inhabitant, direction: Direction) -> Exposure {
    // Which policies select it does not depend on the other end.
    let nowhere = Place::Node(usize::MAX);
    let port = Port::tcp(1);
    let sides = match direction {
        Direction::Egress => walls.sides(one.place(), nowhere, port),
        Direction::Ingress => walls.sides(nowhere, one.place(), port),
    };
    let side = if direction == Direction::Egress { &sides[0] } else { &sides[1] };
    let mut found = Exposure::default();
    let Side::Isolated(isolation) = side else {
        let passage = Passage { ports: PortSet::all(), rule: None };
        found.blocks.insert(None, passage);
        return found;
    };
    found.isolated_by = isolation.policies.first().copied();
    for policy in &isolation.policies {
        let rules = walls.policies().policy(*policy).map(|known| match direction {
            Direction::Egress => known.egress.as_deref(),
            Direction::Ingress => known.ingress.as_deref(),
        });
        for (index, rule) in rules.flatten().into_iter().flatten().enumerate() {
            let place = RulePlace { policy: *policy, direction, rule: index };
            found.add(rule, place, walls.policies().pod(one.pod));
        }
    }
    found
}

impl Exposure {
    fn add(&mut self, rule: &Rule, place: RulePlace, own: Option<&PodFacts>) {
        let ports = ports(rule, own.filter(|_| place.direction == Direction::Ingress));
        if rule.peers.is_empty() {
            self.insert(None, &ports, RuleMatch { place, peers: Vec::new(), ports: Vec::new() });
        }
        for (index, peer) in rule.peers.iter().enumerate() {
            if let Peer::Block(block) = peer {
                let rule = RuleMatch { place, peers: vec![index], ports: Vec::new() };
                self.insert(Some(block.clone()), &ports, rule);
            }
        }
    }

    fn insert(&mut self, block: Block, ports: &PortSet, rule: RuleMatch) {
        let known = self.blocks.entry(block).or_default();
        known.ports = known.ports.union(ports);
        known.rule.get_or_insert(rule);
    }
}

/// A named port is one of the pod that is called, and means nothing at an address.
pub(crate) fn ports(rule: &Rule, called: Option<&PodFacts>) -> PortSet {
    if rule.ports.is_empty() {
        return PortSet::all();
    }
    let declared = || called.into_iter().flat_map(|pod| &pod.ports);
    rule.ports.iter().fold(PortSet::none(), |all, port| match &port.ports {
        PortMatch::Numbers(range) => all.union(&PortSet::of([*range])),
        PortMatch::Named(name) => declared()
            .filter(|one| one.name.as_ref() == Some(name) && one.protocol == port.protocol)
            .fold(all, |all, one| all.union(&PortSet::single(one.protocol, one.number))),
    })
}

/// The ports on which all of a block passes.
fn covered(exposure: &Exposure, block: &Block) -> PortSet {
    let around = exposure.blocks.iter().filter(|(other, _)| covers(other, block));
    around.fold(PortSet::none(), |all, (_, passage)| all.union(&passage.ports))
}

/// Whether one block certainly holds all of another.
fn covers(outer: &Block, inner: &Block) -> bool {
    let Some(outer) = outer else { return true };
    let Some(inner) = inner else { return outer.to_string() == ANYWHERE };
    let excepted = |hole: &ipnet::IpNet| {
        let is_apart = !hole.contains(&inner.cidr) && !inner.cidr.contains(hole);
        is_apart || inner.except.iter().any(|own| own.contains(hole))
    };
    outer.cidr.contains(&inner.cidr) && outer.except.iter().all(excepted)
}

fn overlaps(one: &Block, other: &Block) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    one.cidr.contains(&other.cidr) || other.cidr.contains(&one.cidr)
}

fn text(block: &Block) -> String {
    block.as_ref().map_or_else(|| ANYWHERE.to_string(), ToString::to_string)
}
