//! Whether a NetworkPolicy is about a pod, and which directions it isolates.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::render::Object;

/// A direction of traffic, as `policyTypes` writes it.
pub(super) const DIRECTIONS: [&str; 2] = ["Ingress", "Egress"];

/// Whether a policy selects pods with these labels; every policy does where they are not known.
pub(super) fn selects(policy: &Object, labels: Option<&BTreeMap<String, String>>) -> bool {
    let Some(labels) = labels else { return true };
    let selector = ["spec", "podSelector"];
    let expected = policy.text_map(&[selector[0], selector[1], "matchLabels"]);
    let expressions = policy.at(&[selector[0], selector[1], "matchExpressions"]);
    let mut expressions = expressions.and_then(Value::as_array).into_iter().flatten();
    expected.iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.all(|expression| matches(expression, labels))
}

fn matches(expression: &Value, labels: &BTreeMap<String, String>) -> bool {
    let label = expression["key"].as_str().and_then(|key| labels.get(key));
    let values = expression["values"].as_array();
    let listed = label.is_some_and(|label| {
        values.is_some_and(|values| values.iter().any(|value| value == label.as_str()))
    });
    match expression["operator"].as_str() {
        Some("In") => listed,
        Some("NotIn") => !listed,
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        _ => false,
    }
}

/// Whether a policy isolates the pods that it selects in a direction.
pub(super) fn isolates(policy: &Object, direction: &str) -> bool {
    match policy.at(&["spec", "policyTypes"]).and_then(Value::as_array) {
        Some(types) if !types.is_empty() => types.iter().any(|one| one == direction),
        _ if direction == "Egress" => policy
            .at(&["spec", "egress"])
            .and_then(Value::as_array)
            .is_some_and(|rules| !rules.is_empty()),
        _ => true,
    }
}
