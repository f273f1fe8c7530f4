//! Both walls between two tenants at once: what either alone would still stop.

use partywall_core::source::SourceLocation;
use serde_json::{Value, json};

use super::catalogue::BOTH_WALLS_OPENED;
use super::ground::{Ground, Written, named};
use super::model::{Generated, MutantFiles};
use super::walls::{NOBODY, policies, with_policy};
use crate::netpol::NAMESPACE_NAME_LABEL;

/// Every tenant with the next one of the contract: each is once the one that calls and once the
/// one that is called.
pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let policies = policies(ground);
    let tenants = &ground.contract.tenants;
    let next = tenants.iter().skip(1).chain(tenants.first());
    let pairs = tenants.iter().zip(next).filter(|(one, other)| one.name != other.name);
    let made = pairs.filter_map(|(one, other)| {
        let caller = wall_of(&policies, &one.namespaces)?;
        let called = wall_of(&policies, &other.namespaces)?;
        let names = (one.name.as_str(), other.name.as_str());
        Some(opened(names, (&one.namespaces, &other.namespaces), (caller, called)))
    });
    made.collect()
}

/// A policy that is written for a tenant alone.
fn wall_of<'a, 'b>(policies: &'b [Written<'a>], namespaces: &[String]) -> Option<&'b Written<'a>> {
    policies.iter().find(|policy| {
        let own = policy.namespaces();
        !own.is_empty() && own.iter().all(|namespace| namespaces.contains(namespace))
    })
}

fn opened(
    (one, other): (&str, &str),
    (from, to): (&[String], &[String]),
    (caller, called): (&Written<'_>, &Written<'_>),
) -> Generated {
    let out = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": peers(to)}]});
    let within =
        json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": peers(from)}]});
    let file = |wall: &Written<'_>| wall.location.file.clone();
    let written = || -> Option<MutantFiles> {
        let text = with_policy(caller, &caller.text.text, &format!("{NOBODY}-out"), &out)?;
        let mut files = MutantFiles::from([(file(caller), Some(text))]);
        let before = match files.get(&file(called)) {
            Some(Some(text)) => text.clone(),
            _ => called.text.text.clone(),
        };
        let text = with_policy(called, &before, &format!("{NOBODY}-in"), &within)?;
        files.insert(file(called), Some(text));
        Some(files)
    };
    let lines = caller.text.text.lines().count() as u64;
    Generated {
        name: named(BOTH_WALLS_OPENED, one, other),
        operator: BOTH_WALLS_OPENED,
        change: format!("both walls between {one} and {other} are open from {one} to {other}"),
        location: SourceLocation::new(file(caller), lines.max(1)),
        about: to.to_vec(),
        files: written().ok_or_else(|| "the policies cannot be written".to_string()),
    }
}

fn peers(namespaces: &[String]) -> Value {
    let peer =
        |name: &String| json!({"namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: name}}});
    namespaces.iter().map(peer).collect()
}
