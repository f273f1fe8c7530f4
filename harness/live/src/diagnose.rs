//! What helps to find out what went wrong, with secrets cut.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Event, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, ListParams, LogParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::client::ClientError;
use crate::reconcile::Flux;
use crate::session::Session;

/// A bundle that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DiagnoseError {
    /// The cluster cannot be talked to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file could not be written.
    #[error("failed to write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Write Flux's objects, the network policies, nodes, pods, events and logs into a folder. What
/// cannot be had is noted in `missing.txt`; Secrets and ConfigMaps are never asked for.
pub async fn diagnose(session: &Session, folder: &Path) -> Result<Vec<PathBuf>, DiagnoseError> {
    let client = session.client().await?;
    let mut bundle = Bundle { folder, written: Vec::new(), missing: String::new() };
    for kind in Flux::ALL {
        let name = format!("{}.json", kind.resource().plural);
        let listed = kind.list(&client).await.map(|objects| {
            objects
                .into_iter()
                .map(|object| {
                    json!({
                        "metadata": {"name": object.name_any(), "namespace": object.namespace(),
                                     "generation": object.metadata.generation,
                                     "annotations": object.metadata.annotations},
                        "spec": without_values(object.data["spec"].clone()),
                        "status": object.data["status"],
                    })
                })
                .collect::<Vec<_>>()
        });
        bundle.json(&name, listed)?;
    }
    let all = ListParams::default();
    let policies = Api::<NetworkPolicy>::all(client.clone()).list(&all).await;
    bundle.json("network-policies.json", policies.map(|list| list.items))?;
    bundle
        .json("nodes.json", Api::<Node>::all(client.clone()).list(&all).await.map(|l| l.items))?;
    let events = Api::<Event>::all(client.clone()).list(&all).await;
    bundle.text("events.txt", events.map(|list| list.iter().map(event_line).collect()))?;
    let pods = Api::<Pod>::all(client.clone()).list(&all).await.map(|list| list.items);
    if let Ok(pods) = &pods {
        logs(&client, pods, &mut bundle).await?;
    }
    bundle.text("pods.txt", pods.map(|pods| pods.iter().map(pod_line).collect()))?;
    if !bundle.missing.is_empty() {
        let missing = std::mem::take(&mut bundle.missing);
        bundle.write("missing.txt", &missing)?;
    }
    Ok(bundle.written)
}

/// Values of a release may be secrets that somebody wrote in the wrong place.
fn without_values(mut spec: Value) -> Value {
    for key in ["values", "postBuild"] {
        if let Some(values) = spec.get_mut(key) {
            *values = json!("cut");
        }
    }
    spec
}

async fn logs(client: &Client, pods: &[Pod], bundle: &mut Bundle<'_>) -> Result<(), DiagnoseError> {
    for pod in pods {
        let namespace = pod.namespace().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let containers = pod.spec.iter().flat_map(|spec| spec.containers.iter());
        for container in containers {
            let params = LogParams {
                container: Some(container.name.clone()),
                tail_lines: Some(500),
                ..LogParams::default()
            };
            let name = format!("logs/{namespace}_{}_{}.log", pod.name_any(), container.name);
            bundle.text(&name, api.logs(&pod.name_any(), &params).await)?;
        }
    }
    Ok(())
}

fn event_line(event: &Event) -> String {
    let object = &event.involved_object;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let time = event.last_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
    format!(
        "{time} {} {} {}/{}: {}: {}\n",
        text(&event.type_),
        text(&object.kind),
        text(&object.namespace),
        text(&object.name),
        text(&event.reason),
        text(&event.message)
    )
}

fn pod_line(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let containers = containers.iter().map(|container| {
        format!("{}:ready={},restarts={}", container.name, container.ready, container.restart_count)
    });
    format!(
        "{}/{} {} {} on {node} [{}]\n",
        pod.namespace().unwrap_or_default(),
        pod.name_any(),
        status.phase.unwrap_or_default(),
        status.pod_ip.unwrap_or_default(),
        containers.collect::<Vec<_>>().join(" ")
    )
}

struct Bundle<'a> {
    folder: &'a Path,
    written: Vec<PathBuf>,
    missing: String,
}

impl Bundle<'_> {
    fn json<T: serde::Serialize>(
        &mut self,
        name: &str,
        value: Result<T, kube::Error>,
    ) -> Result<(), DiagnoseError> {
        let text = value.map(|value| serde_json::to_string_pretty(&value).unwrap_or_default());
        self.text(name, text)
    }

    fn text(&mut self, name: &str, text: Result<String, kube::Error>) -> Result<(), DiagnoseError> {
        match text {
            Ok(text) => self.write(name, &text),
            Err(error) => {
                self.missing.push_str(&format!("{name}: {error}\n"));
                Ok(())
            }
        }
    }

    fn write(&mut self, name: &str, text: &str) -> Result<(), DiagnoseError> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(self.folder);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, cut_secrets(text)))
            .map_err(|source| DiagnoseError::Write { path: path.clone(), source })?;
        self.written.push(path);
        Ok(())
    }
}

/// No log should hold any of these; a bundle that is sent around must not.
pub(crate) fn cut_secrets(text: &str) -> String {
    const MARKS: [&str; 8] = [
        "age-secret-key-",
        "private key",
        "authorization:",
        "password",
        "passwd",
        "api_key",
        "apikey",
        "eyjhbgcioi",
    ];
    let mut in_private_key = false;
    let mut kept = String::new();
    for line in text.lines() {
        let lower = line.to_lowercase();
        in_private_key |= lower.contains("-----begin") && lower.contains("private key");
        let cut = in_private_key || MARKS.iter().any(|mark| lower.contains(mark));
        kept.push_str(if cut { "[a line was cut here]" } else { line });
        kept.push('\n');
        in_private_key &= !lower.contains("-----end");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_lines_that_hold_keys() {
        let text = "a\nAGE-SECRET-KEY-1QQ\nb\n";
        assert_eq!(cut_secrets(text), "a\n[a line was cut here]\nb\n");
    }

    #[test]
    fn cuts_whole_private_keys_and_passwords_of_any_case() {
        let text = "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\nb\n\
                    POSTGRES_PASSWORD=x\n";
        let cut = "[a line was cut here]\n";
        assert_eq!(cut_secrets(text), format!("{cut}{cut}{cut}b\n{cut}"));
    }

    #[test]
    fn cuts_values_of_releases() {
        let spec = without_values(json!({"chart": "x", "values": {"key": "plain"}}));
        assert_eq!(spec, json!({"chart": "x", "values": "cut"}));
    }
}
