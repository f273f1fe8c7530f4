//! Pods of the harness: a client and a sink in a policy-free namespace, and a control client
//! in every namespace of the platform. They are made once a session and found again later.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::api::DynamicObject;
use kube::{Api, Client};
use partywall_core::inventory::{
    CLIENT_NAME, DECOY, HARNESS_LABEL, HARNESS_PORT, OPEN_CLIENT_NAME, OPEN_NAMESPACE,
    OPEN_SINK_NAME,
};
use serde_json::json;

use crate::apply::{ApplyError, apply_all};
use crate::wait::{Poll, Wait, WaitError, until};

/// Pods of the harness that did not come up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HarnessPodError {
    /// The API server refused one.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The API server does not say what stands.
    #[error("failed to list the pods: {0}")]
    Listing(#[source] Box<kube::Error>),
    /// One does not run.
    #[error(transparent)]
    NotRunning(#[from] WaitError<std::convert::Infallible>),
}

/// Make the pods that are not there yet, and wait until all run. Says whether any was missing, so
/// that the inventory must be read again.
pub(super) async fn ensure(
    client: &Client,
    platform: &[String],
    existing: &BTreeSet<String>,
    agent_image: &str,
) -> Result<bool, HarnessPodError> {
    apply_all(
        client,
        &[object(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": OPEN_NAMESPACE, "labels": {HARNESS_LABEL: "open"}},
        }))],
    )
    .await?;
    let mut wanted = vec![
        (OPEN_NAMESPACE.to_string(), OPEN_CLIENT_NAME),
        (OPEN_NAMESPACE.to_string(), OPEN_SINK_NAME),
    ];
    let platform = platform.iter().filter(|namespace| existing.contains(*namespace));
    wanted.extend(platform.map(|namespace| (namespace.clone(), CLIENT_NAME)));
    let missing = missing(client, &wanted).await;
    let pods = missing.iter().map(|(namespace, name)| agent_pod(namespace, name, agent_image));
    apply_all(client, &pods.collect::<Vec<_>>()).await?;
    for (namespace, name) in &wanted {
        running(client, namespace, name).await?;
    }
    Ok(!missing.is_empty())
}

async fn missing<'a>(
    client: &Client,
    wanted: &'a [(String, &'static str)],
) -> Vec<&'a (String, &'static str)> {
    let looks = wanted.iter().map(|pod| async move {
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), &pod.0);
        matches!(pods.get_opt(pod.1).await, Ok(None)).then_some(pod)
    });
    futures::future::join_all(looks).await.into_iter().flatten().collect()
}

/// Wait until a pod's containers are ready. The pod itself may never be: twins are kept out
/// of Services by a readiness gate.
pub(crate) async fn running(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<(), WaitError<std::convert::Infallible>> {
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), namespace);
    let wait = Wait::seconds(60).every(Duration::from_millis(150));
    until(format!("pod {namespace}/{name} running"), wait, || async {
        match pods.get_opt(name).await {
            Ok(Some(pod)) => {
                let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone());
                let ready = conditions.into_iter().flatten().any(|condition| {
                    condition.type_ == "ContainersReady" && condition.status == "True"
                });
                let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
                if ready { Poll::Ready(()) } else { Poll::not_yet(format!("phase {phase}")) }
            }
            Ok(None) => Poll::not_yet("it does not exist"),
            Err(error) => Poll::not_yet(error.to_string()),
        }
    })
    .await
}

fn agent_pod(namespace: &str, name: &str, image: &str) -> DynamicObject {
    object(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "labels": {HARNESS_LABEL: name},
        },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "affinity": affinity(namespace),
            "containers": [container(image, &[HARNESS_PORT])],
        },
    }))
}

/// Away from the workloads, where there is such a place: the open pods then judge the walls
/// between nodes too.
fn affinity(namespace: &str) -> serde_json::Value {
    if namespace != OPEN_NAMESPACE {
        return json!({});
    }
    let control_plane =
        json!({"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"});
    json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 100, "preference": {"matchExpressions": [control_plane]}},
    ]}})
}

/// The agent as a container that listens on these ports.
pub(crate) fn container(image: &str, ports: &[u16]) -> serde_json::Value {
    let mut arguments = vec!["serve".to_string()];
    for port in ports {
        arguments.extend(["--listen".to_string(), port.to_string()]);
    }
    arguments.extend(["--decoy".to_string(), DECOY.to_string()]);
    let from_field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let declared: Vec<_> =
        ports.iter().map(|port| json!({"containerPort": port, "protocol": "TCP"})).collect();
    json!({
        "name": "agent",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": from_field("metadata.namespace")},
            {"name": "POD_NAME", "valueFrom": from_field("metadata.name")},
        ],
        "ports": declared,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
    })
}

/// An object from its JSON.
pub(crate) fn object(value: serde_json::Value) -> DynamicObject {
    // A value written in this crate always has the shape of an object; a mistake shows as an
    // object without a kind, which `apply` refuses by name.
    serde_json::from_value(value).unwrap_or_else(|_| DynamicObject {
        types: None,
        metadata: Default::default(),
        data: serde_json::Value::Null,
    })
}
