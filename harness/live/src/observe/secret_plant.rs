//! Canaries of the harness's own, planted where a tenant's values are looked for: a search that
//! does not find them proves nothing by what it does not find.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::{Api, Client};
use partywall_core::inventory::{HARNESS_LABEL, OPEN_NAMESPACE};
use serde_json::{Value, json};

use super::harness_pods::object;
use crate::apply::{api_of, apply};
use crate::wait::{Poll, Wait, until};

/// Objects that hold a canary of the harness.
pub(super) struct Planted {
    objects: Vec<DynamicObject>,
    /// The pod that says it in its log.
    pub pod: String,
}

/// Plant it: as it is in an event, a log and an object of Flux, packed and encoded elsewhere.
pub(super) async fn plant(
    client: &Client,
    image: &str,
    name: &str,
    value: &str,
) -> Result<Planted, String> {
    let planted = Planted {
        objects: objects(image, name, value).into_iter().map(object).collect(),
        pod: name.to_string(),
    };
    for one in &planted.objects {
        if let Err(error) = apply(client, one).await {
            planted.remove(client).await;
            return Err(format!("a canary could not be planted: {error}"));
        }
    }
    let said = said(client, name).await;
    if let Err(error) = said {
        planted.remove(client).await;
        return Err(error);
    }
    Ok(planted)
}

impl Planted {
    /// Take it away again. It is the harness's own and opens nothing, if anything stays.
    pub(super) async fn remove(&self, client: &Client) {
        for one in &self.objects {
            if let Ok(api) = api_of(client, one) {
                let delete = kube::api::DeleteParams::default();
                let name = one.metadata.name.clone().unwrap_or_default();
                let _removed = api.delete(&name, &delete).await;
            }
        }
    }
}

fn objects(image: &str, name: &str, value: &str) -> Vec<Value> {
    let metadata = json!({
        "name": name, "namespace": OPEN_NAMESPACE, "labels": {HARNESS_LABEL: "planted"},
    });
    let mut container = super::harness_pods::container(image, &[]);
    // A word that the agent does not know: it says so, and which.
    container["args"] = json!([value]);
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
               "data": {"planted": STANDARD.encode(format!("x {value}"))}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata,
               "type": "helm.sh/release.v1", "stringData": {"release": helm(value)}}),
        json!({"apiVersion": "v1", "kind": "Event", "metadata": metadata,
               "involvedObject": {"kind": "Namespace", "name": OPEN_NAMESPACE,
                                  "namespace": OPEN_NAMESPACE},
               "reason": "Planted", "message": format!("the harness planted {value}"),
               "type": "Normal"}),
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
               "metadata": metadata,
               "spec": {"suspend": true, "interval": "1h", "prune": false,
                        "path": format!("./{value}"),
                        "sourceRef": {"kind": "GitRepository", "name": name}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
               "spec": {"terminationGracePeriodSeconds": 0, "restartPolicy": "Never",
                        "automountServiceAccountToken": false, "containers": [container]}}),
    ]
}

/// As Helm keeps a release.
fn helm(value: &str) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let release = json!({"manifest": format!("token: {value}")}).to_string();
    // Writing to memory does not fail; if it did, the canary would not be found, which is told.
    let _written = encoder.write_all(release.as_bytes());
    STANDARD.encode(encoder.finish().unwrap_or_default())
}

/// Waits until the pod has said it.
async fn said(client: &Client, name: &str) -> Result<(), String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), OPEN_NAMESPACE);
    let wait = Wait::seconds(30);
    let condition = format!("pod {OPEN_NAMESPACE}/{name} having ended");
    let waited = until::<(), std::convert::Infallible, _, _>(condition, wait, || async {
        match pods.get(name).await {
            Ok(pod) => {
                let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
                match phase.as_str() {
                    "Failed" | "Succeeded" => Poll::Ready(()),
                    _ => Poll::not_yet(phase),
                }
            }
            Err(error) => Poll::not_yet(error.to_string()),
        }
    });
    waited.await.map_err(|error| error.to_string())
}
