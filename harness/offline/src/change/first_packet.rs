//! Workloads of a tenant that probe from their first instruction: an environment variable that
//! our agent reads and everybody else's program leaves alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::edit::{Change, ChangeError, Ground};
use super::tenant::tenant_kustomizations;
use crate::render::Object;

/// The variable.
const VARIABLE: &str = "PARTYWALL_PACE";

/// The layout in which workloads of a tenant, by name, begin to probe these targets with their
/// first instruction (`10.0.0.1:8080/tcp=PREFIX`, several with commas between).
pub fn probe_from_first_instruction(
    ground: &Ground<'_>,
    tenant: &str,
    targets: &BTreeMap<String, String>,
) -> Result<Change, ChangeError> {
    let own = tenant_kustomizations(ground, tenant);
    let mut change = Change::default();
    for object in ground.rendered.objects.iter().filter(|object| own.contains(&object.label())) {
        let folder = object.text(&["spec", "path"]).unwrap_or_default();
        let folder = folder.trim_start_matches("./").trim_end_matches('/');
        let applied: Vec<&Object> = ground
            .objects_of(tenant)
            .into_iter()
            .filter(|applied| applied.applied_by == object.label())
            .collect();
        let patches = patches(ground, &applied, targets);
        if !patches.is_empty() {
            change = change.and(patched(ground, object, folder, &patches)?);
        }
    }
    if change.files.is_empty() {
        let tenant = tenant.to_string();
        return Err(ChangeError::Nothing { what: "workload in a Kustomization", tenant });
    }
    Ok(change)
}

/// One patch for each workload, or for each release that makes some.
fn patches(
    ground: &Ground<'_>,
    applied: &[&Object],
    targets: &BTreeMap<String, String>,
) -> Vec<Value> {
    let mut patches = Vec::new();
    for object in applied {
        if object.kind() == "HelmRelease" {
            let made: Vec<Value> = ground
                .rendered
                .objects
                .iter()
                .filter(|made| made.applied_by == object.label())
                .filter_map(|made| patch(made, targets))
                .collect();
            let renderers = json!([{"kustomize": {"patches": made}}]);
            let operation =
                json!([{"op": "add", "path": "/spec/postRenderers", "value": renderers}]);
            patches.push(entry(object, &operation));
        } else {
            patches.extend(patch(object, targets));
        }
    }
    patches
}

fn patch(object: &Object, targets: &BTreeMap<String, String>) -> Option<Value> {
    if !["Deployment", "StatefulSet", "DaemonSet"].contains(&object.kind()) {
        return None;
    }
    let targets = targets.get(object.name())?;
    let container = &object.pod_template()?["spec"]["containers"][0];
    let variable = json!({"name": VARIABLE, "value": targets});
    let (path, value) = match container["env"].is_array() {
        true => ("/spec/template/spec/containers/0/env/-", variable),
        false => ("/spec/template/spec/containers/0/env", json!([variable])),
    };
    Some(entry(object, &json!([{"op": "add", "path": path, "value": value}])))
}

fn entry(object: &Object, operations: &Value) -> Value {
    json!({
        "target": {"kind": object.kind(), "name": object.name()},
        "patch": operations.to_string(),
    })
}

fn patched(
    ground: &Ground<'_>,
    object: &Object,
    folder: &str,
    patches: &[Value],
) -> Result<Change, ChangeError> {
    let unwritten = |detail: &str| ChangeError::Unwritten {
        object: object.label(),
        location: object.origin.clone(),
        detail: detail.to_string(),
    };
    let none = || unwritten("its folder has no kustomization.yaml");
    let written = ground.layout.kustomization_in(folder).ok_or_else(none)?;
    let file = &written.location.file;
    let text = ground.layout.files.get(file).ok_or_else(none)?;
    let mut value: Value =
        serde_saphyr::from_str(text).map_err(|_| unwritten("its kustomization.yaml is no YAML"))?;
    let known = value["patches"].as_array().cloned().unwrap_or_default();
    value["patches"] = Value::Array(known.into_iter().chain(patches.iter().cloned()).collect());
    Ok(Change {
        files: [(file.clone(), value.to_string() + "\n")].into(),
        locations: vec![written.location.clone()],
        objects: patches
            .iter()
            .filter_map(|patch| patch["target"]["name"].as_str().map(str::to_string))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
    })
}
