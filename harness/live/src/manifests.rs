//! The manifests of `kind-config/`, kept in the program so that it needs no checkout to run.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::Value;

/// Name that stands for a component's image in the manifests.
const IMAGE_PREFIX: &str = "partywall.local/";

pub(crate) const CALICO_CRDS: &str = include_str!("../../../kind-config/cni/crds.yaml");
pub(crate) const CALICO_DATASTORE: &str = include_str!("../../../kind-config/cni/datastore.yaml");
pub(crate) const CALICO: &str = include_str!("../../../kind-config/cni/calico.yaml");
pub(crate) const FLUX_CRDS: &str = include_str!("../../../kind-config/flux/crds.yaml");
pub(crate) const FLUX_RBAC: &str = include_str!("../../../kind-config/flux/rbac.yaml");
pub(crate) const FLUX_CONTROLLERS: &str =
    include_str!("../../../kind-config/flux/controllers.yaml");
pub(crate) const FLUX_POLICIES: &str =
    include_str!("../../../kind-config/flux/network-policies.yaml");
pub(crate) const CANARY: &str = include_str!("../../../kind-config/canary.yaml");
pub(crate) const CLUSTER: &str = include_str!("../../../kind-config/cluster.yaml");
pub(crate) const AUDIT_POLICY: &str = include_str!("../../../kind-config/audit-policy.yaml");

/// A manifest that is not what the API server expects.
#[derive(Debug, thiserror::Error)]
#[error("failed to understand the manifest {name}: {detail}")]
pub struct ManifestError {
    name: String,
    detail: String,
}

/// The objects of a file with several YAML documents.
pub(crate) fn objects(name: &str, text: &str) -> Result<Vec<DynamicObject>, ManifestError> {
    let failed = |detail: String| ManifestError { name: name.to_string(), detail };
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| failed(error.to_string()))?;
    let wanted = documents.into_iter().filter(|document| !document.is_null());
    wanted
        .map(|document| serde_json::from_value(document).map_err(|error| failed(error.to_string())))
        .collect()
}

/// The same with the images of the bundle in the place of the components' names.
pub(crate) fn objects_with_images(
    name: &str,
    text: &str,
    components: &BTreeMap<String, String>,
) -> Result<Vec<DynamicObject>, ManifestError> {
    let mut objects = objects(name, text)?;
    for object in &mut objects {
        resolve_images(&mut object.data, components).map_err(|component| ManifestError {
            name: name.to_string(),
            detail: format!("the bundle has no image for the component `{component}`"),
        })?;
    }
    Ok(objects)
}

fn resolve_images(value: &mut Value, components: &BTreeMap<String, String>) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(image) if key == "image" => {
                        if let Some(component) = image.strip_prefix(IMAGE_PREFIX) {
                            let found = components.get(component);
                            *image = found.ok_or_else(|| component.to_string())?.clone();
                        }
                    }
                    other => resolve_images(other, components)?,
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                resolve_images(item, components)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_of_the_project_is_understood() {
        let components: BTreeMap<String, String> =
            ["calico", "source-controller", "kustomize-controller", "helm-controller", "agent"]
                .map(|name| (name.to_string(), format!("example/{name}:1")))
                .into();
        let all = [
            CALICO_CRDS,
            CALICO_DATASTORE,
            CALICO,
            FLUX_CRDS,
            FLUX_RBAC,
            FLUX_CONTROLLERS,
            FLUX_POLICIES,
            CANARY,
        ];
        for text in all {
            let objects = objects_with_images("test", text, &components).unwrap();
            assert!(!objects.is_empty());
            assert!(objects.iter().all(|object| object.types.is_some()));
        }
    }

    #[test]
    fn rejects_a_component_without_an_image() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n\
                    spec: {containers: [{image: partywall.local/agent}]}\n";
        let error = objects_with_images("pod.yaml", text, &BTreeMap::new()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to understand the manifest pod.yaml: \
             the bundle has no image for the component `agent`"
        );
    }
}
