//! The Kustomize file of a folder as kustomize-controller rewrites it before a build.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Fields that Kustomize knows; others at the top are dropped by Flux without a word.
const FIELDS: [&str; 33] = [
    "apiVersion",
    "kind",
    "metadata",
    "openapi",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "imageTags",
    "replacements",
    "replicas",
    "vars",
    "sortOptions",
    "resources",
    "components",
    "crds",
    "bases",
    "configMapGenerator",
    "secretGenerator",
    "helmGlobals",
    "helmCharts",
    "helmChartInflationGenerator",
    "generatorOptions",
    "configurations",
    "generators",
    "transformers",
    "validators",
];

/// A file for a folder that has none.
pub(super) fn generated(resources: &BTreeSet<String>) -> Value {
    let mut file = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
    });
    if resources.is_empty() {
        // Without any entry Kustomize would call it empty.
        file["namespace"] = json!("_placeholder");
    } else {
        file["resources"] = json!(resources);
    }
    file
}

/// The file with what the Flux Kustomization's `spec` adds, and with origins asked for.
/// `exists` tells whether a component's folder is there.
pub(super) fn rewritten(
    file: &Value,
    spec: &Value,
    exists: impl Fn(&str) -> bool,
) -> Result<Value, String> {
    let mut out: Map<String, Value> = Map::new();
    for (key, value) in file.as_object().into_iter().flatten() {
        if FIELDS.contains(&key.as_str()) && !value.is_null() {
            out.insert(key.clone(), value.clone());
        }
    }
    for (from, to) in [
        ("targetNamespace", "namespace"),
        ("namePrefix", "namePrefix"),
        ("nameSuffix", "nameSuffix"),
    ] {
        if let Some(text) = spec.get(from).and_then(Value::as_str) {
            out.insert(to.to_string(), json!(text));
        }
    }
    for patch in list(spec, "patches") {
        push(&mut out, "patches", only(patch, &["patch", "target"]));
    }
    let ignore_missing = spec.get("ignoreMissingComponents").and_then(Value::as_bool) == Some(true);
    for component in list(spec, "components").iter().filter_map(Value::as_str) {
        if component.starts_with('/') || super::closure::is_remote(component) {
            return Err(format!("component path '{component}' must be local and relative"));
        }
        if exists(component) || !ignore_missing {
            push(&mut out, "components", json!(component));
        }
    }
    for patch in list(spec, "patchesStrategicMerge") {
        push(&mut out, "patchesStrategicMerge", json!(patch.to_string()));
    }
    for patch in list(spec, "patchesJson6902") {
        let operations = patch.get("patch").map(Value::to_string);
        let mut patch = only(patch, &["target"]);
        patch["patch"] = json!(operations);
        push(&mut out, "patchesJson6902", patch);
    }
    for image in list(spec, "images") {
        merge_image(&mut out, image);
    }
    out.insert("buildMetadata".to_string(), json!(["originAnnotations"]));
    Ok(Value::Object(out))
}

fn list<'a>(spec: &'a Value, key: &str) -> &'a [Value] {
    spec.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn only(value: &Value, keys: &[&str]) -> Value {
    let entry = |key: &&str| Some(((*key).to_string(), value.get(key)?.clone()));
    Value::Object(keys.iter().filter_map(entry).collect())
}

fn push(out: &mut Map<String, Value>, key: &str, value: Value) {
    if let Value::Array(items) = out.entry(key).or_insert_with(|| json!([])) {
        items.push(value);
    }
}

/// An image of the `spec` over one of the same name; tag and digest are one choice.
fn merge_image(out: &mut Map<String, Value>, image: &Value) {
    let text = |key: &str| image.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let name = text("name").unwrap_or_default();
    let known = out.get_mut("images").and_then(Value::as_array_mut).and_then(|images| {
        images.iter_mut().find(|known| known.get("name").and_then(Value::as_str) == Some(name))
    });
    let Some(known) = known else {
        push(out, "images", only(image, &["name", "newName", "newTag", "digest"]));
        return;
    };
    if let Some(name) = text("newName") {
        known["newName"] = json!(name);
    }
    if text("newTag").is_some() || text("digest").is_some() {
        known["newTag"] = json!(text("newTag").unwrap_or_default());
        known["digest"] = json!(text("digest").unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_what_the_spec_says() {
        let file = json!({
            "namespace": "old", "resources": ["a.yaml"], "unknown": 1, "components": null,
            "patches": [{"path": "p.yaml"}],
            "images": [{"name": "x", "newTag": "1", "digest": "sha256:a"}, {"name": "y", "newTag": "1"}],
        });
        let spec = json!({
            "targetNamespace": "new", "nameSuffix": "-s", "ignoreMissingComponents": true,
            "components": ["../there", "../gone"],
            "patches": [{"patch": "a: b", "target": {"kind": "X"}, "options": {}}],
            "patchesStrategicMerge": [{"kind": "X"}],
            "patchesJson6902": [{"target": {"kind": "Y"}, "patch": [{"op": "remove"}]}],
            "images": [{"name": "x", "newTag": "2"}, {"name": "y", "newName": "z"}, {"name": "n"}],
        });
        let rewritten = rewritten(&file, &spec, |path| path == "../there").unwrap();
        insta::assert_yaml_snapshot!(rewritten, @r#"
        namespace: new
        resources:
          - a.yaml
        patches:
          - path: p.yaml
          - patch: "a: b"
            target:
              kind: X
        images:
          - name: x
            newTag: "2"
            digest: ""
          - name: y
            newTag: "1"
            newName: z
          - name: n
        nameSuffix: "-s"
        components:
          - "../there"
        patchesStrategicMerge:
          - "{\"kind\":\"X\"}"
        patchesJson6902:
          - target:
              kind: Y
            patch: "[{\"op\":\"remove\"}]"
        buildMetadata:
          - originAnnotations
        "#);
    }

    #[test]
    fn a_component_from_elsewhere_is_refused() {
        for component in ["https://example.com/a", "/etc"] {
            let spec = json!({"components": [component]});
            let refused = rewritten(&json!({}), &spec, |_| true).unwrap_err();
            assert_eq!(refused, format!("component path '{component}' must be local and relative"));
        }
    }
}
