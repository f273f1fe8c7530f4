//! Failures that a controller keeps to its log. helm-controller refuses a chart source in another
//! namespace before it writes any status, so the object goes on saying what it said before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, LogParams};
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::report::{ObjectStatus, Readiness};

/// A fresh object is silent for a moment too.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Since when each release has been silent.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    since: BTreeMap<(String, String), Instant>,
}

impl Silence {
    /// Note who is silent now, and give the long silent their controller's last words.
    pub(crate) async fn fill(
        &mut self,
        client: &Client,
        silent: BTreeSet<(String, String)>,
        statuses: &mut [ObjectStatus],
    ) -> Result<(), kube::Error> {
        self.since.retain(|name, _| silent.contains(name));
        for name in silent {
            self.since.entry(name).or_insert_with(Instant::now);
        }
        let long: Vec<_> =
            self.since.iter().filter(|(_, since)| since.elapsed() > PATIENCE).collect();
        if long.is_empty() {
            return Ok(());
        }
        let log = controller_log(client).await?;
        for ((namespace, name), _) in long {
            let wanted = |status: &&mut ObjectStatus| {
                status.kind == "HelmRelease"
                    && status.namespace == *namespace
                    && status.name == *name
                    && status.readiness == Readiness::Pending
            };
            let Some(status) = statuses.iter_mut().find(wanted) else {
                continue;
            };
            if let Some(message) = last_error(&log, namespace, name) {
                let denied = message.contains("cross-namespace references are not allowed");
                status.reason = if denied { "AccessDenied" } else { "ReconcilerError" }.to_string();
                status.message = message;
                status.readiness = Readiness::Failed;
            }
        }
        Ok(())
    }
}

async fn controller_log(client: &Client) -> Result<String, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), crate::kind::FLUX_NAMESPACE);
    let list = pods.list(&ListParams::default().labels("app=helm-controller")).await?;
    let params = LogParams { since_seconds: Some(30), ..LogParams::default() };
    let mut text = String::new();
    for pod in list {
        text.push_str(&pods.logs(&pod.name_any(), &params).await?);
    }
    Ok(text)
}

fn last_error(log: &str, namespace: &str, name: &str) -> Option<String> {
    let events = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut errors = events.filter(|event| {
        event["controller"] == "helmrelease"
            && event["namespace"] == namespace
            && event["name"] == name
            && event["error"].is_string()
    });
    errors
        .next()
        .and_then(|event| event["error"].as_str().map(crate::diagnose::cut_secrets))
        .map(|message| message.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_last_error_of_the_same_object() {
        let log = r#"{"controller":"helmrelease","namespace":"a","name":"app","error":"old"}
not json
{"controller":"helmrelease","namespace":"a","name":"app","error":"cross-namespace references"}
{"controller":"helmrelease","namespace":"b","name":"app","error":"other"}"#;
        let last = last_error(log, "a", "app");
        assert_eq!(last.as_deref(), Some("cross-namespace references"));
        assert_eq!(last_error(log, "c", "app"), None);
    }
}
