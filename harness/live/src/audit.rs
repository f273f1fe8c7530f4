//! The API server's receipts: its audit log, of which `up` keeps the probes' own requests.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde_json::Value;

/// Which of these nonces an API server has logged (`GET /partywall/<nonce>`).
pub async fn audited(
    client: &Client,
    nonces: &BTreeSet<String>,
) -> Result<BTreeSet<String>, kube::Error> {
    let control_planes = ListParams::default().labels("node-role.kubernetes.io/control-plane");
    let nodes = Api::<Node>::all(client.clone()).list(&control_planes).await?;
    let mut seen = BTreeSet::new();
    for node in nodes {
        let path = format!("/api/v1/nodes/{}/proxy/logs/kubernetes/audit.log", node.name_any());
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|error| kube::Error::Service(error.into()))?;
        let log = match client.request_text(request).await {
            Ok(log) => log,
            // The file is made with the first line.
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            Err(error) => return Err(error),
        };
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            let uri = event["requestURI"].as_str().unwrap_or_default();
            let nonce = uri.strip_prefix("/partywall/").unwrap_or_default();
            if nonces.contains(nonce) {
                seen.insert(nonce.to_string());
            }
        }
    }
    Ok(seen)
}
