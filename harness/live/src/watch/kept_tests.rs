use serde_json::json;

use super::*;

#[test]
fn a_pod_names_the_secrets_that_it_cannot_be_without() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "x"},
        "spec": {
            "containers": [{
                "name": "x",
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef":
                        {"name": "maybe", "key": "k", "optional": true}}}
                ],
                "envFrom": [{"secretRef": {"name": "two"}}]
            }],
            "volumes": [{"name": "v", "secret": {"secretName": "three"}}]
        }
    }))
    .unwrap();
    let names: Vec<String> = named_by(&pod).into_iter().collect();
    assert_eq!(names, ["one", "three", "two"]);
}

#[test]
fn a_secret_is_another_once_a_value_changed() {
    let secret = |value: &str| Secret {
        data: Some([("k".to_string(), k8s_openapi::ByteString(value.as_bytes().to_vec()))].into()),
        ..Secret::default()
    };
    assert_eq!(whole_hash(&secret("a")), whole_hash(&secret("a")));
    assert_ne!(whole_hash(&secret("a")), whole_hash(&secret("b")));
}
