//! Our pods on the nodes' own network: one a node. They show what a node itself reaches, and who
//! reaches it: a node keeps no receipts, and these do.

use kube::Client;
use kube::api::DynamicObject;
use partywall_core::inventory::{
    HARNESS_LABEL, Inventory, NODE_CLIENT_NAME, NODE_CLIENT_PORT, Node, OPEN_NAMESPACE, Role,
};
use serde_json::json;

use super::harness_pods::{HarnessPodError, container, object, running};
use crate::apply::apply_all;

/// Make the pods that are missing, and wait until all run. Says whether any was made.
pub(super) async fn ensure(
    client: &Client,
    inventory: &Inventory,
    image: &str,
) -> Result<bool, HarnessPodError> {
    let has_one =
        |node: &&Node| inventory.with_role(Role::NodeClient).any(|pod| pod.node == node.name);
    let missing: Vec<&Node> = inventory.nodes.iter().filter(|node| !has_one(node)).collect();
    let pods: Vec<DynamicObject> = missing.iter().map(|node| pod(node, image)).collect();
    apply_all(client, &pods).await?;
    for node in &missing {
        running(client, OPEN_NAMESPACE, &name(node)).await?;
    }
    Ok(!missing.is_empty())
}

fn name(node: &Node) -> String {
    format!("{NODE_CLIENT_NAME}-{}", node.name)
}

fn pod(node: &Node, image: &str) -> DynamicObject {
    let mut agent = container(image, &[NODE_CLIENT_PORT]);
    // No decoy: what it listens on is the node's own.
    agent["args"] = json!(["serve", "--listen", NODE_CLIENT_PORT.to_string()]);
    // Abstract sockets belong to a network, and this one is the node's.
    if let Some(environment) = agent["env"].as_array_mut() {
        environment.push(json!({"name": "PARTYWALL_CONTROL", "value": NODE_CLIENT_NAME}));
    }
    object(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name(node),
            "namespace": OPEN_NAMESPACE,
            "labels": {HARNESS_LABEL: NODE_CLIENT_NAME},
        },
        "spec": {
            "hostNetwork": true,
            "nodeName": node.name,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [agent],
        },
    }))
}
