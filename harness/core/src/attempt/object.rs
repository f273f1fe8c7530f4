//! Hostile objects out of their templates.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::hostile::Hostile;
use crate::inventory::HARNESS_LABEL;
use crate::source::yaml_options;

/// The value of [`HARNESS_LABEL`] on every object of an attempt, and the beginning of its name.
pub const ATTEMPT: &str = "attempt";
/// The label by which a hostile workload finds its pods.
pub const ATTEMPT_LABEL: &str = "dev.partywall.attempt";

/// An address that is no pod's and no Service's.
const SAFE_ADDRESS: &str = "203.0.113.10";

/// What stands in a hostile release where there is none whose chart could be copied.
pub const NO_CHART: &str =
    r#"chart: {"spec":{"chart":"./x","sourceRef":{"kind":"GitRepository","name":"x"}}}"#;

/// The objects of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Objects {
    /// The hostile one.
    pub hostile: Value,
    /// What it needs beside it.
    pub companions: Vec<Value>,
}

/// A template that does not make an object.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the template of `{}` makes no object: {detail}", hostile.name())]
pub struct BadObject {
    /// Which.
    pub hostile: Hostile,
    /// What is wrong with it.
    pub detail: String,
}

/// The objects of an attempt, with these values for the placeholders.
pub fn objects(hostile: Hostile, setting: &BTreeMap<String, String>) -> Result<Objects, BadObject> {
    let mut text = hostile.template().to_string();
    for (name, value) in setting {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    let bad = |detail: String| BadObject { hostile, detail };
    if let Some(missing) = placeholder(&text) {
        return Err(bad(format!("nothing stands for `{missing}`")));
    }
    let parsed: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, yaml_options())
        .map_err(|_| bad("it is no YAML".to_string()))?;
    let mut values = parsed.into_iter().map(labelled);
    let hostile = values.next().ok_or_else(|| bad("it is empty".to_string()))?;
    Ok(Objects { hostile, companions: values.collect() })
}

/// The first placeholder for which no value was given.
fn placeholder(text: &str) -> Option<&str> {
    text.split('{').skip(1).find_map(|part| {
        let (name, _) = part.split_once('}')?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        is_name.then_some(name)
    })
}

/// Everything that an attempt makes can be told by its label, and so be taken away. A Namespace
/// is changed, not made.
fn labelled(mut value: Value) -> Value {
    if value["kind"] != "Namespace"
        && let Some(metadata) = value["metadata"].as_object_mut()
    {
        let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
        labels[HARNESS_LABEL] = json!(ATTEMPT);
    }
    value
}

/// The same object without what makes it hostile: where admission or validation refuses even the
/// administrator, that this one is taken shows that the manifest itself is well made. `None` where
/// the hostile part is all there is of it.
pub fn innocent(hostile: Hostile, objects: &Objects) -> Option<Value> {
    let mut value = objects.hostile.clone();
    let spec = |value: &mut Value, key: &str| {
        value["spec"].as_object_mut().map(|spec| spec.remove(key));
    };
    match hostile {
        Hostile::SliceLoopback | Hostile::SliceMetadata | Hostile::SliceNeighbour => {
            value["endpoints"][0]["addresses"] = json!([SAFE_ADDRESS]);
        }
        Hostile::EndpointsLoopback | Hostile::EndpointsMetadata | Hostile::EndpointsNeighbour => {
            value["subsets"][0]["addresses"] = json!([{"ip": SAFE_ADDRESS}]);
        }
        Hostile::ExternalIps => spec(&mut value, "externalIPs"),
        Hostile::ExternalNameNeighbour
        | Hostile::ExternalNameApiserver
        | Hostile::ExternalNameLocalhost => {
            value["spec"] = json!({"ports": [{"name": "port", "port": 8080, "protocol": "TCP"}]});
        }
        Hostile::NodePort | Hostile::LoadBalancer => {
            value["spec"]["type"] = json!("ClusterIP");
            value["spec"]["ports"][0].as_object_mut()?.remove("nodePort");
        }
        Hostile::HostNetworkPod
        | Hostile::HostPortPod
        | Hostile::HostPidPod
        | Hostile::PrivilegedPod
        | Hostile::HostPathPod => {
            let template = &mut value["spec"]["template"];
            harmless(&mut template["spec"]);
            let metadata = &objects.hostile["metadata"];
            value = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": metadata["name"], "namespace": metadata["namespace"],
                    "labels": template["metadata"]["labels"],
                },
                "spec": template["spec"],
            });
        }
        _ => return None,
    }
    Some(value)
}

/// A pod that Pod Security `restricted` admits.
fn harmless(spec: &mut Value) {
    if let Some(fields) = spec.as_object_mut() {
        for key in ["hostNetwork", "hostPID", "volumes"] {
            fields.remove(key);
        }
    }
    let container = &mut spec["containers"][0];
    if let Some(fields) = container.as_object_mut() {
        fields.remove("volumeMounts");
    }
    if let Some(port) = container["ports"][0].as_object_mut() {
        port.remove("hostPort");
    }
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
        "runAsNonRoot": true,
        "runAsUser": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> BTreeMap<String, String> {
        let values = [
            ("name", "partywall-attempt-x"),
            ("namespace", "a"),
            ("other", "b"),
            ("neighbour_address", "10.0.0.2"),
            ("neighbour_port", "8080"),
            ("neighbour_service", "web.b.svc.cluster.local"),
            ("shared_address", "10.0.0.3"),
            ("shared_port", "8000"),
            ("shared_labels", r#"{"purpose":"shared-services"}"#),
            ("own_labels", r#"{"app":"web"}"#),
            ("own_port", "8080"),
            ("node_port", "31800"),
            ("balanced_port", "31900"),
            ("labels", r#"{"app":"gateway"}"#),
            ("image", "partywall.local/agent:e2e"),
            ("release_account", "x"),
            ("release_chart", r#"chart: {"spec":{"chart":"./x"}}"#),
        ];
        values.map(|(name, value)| (name.to_string(), value.to_string())).into()
    }

    #[test]
    fn every_template_makes_an_object_that_can_be_found_again() {
        for hostile in Hostile::ALL {
            let made = objects(hostile, &setting()).unwrap();
            let is_namespace = made.hostile["kind"] == "Namespace";
            assert_eq!(
                made.hostile["metadata"]["labels"][HARNESS_LABEL] == ATTEMPT,
                !is_namespace,
                "{}",
                hostile.name()
            );
            assert!(made.hostile["apiVersion"].is_string());
            if let Some(innocent) = innocent(hostile, &made) {
                assert_ne!(innocent, made.hostile, "{}", hostile.name());
            }
        }
    }

    #[test]
    fn a_placeholder_without_a_value_is_said() {
        let mut setting = setting();
        setting.remove("other");
        let error = objects(Hostile::ForeignConfigMap, &setting).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the template of `foreign-config-map` makes no object: nothing stands for `other`"
        );
    }

    #[test]
    fn names_are_those_of_scenarios() {
        for hostile in Hostile::ALL {
            assert_eq!(serde_json::to_value(hostile).unwrap(), json!(hostile.name()));
        }
    }
}
