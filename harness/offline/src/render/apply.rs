//! What kustomize-controller does to built objects when it applies them.

use partywall_core::event::NotJudged;
use serde_json::{Map, Value, json};

use super::build::{Built, Failure};
use super::object::Object;
use super::scope::{group_of, needs_namespace};

const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// The Flux Kustomization that applies.
pub(super) struct Applier<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) spec: &'a Value,
}

/// What is applied, and what is left out of it.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) objects: Vec<Object>,
    pub(super) not_judged: Vec<NotJudged>,
}

impl Applier<'_> {
    /// The objects as they reach the API server, or why none of them does.
    pub(super) fn apply(&self, built: Vec<Built>) -> Result<Applied, Failure> {
        let applied_by = format!("Kustomization {}/{}", self.namespace, self.name);
        let mut applied = Applied::default();
        for one in built {
            for value in flattened(one.value) {
                let mut object =
                    Object { value, origin: one.origin.clone(), applied_by: applied_by.clone() };
                if let Some(failure) = self.refused(&object) {
                    return Err(failure);
                }
                if let Some(reason) = left_out(&object) {
                    let location = Some(object.origin.clone());
                    applied.not_judged.push(NotJudged {
                        subject: object.label(),
                        reason,
                        location,
                    });
                    continue;
                }
                self.mark(&mut object);
                applied.objects.push(object);
            }
        }
        Ok(applied)
    }

    fn refused(&self, object: &Object) -> Option<Failure> {
        let shown = match object.namespace() {
            "" => format!("{}/{}", object.kind(), object.name()),
            namespace => format!("{}/{namespace}/{}", object.kind(), object.name()),
        };
        if object.kind().is_empty() || object.name().is_empty() || object.api_version().is_empty() {
            let message =
                format!("failed to decode Kubernetes apiVersion, kind and name from: {shown}");
            return Some(Failure::new("BuildFailed", message));
        }
        let sealed = object.kind() == "Secret" && object.value.get("sops").is_some();
        let opened = self.spec.get("decryption").is_some_and(|decryption| !decryption.is_null());
        let as_it_is = marked(object, "decrypt", "disabled");
        if sealed && !opened && !as_it_is {
            let message = format!(
                "{shown} is SOPS encrypted, configuring decryption is required for this secret to be reconciled"
            );
            return Some(Failure::new("ReconciliationFailed", message));
        }
        let group = group_of(object.api_version());
        if object.namespace().is_empty() && needs_namespace(object.kind(), group) {
            let message = format!(
                "{shown} namespace not specified: the server could not find the requested resource"
            );
            return Some(Failure::new("ReconciliationFailed", message));
        }
        None
    }

    fn mark(&self, object: &mut Object) {
        if let Some(map) = object.value.as_object_mut() {
            // Opened, the seal would be gone; an object of the cluster has no such field.
            map.shift_remove("sops");
        }
        let common = |key: &str| self.spec.pointer(&format!("/commonMetadata/{key}")).cloned();
        let owner = json!({
            format!("{GROUP}/name"): self.name,
            format!("{GROUP}/namespace"): self.namespace,
        });
        add(&mut object.value, "labels", Some(owner));
        add(&mut object.value, "labels", common("labels"));
        add(&mut object.value, "annotations", common("annotations"));
    }
}

/// The items of a list, or the object itself.
pub(super) fn flattened(value: Value) -> Vec<Value> {
    let is_list =
        value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match value.get("items") {
        Some(Value::Array(items)) if is_list => items.clone(),
        _ => vec![value],
    }
}

/// Adds entries to a mapping of an object's metadata.
pub(super) fn add(value: &mut Value, key: &str, entries: Option<Value>) {
    let Some(Value::Object(entries)) = entries else { return };
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let place = metadata.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    if let Some(map) = place.as_object_mut() {
        map.extend(entries);
    }
}

fn marked(object: &Object, key: &str, value: &str) -> bool {
    let key = format!("{GROUP}/{key}");
    let has = |place: &str| {
        let found = object.at(&["metadata", place]).and_then(|map| map.get(&key));
        found.and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    has("annotations") || has("labels")
}

fn left_out(object: &Object) -> Option<String> {
    let disabled =
        marked(object, "reconcile", "disabled").then(|| format!("`{GROUP}/reconcile: disabled`"));
    let ignored = marked(object, "ssa", "ignore").then(|| format!("`{GROUP}/ssa: Ignore`"));
    let mark = disabled.or(ignored)?;
    Some(format!("Flux does not apply it because of {mark}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_core::source::SourceLocation;
    use rstest::rstest;

    fn apply(spec: Value, value: Value) -> Result<Applied, Failure> {
        let built = Built { value, text: String::new(), origin: SourceLocation::new("x.yaml", 3) };
        Applier { namespace: "flux-system", name: "apps", spec: &spec }.apply(vec![built])
    }

    #[test]
    fn marks_what_it_applies() {
        let spec = json!({"commonMetadata": {"labels": {"team": "x"}, "annotations": {"a": "b"}}});
        let one = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
        let list =
            json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "l"}, "items": [one]});
        let applied = apply(spec, list).unwrap();
        insta::assert_yaml_snapshot!(applied.objects[0].value, @r#"
        apiVersion: v1
        kind: Namespace
        metadata:
          name: n
          labels:
            kustomize.toolkit.fluxcd.io/name: apps
            kustomize.toolkit.fluxcd.io/namespace: flux-system
            team: x
          annotations:
            a: b
        "#);
    }

    #[rstest]
    #[case(json!({}), json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "sops": {}}),
        "Secret/n/s is SOPS encrypted, configuring decryption is required for this secret to be reconciled")]
    #[case(json!({}), json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}}),
        "ConfigMap/s namespace not specified: the server could not find the requested resource")]
    #[case(json!({}), json!({"kind": "ConfigMap", "metadata": {"name": "s"}}),
        "failed to decode Kubernetes apiVersion, kind and name from: ConfigMap/s")]
    fn refuses(#[case] spec: Value, #[case] value: Value, #[case] expected: &str) {
        assert_eq!(apply(spec, value).unwrap_err().message, expected);
    }

    #[test]
    fn a_sealed_secret_passes_with_decryption_and_loses_its_seal() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "sops": {}});
        let applied = apply(json!({"decryption": {"provider": "sops"}}), secret).unwrap();
        assert!(applied.objects[0].value.get("sops").is_none());
    }

    #[test]
    fn names_what_is_switched_off() {
        let labels = json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"});
        let one = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "annotations": labels}});
        let applied = apply(json!({}), one).unwrap();
        assert!(applied.objects.is_empty());
        assert_eq!(applied.not_judged[0].subject, "Namespace n");
    }
}
