//! Which policy closes what should be open, or opens what should be closed.

use partywall_core::contract::Endpoint;
use partywall_core::event::Blame;
use partywall_core::layout::folder_of;
use partywall_core::source::SourceLocation;
use partywall_core::{Contract, Layout, Port};

use crate::landing::left_out;

use super::policy::{Far, Pods, Rule, Side, policies, rules, selects_all};

/// What keeps a tenant from a port that the contract allows. `namespace` is where the client
/// runs; `endpoint` is a name of the contract, or `namespace/workload`.
pub fn missing_egress(
    layout: &Layout,
    contract: &Contract,
    tenant: &str,
    namespace: &str,
    port: Port,
    endpoint: &str,
) -> Option<Blame> {
    let known = endpoint_of(contract, endpoint);
    let target = match known {
        Some(known) => known.namespace.as_deref()?,
        None => endpoint.split_once('/')?.0,
    };
    let pods = known.map(|known| &known.pods);
    let near = Party { namespace, pods: None };
    let far = Party { namespace: target, pods };
    let leave = format!("{tenant} may not leave to {endpoint} on {port}");
    let enter = format!("{endpoint} does not let {tenant} in on {port}");
    closed(layout, near, far, Side::Egress, port, &leave)
        .or_else(|| closed(layout, far, near, Side::Ingress, port, &enter))
        .or_else(|| narrow(layout, near, far, Side::Egress, port, &leave))
        .or_else(|| narrow(layout, far, near, Side::Ingress, port, &enter))
}

/// The endpoint of this name, or the one whose pods are a workload of this name.
fn endpoint_of<'a>(contract: &'a Contract, name: &str) -> Option<&'a Endpoint> {
    if let Some(endpoint) = contract.endpoints.get(name) {
        return Some(endpoint);
    }
    let (namespace, workload) = name.split_once('/')?;
    let mut in_place = contract
        .endpoints
        .iter()
        .filter(|(_, endpoint)| endpoint.namespace.as_deref() == Some(namespace));
    let is_workload = |(name, endpoint): &(&String, &Endpoint)| {
        *name == workload || endpoint.pods.values().any(|value| value == workload)
    };
    in_place.find(is_workload).map(|(_, endpoint)| endpoint)
}

/// Pods on one side of a wall.
#[derive(Clone, Copy)]
struct Party<'a> {
    namespace: &'a str,
    pods: Pods<'a>,
}

/// The nearest line that would have to let the port through, if this side is closed.
fn closed(
    layout: &Layout,
    home: Party<'_>,
    far: Party<'_>,
    side: Side,
    port: Port,
    what: &str,
) -> Option<Blame> {
    let far = Far::new(layout, far.namespace, far.pods);
    let policies = policies(layout, home.namespace, side, home.pods);
    let rules = rules(&policies, home.namespace, side);
    if rules.iter().any(|rule| rule.is_about(&far) && rule.opens(port)) {
        return None;
    }
    let about = rules.iter().filter(|rule| rule.is_about(&far));
    // The rule for the same port by another protocol is where a person would add the line.
    let nearest = about.min_by_key(|rule| !rule.names_number(port.number));
    let nearest = nearest.or_else(|| rules.iter().find(|rule| rule.names_number(port.number)));
    if let Some(rule) = nearest {
        let location = key_of(layout, rule.ports_location(), "ports");
        let name = rule.policy.name();
        let because = if rule.is_about(&far) {
            format!(
                "{what}: this rule of `{name}` opens {} and not {port}; add it here",
                rule.ports()
            )
        } else {
            let word = side.word();
            format!("{what}: this {word} rule of `{name}` is for others")
        };
        return Some(Blame { location, because });
    }
    // The policy with most rules is the one that lists what is allowed; a default deny has none.
    let listing =
        policies.iter().max_by_key(|policy| policy.root.items(&["spec", side.word()]).len())?;
    let location = key_of(layout, listing.locate(&["spec", side.word()]), side.word());
    let name = listing.name();
    let word = side.word();
    let because = format!("{what}: no {word} rule of `{name}` is for it; add one here");
    Some(Blame { location, because })
}

/// A side whose only open rules are for some pods, and ours may not be among them.
fn narrow(
    layout: &Layout,
    home: Party<'_>,
    far: Party<'_>,
    side: Side,
    port: Port,
    what: &str,
) -> Option<Blame> {
    let far = Far::new(layout, far.namespace, far.pods);
    let policies = policies(layout, home.namespace, side, home.pods);
    let rules = rules(&policies, home.namespace, side);
    let mut open = rules.iter().filter(|rule| rule.is_about(&far) && rule.opens(port)).peekable();
    let first = open.peek()?.location();
    let name = open.peek()?.policy.name().to_string();
    let is_narrow = far.is_unknown() && open.all(Rule::is_for_some);
    let because =
        format!("{what}: this rule of `{name}` is for some pods of {} only", far.namespace);
    is_narrow.then_some(Blame { location: first, because })
}

/// The line of a key whose value starts on the next line or on its own.
fn key_of(layout: &Layout, value: SourceLocation, key: &str) -> SourceLocation {
    let above = SourceLocation::new(value.file.clone(), value.line.saturating_sub(1));
    let is_key = layout.line(&above).is_some_and(|line| line.trim() == format!("{key}:"));
    if is_key { above } else { value }
}

/// What lets one namespace reach another on a port, where it should not. A target that is no pod,
/// such as a node or the API server, has the empty namespace.
pub fn open_wall(
    layout: &Layout,
    from_namespace: &str,
    to_namespace: &str,
    port: Port,
) -> Option<Blame> {
    let egress = opening(layout, from_namespace, to_namespace, Side::Egress, port);
    let ingress = opening(layout, to_namespace, from_namespace, Side::Ingress, port);
    match (egress, ingress) {
        (Opening::Closed, Opening::Closed) => None,
        (Opening::At(mut blame), Opening::At(other)) => {
            // Either side alone would have stopped it: the reader needs both places.
            blame.because =
                format!("{} (and {}: {})", blame.because, other.location, other.because);
            Some(blame)
        }
        // A side that the layout does not write cannot be blamed; one that it closes neither.
        (Opening::At(blame), _) | (_, Opening::At(blame)) => Some(blame),
        (Opening::Unwritten, _) | (_, Opening::Unwritten) => None,
    }
}

/// How one side of a wall stands in the files.
enum Opening {
    At(Blame),
    Closed,
    /// The layout does not create the namespace.
    Unwritten,
}

fn opening(layout: &Layout, home: &str, far: &str, side: Side, port: Port) -> Opening {
    let policies = policies(layout, home, side, None);
    let far = Far::new(layout, far, None);
    let rules = rules(&policies, home, side);
    let opens = |rule: &&Rule<'_>| rule.is_about(&far) && rule.opens(port);
    let word = side.word();
    // A rule for some pods may be meant; one for all of them explains more.
    if let Some(rule) = rules.iter().filter(opens).min_by_key(|rule| rule.is_for_some()) {
        let preposition = if side == Side::Egress { "to" } else { "from" };
        let whom = match far.namespace.as_str() {
            "" => "addresses outside the pod network",
            namespace => namespace,
        };
        let some = if rule.is_for_some() { "some pods of " } else { "" };
        let because = format!(
            "this {word} rule of `{}` opens {port} {preposition} {some}{whom}",
            rule.policy.name(),
        );
        return Opening::At(Blame { location: rule.location(), because });
    }
    if policies.iter().any(|policy| selects_all(policy)) {
        return Opening::Closed;
    }
    let Some(location) = layout.namespaces().remove(home) else {
        return Opening::Unwritten;
    };
    let which = if policies.is_empty() { "the pods" } else { "all pods" };
    let because = format!("no NetworkPolicy selects {which} of {home} for {word}, so it is open");
    Opening::At(unlisted(layout, home, &because).unwrap_or(Blame { location, because }))
}

/// The list that should name a file with policies, where one lies beside it.
fn unlisted(layout: &Layout, home: &str, what: &str) -> Option<Blame> {
    let left_out = left_out(layout, home);
    let policy = left_out.iter().find(|document| document.kind() == "NetworkPolicy")?;
    let file = &policy.location.file;
    let kustomization = layout.kustomization_in(folder_of(file))?;
    let list = kustomization.locate(&["resources"]);
    let because = format!("{what}: {file} holds policies, and this list does not name it");
    Some(Blame { location: key_of(layout, list, "resources"), because })
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
