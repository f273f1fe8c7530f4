//! Which objects an object of Flux names.

use serde_json::Value;

use crate::render::Object;

/// One object that another names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// Where the name stands: keys and list positions.
    pub(super) path: Vec<String>,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// Whether Flux goes on without it.
    pub(super) optional: bool,
}

/// Places of references in objects of a kind; `*` stands for the positions of a list. The kind
/// of what is named, where the reference does not say it.
type Place = (&'static [&'static str], &'static str);

const OF_RELEASES: [Place; 4] = [
    (&["spec", "chart", "spec", "sourceRef"], ""),
    (&["spec", "chartRef"], ""),
    (&["spec", "dependsOn", "*"], "HelmRelease"),
    (&["spec", "valuesFrom", "*"], ""),
];
const OF_KUSTOMIZATIONS: [Place; 4] = [
    (&["spec", "sourceRef"], ""),
    (&["spec", "dependsOn", "*"], "Kustomization"),
    (&["spec", "decryption", "secretRef"], "Secret"),
    (&["spec", "postBuild", "substituteFrom", "*"], ""),
];
/// Where an object names the account whose rights it uses.
const ACCOUNTS: [&[&str]; 2] =
    [&["spec", "serviceAccountName"], &["spec", "decryption", "serviceAccountName"]];

/// Everything that an object of Flux names and that must stand in the same cluster.
pub(super) fn references(object: &Object) -> Vec<Reference> {
    let places = match (object.kind(), object.api_version().split('/').next()) {
        ("HelmRelease", Some("helm.toolkit.fluxcd.io")) => &OF_RELEASES,
        ("Kustomization", Some("kustomize.toolkit.fluxcd.io")) => &OF_KUSTOMIZATIONS,
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for (path, kind) in places {
        for (path, value) in expand(&object.value, path) {
            found.extend(reference(object, path, value, kind));
        }
    }
    // With a kubeConfig the account stands in the other cluster.
    let is_remote = object.at(&["spec", "kubeConfig"]).is_some();
    for path in ACCOUNTS.iter().filter(|_| !is_remote) {
        if let Some(name) = object.text(path) {
            found.push(Reference {
                path: path.iter().map(ToString::to_string).collect(),
                kind: "ServiceAccount".to_string(),
                namespace: object.namespace().to_string(),
                name: name.to_string(),
                optional: false,
            });
        }
    }
    found
}

fn reference(
    object: &Object,
    mut path: Vec<String>,
    value: &Value,
    kind: &str,
) -> Option<Reference> {
    let name = value["name"].as_str()?.to_string();
    let kind = if kind.is_empty() { value["kind"].as_str()? } else { kind };
    let namespace = value["namespace"].as_str().unwrap_or_else(|| object.namespace());
    path.push("name".to_string());
    Some(Reference {
        path,
        kind: kind.to_string(),
        namespace: namespace.to_string(),
        name,
        optional: value["optional"].as_bool().unwrap_or(false),
    })
}

/// The values at a path with `*` for every position of a list.
fn expand<'a>(value: &'a Value, path: &[&str]) -> Vec<(Vec<String>, &'a Value)> {
    let mut open = vec![(Vec::new(), value)];
    for step in path {
        let mut next = Vec::new();
        for (steps, value) in open {
            let below = |step: String| [steps.clone(), vec![step]].concat();
            if *step == "*" {
                let items = value.as_array().into_iter().flatten().enumerate();
                next.extend(items.map(|(index, item)| (below(index.to_string()), item)));
            } else if let Some(value) = value.get(step) {
                next.push((below(step.to_string()), value));
            }
        }
        open = next;
    }
    open
}
