//! The same questions at the pods' IPv6 addresses.

use super::targets::Aim;
use crate::inventory::{Inventory, PodName};
use crate::probe::{By, ReachProbe, Target};
use crate::scenario::{Family, Reach};

/// An aim at the address of the family that the question is about; none where its target has no
/// such address.
pub(super) fn in_family(question: &Reach, inventory: &Inventory, mut aim: Aim) -> Option<Aim> {
    if question.family == Family::Ipv6 {
        let pod = aim.pod.as_ref().map(|pod| &pod.name);
        aim.target = over_ipv6(inventory, aim.target, pod)?;
    }
    Some(aim)
}

/// A control of the same family: what works over IPv4 proves nothing about IPv6.
pub(super) fn control_in_family(
    question: &Reach,
    inventory: &Inventory,
    mut probe: ReachProbe,
) -> Option<ReachProbe> {
    if question.family == Family::Ipv6 {
        probe.target = over_ipv6(inventory, probe.target, None)?;
    }
    Some(probe)
}

fn over_ipv6(inventory: &Inventory, mut target: Target, pod: Option<&PodName>) -> Option<Target> {
    let server = target.servers.first().or(pod)?;
    target.address = inventory.ipv6.get(server).filter(|_| target.by == By::Pod)?.clone();
    target.label.push_str(" over IPv6");
    Some(target)
}
