//! Pods that the same policies decide: in one direction they may do the same.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::policy::{Direction, Policy, PortMatch};
use super::world::World;

/// The classes of one direction.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) classes: Vec<Class>,
    /// The class of each pod.
    pub(super) of: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Class {
    /// The policies that select its pods, by the caller's numbers, sorted.
    pub(super) policies: Vec<u32>,
    pub(super) pods: Arc<RoaringBitmap>,
    /// The place of its pods' ports, where a rule names ports and these differ.
    pub(super) ports: Option<u32>,
}

impl Classes {
    pub(super) fn of_pod(&self, pod: u32) -> &Class {
        &self.classes[self.of[pod as usize] as usize]
    }
}

/// What decides a class: its policies, and its ports where their names matter.
type Signature = (Vec<u32>, Option<u32>);

/// Group pods by the policies that select them. `selected` has the pods of each policy.
pub(super) fn classes<'a>(
    world: &World,
    selected: impl Iterator<Item = (u32, &'a Policy, &'a RoaringBitmap)>,
    direction: Direction,
) -> Classes {
    let mut signatures: Vec<Signature> = vec![(Vec::new(), None); world.pods.len()];
    for (number, policy, pods) in selected {
        if policy.rules(direction).is_none() {
            continue;
        }
        let names_ports = direction == Direction::Ingress && names_ports(policy);
        for pod in pods {
            let signature = &mut signatures[pod as usize];
            signature.0.push(number);
            if names_ports {
                signature.1 = Some(world.port_class[pod as usize]);
            }
        }
    }
    let mut known: HashMap<Signature, u32> = [((Vec::new(), None), 0)].into();
    let mut members = vec![RoaringBitmap::new()];
    let mut of = Vec::with_capacity(signatures.len());
    for (pod, signature) in (0_u32..).zip(signatures) {
        let class = *known.entry(signature).or_insert_with(|| {
            members.push(RoaringBitmap::new());
            u32::try_from(members.len() - 1).unwrap_or(u32::MAX)
        });
        members[class as usize].insert(pod);
        of.push(class);
    }
    let mut signatures: Vec<(Signature, u32)> = known.into_iter().collect();
    signatures.sort_unstable_by_key(|(_, class)| *class);
    let classes = signatures.into_iter().zip(members).map(|(((policies, ports), _), pods)| Class {
        policies,
        pods: Arc::new(pods),
        ports,
    });
    Classes { classes: classes.collect(), of }
}

fn names_ports(policy: &Policy) -> bool {
    let rules = policy.rules(Direction::Ingress).unwrap_or_default();
    rules.iter().flat_map(|rule| &rule.ports).any(|port| matches!(port.ports, PortMatch::Named(_)))
}
