//! Whole policies: gone, renamed, past their pods, for one direction only, or outdone by another.

use serde_json::{Value, json};

use super::catalogue::{
    ALLOW_ALL_ADDED, EGRESS_DROPPED, INGRESS_DROPPED, Operator, POLICY_MISSES, POLICY_REMOVED,
    POLICY_RENAMED, POLICY_WIDENED,
};
use super::ground::{Ground, Written, named, one};
use super::model::Generated;
use super::text::{Change, emitted};

/// Added to a policy's name, or asked for as a label that no pod has.
pub(super) const NOBODY: &str = "partywall-mutant";
const DIRECTIONS: [(&str, &str, &Operator); 2] =
    [("Egress", "egress", EGRESS_DROPPED), ("Ingress", "ingress", INGRESS_DROPPED)];

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    for policy in policies(ground) {
        mutants.extend(removed(&policy));
        mutants.push(renamed(&policy));
        mutants.push(past_its_pods(&policy));
        mutants.extend(for_all_pods(&policy));
        mutants.extend(one_direction(&policy));
    }
    mutants.extend(outdone(ground));
    mutants
}

/// Every NetworkPolicy that is written in a file of the layout.
pub(super) fn policies<'a>(ground: &Ground<'a>) -> Vec<Written<'a>> {
    ground.written("NetworkPolicy", "networking.k8s.io")
}

/// A file that holds nothing but the policy is left out of its folder by another operator.
fn removed(policy: &Written<'_>) -> Option<Generated> {
    if policy.text.len() < 2 {
        return None;
    }
    let changed = policy.text.without(policy.document);
    Some(Generated {
        name: named(POLICY_REMOVED, &policy.name(), ""),
        operator: POLICY_REMOVED,
        change: format!("NetworkPolicy {} is gone", policy.name()),
        location: policy.location.clone(),
        about: policy.namespaces(),
        files: changed.map(|changed| one(&policy.location.file, changed.text)),
    })
}

fn renamed(policy: &Written<'_>) -> Generated {
    let name = policy.value()["metadata"]["name"].as_str().unwrap_or_default();
    let new = format!("{name}-{NOBODY}");
    let said = format!("NetworkPolicy {} is called {new}", policy.name());
    let change = Change::Set(Value::String(new));
    policy.mutant(POLICY_RENAMED, "", said, (&["metadata", "name"], &change))
}

fn past_its_pods(policy: &Written<'_>) -> Generated {
    let nobody = json!({"matchLabels": {NOBODY: "nobody"}});
    let said = format!("NetworkPolicy {} selects pods by a label that none has", policy.name());
    policy.mutant(POLICY_MISSES, "", said, (&["spec", "podSelector"], &Change::Set(nobody)))
}

fn for_all_pods(policy: &Written<'_>) -> Option<Generated> {
    let selector = policy.value()["spec"]["podSelector"].as_object()?;
    if selector.is_empty() {
        return None;
    }
    let said = format!("NetworkPolicy {} is for all pods of its namespace", policy.name());
    let change = Change::Set(json!({}));
    Some(policy.mutant(POLICY_WIDENED, "", said, (&["spec", "podSelector"], &change)))
}

fn one_direction(policy: &Written<'_>) -> Vec<Generated> {
    let spec = &policy.value()["spec"];
    let written: Vec<&str> =
        spec["policyTypes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut mutants = Vec::new();
    for (word, key, operator) in DIRECTIONS {
        // Without the list it is Ingress, and Egress where there are rules for it.
        let covers = match written.is_empty() {
            true => word == "Ingress" || !spec[key].is_null(),
            false => written.contains(&word),
        };
        let left: Vec<&str> = DIRECTIONS
            .iter()
            .map(|(other, ..)| *other)
            .filter(|other| *other != word)
            .filter(|other| written.is_empty() && *other == "Ingress" || written.contains(other))
            .collect();
        // A policy of no direction cannot be written: an empty list is the default one.
        if !covers || left.is_empty() {
            continue;
        }
        let said = format!("NetworkPolicy {} says nothing of {key}", policy.name());
        let change = Change::Set(json!(left));
        mutants.push(policy.mutant(operator, "", said, (&["spec", "policyTypes"], &change)));
    }
    mutants
}

/// The text of a policy's file with a further one behind it, for the same namespace.
pub(super) fn with_policy(
    policy: &Written<'_>,
    text: &str,
    name: &str,
    spec: &Value,
) -> Option<String> {
    let mut metadata = json!({"name": name});
    if let Some(written) = policy.value()["metadata"]["namespace"].as_str() {
        metadata["namespace"] = json!(written);
    }
    let added = emitted(&json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": spec,
    }))?;
    Some(format!("{}\n---\n{added}", text.trim_end_matches('\n')))
}

/// A policy of the same file, for the same namespace, that allows everything.
fn outdone(ground: &Ground<'_>) -> Vec<Generated> {
    let mut seen: Vec<String> = Vec::new();
    let mut mutants = Vec::new();
    for policy in policies(ground) {
        let Some(namespace) = policy.namespaces().into_iter().next() else { continue };
        if seen.contains(&namespace) {
            continue;
        }
        seen.push(namespace.clone());
        let spec = json!({
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{}],
            "egress": [{}],
        });
        let lines = policy.text.text.lines().count() as u64;
        let text = with_policy(&policy, &policy.text.text, NOBODY, &spec);
        mutants.push(Generated {
            name: named(ALLOW_ALL_ADDED, &namespace, ""),
            operator: ALLOW_ALL_ADDED,
            change: format!("a further NetworkPolicy of {namespace} allows everything"),
            location: partywall_core::source::SourceLocation::new(
                policy.location.file.clone(),
                lines.max(1),
            ),
            about: vec![namespace],
            files: text
                .map(|text| one(&policy.location.file, text))
                .ok_or_else(|| "the policy cannot be written".to_string()),
        });
    }
    mutants
}
