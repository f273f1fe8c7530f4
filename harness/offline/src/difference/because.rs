//! The line that opens or closes a flow.
//!
//! Texts name no port and no line, so that a report can put the same mistake of many tenants
//! into one line.

use partywall_core::event::Blame;
use partywall_core::port::Port;
use partywall_core::source::SourceLocation;

use super::end::Both;
use super::inhabitants::{Inhabitant, Inhabitants};
use crate::cluster::{OfflineCluster, Place, Walls};
use crate::netpol::{Answer, Isolation, Side};

/// One revision, as far as lines are looked for in it.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a OfflineCluster<'a>,
    pub(super) inhabitants: &'a Inhabitants,
}

impl<'a> Scene<'a> {
    pub(super) fn walls(&self) -> &'a Walls {
        self.cluster.walls()
    }

    pub(super) fn get(&self, number: u32) -> Option<&'a Inhabitant> {
        self.inhabitants.get(number)
    }
}

/// A connection in one revision.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) from: Place,
    pub(super) to: Place,
}

/// The two sides of a connection, in their order.
const SIDES: [(&str, &str); 2] =
    [("egress", "the egress of the client"), ("ingress", "the ingress of the target")];

/// Why a flow between two workloads is opened.
pub(super) fn opened(scenes: Both<Scene<'_>>, from: u32, to: u32, port: Port) -> Option<Blame> {
    let (client, target) = (scenes.head.get(from)?, scenes.head.get(to)?);
    let before = scenes.base.get(from).zip(scenes.base.get(to));
    if let Some((_, earlier)) = before
        && !earlier.listening.contains(&port)
    {
        let because = "it answers on this port now, and the policies let it through";
        return at(target.origin.as_ref(), because);
    }
    let route = |(client, target): (&Inhabitant, &Inhabitant)| Route {
        from: client.place(),
        to: target.place(),
    };
    let (before, after) = (before.map(route), route((client, target)));
    let walls = scenes.map(|scene| scene.walls());
    opened_route(walls, before, after, port).or_else(|| {
        let is_new = |number| scenes.base.get(number).is_none();
        let new = [(from, client), (to, target)].into_iter().find(|(number, _)| is_new(*number))?;
        at(new.1.origin.as_ref(), "it is new, and no policy closes it")
    })
}

/// Why a connection passes now: a rule of the side that was closed, or the policy that closed it.
pub(super) fn opened_route(
    walls: Both<&Walls>,
    before: Option<Route>,
    after: Route,
    port: Port,
) -> Option<Blame> {
    let now = walls.head.sides(after.from, after.to, port);
    let then = before.map(|route| walls.base.sides(route.from, route.to, port));
    let was_closed = |side: usize| then.as_ref().is_some_and(|then| is_closed(&then[side]));
    let mut order = [0, 1];
    order.sort_by_key(|side| !was_closed(*side));
    order.into_iter().find_map(|side| match (&now[side], then.as_ref().map(|then| &then[side])) {
        (Side::Isolated(isolation), _) => {
            let rule = isolation.allowed_by.first()?;
            let (label, _) = walls.head.policy(rule.place.policy)?;
            let because = format!("this {} rule of {label} lets it through", SIDES[side].0);
            Some(Blame { location: walls.head.line(rule)?, because })
        }
        (Side::Open, Some(Side::Isolated(isolation))) => {
            let (label, place) = walls.base.policy(*isolation.policies.first()?)?;
            let because = format!(
                "{label}, which stood here before the change, closed it: no policy closes {} now",
                SIDES[side].1
            );
            Some(Blame { location: place.clone(), because })
        }
        _ => None,
    })
}

fn is_closed(side: &Side) -> bool {
    side.answer() == Answer::No
}

/// Why a flow between two workloads is closed.
pub(super) fn closed(scenes: Both<Scene<'_>>, from: u32, to: u32, port: Port) -> Option<Blame> {
    let (client, target) = (scenes.base.get(from)?, scenes.base.get(to)?);
    let (Some(client_now), Some(target_now)) = (scenes.head.get(from), scenes.head.get(to)) else {
        let gone = if scenes.head.get(from).is_none() { client } else { target };
        return gone_from(scenes, gone);
    };
    if !target_now.listening.contains(&port) {
        return at(target_now.origin.as_ref(), "nothing in it answers on this port any more");
    }
    let before = Route { from: client.place(), to: target.place() };
    let after = Route { from: client_now.place(), to: target_now.place() };
    closed_route(scenes.map(|scene| scene.walls()), before, after, port)
}

/// Why a connection does not pass any more: where its rule is missing, or was.
pub(super) fn closed_route(
    walls: Both<&Walls>,
    before: Route,
    after: Route,
    port: Port,
) -> Option<Blame> {
    let then = walls.base.sides(before.from, before.to, port);
    let now = walls.head.sides(after.from, after.to, port);
    let side = [0, 1].into_iter().find(|side| is_closed(&now[*side]))?;
    let Side::Isolated(closed) = &now[side] else { return None };
    match &then[side] {
        Side::Isolated(isolation) => rule_gone(walls, side, isolation, closed),
        Side::Open => {
            let (label, place) = walls.head.policy(*closed.policies.first()?)?;
            let because =
                format!("{label} closes {}, and no policy did before the change", SIDES[side].1);
            Some(Blame { location: place.clone(), because })
        }
    }
}

/// A rule let it through, and none does now.
fn rule_gone(
    walls: Both<&Walls>,
    side: usize,
    before: &Isolation,
    closed: &Isolation,
) -> Option<Blame> {
    let word = SIDES[side].0;
    let rule = before.allowed_by.first()?;
    let (label, _) = walls.base.policy(rule.place.policy)?;
    let same = |index: &usize| walls.head.policy(*index).is_some_and(|(one, _)| one == label);
    if let Some(near) = closed.other_ports.iter().find(|one| same(&one.place.policy)) {
        let because =
            format!("this {word} rule of {label} is for the target, and not for the port");
        return Some(Blame { location: walls.head.line(near)?, because });
    }
    if let Some(index) = closed.policies.iter().find(|index| same(index)) {
        let because = format!("no {word} rule of {label} lets it through any more");
        return Some(Blame { location: walls.head.rules(*index, word)?, because });
    }
    let because = format!(
        "this {word} rule of {label}, as it stood before the change, let it through: the policy is \
         gone or no longer for it"
    );
    Some(Blame { location: walls.base.line(rule)?, because })
}

/// Where something stood that is gone: itself, or the Kustomization that made it.
pub(super) fn gone_from(scenes: Both<Scene<'_>>, gone: &Inhabitant) -> Option<Blame> {
    let Both { base, head } = scenes.map(|scene| &scene.inhabitants.makers);
    if let Some(maker) = gone.maker.as_ref().filter(|maker| !head.contains_key(*maker)) {
        let because = format!("{maker}, which made it and stood here before the change, is gone");
        return at(base.get(maker), &because);
    }
    at(gone.origin.as_ref(), "it is gone; before the change it stood here")
}

/// A reason at a line, where the line is known.
pub(super) fn at(place: Option<&SourceLocation>, because: &str) -> Option<Blame> {
    Some(Blame { location: place?.clone(), because: because.to_string() })
}
