//! Twins: our agent beside somebody else's pod, with the same labels, namespace, service
//! account and node, so that policies treat both alike and the deny has a receipt.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core_v1;
use kube::api::{DeleteParams, DynamicObject};
use kube::{Api, Client};
use partywall_core::contract::Contract;
use partywall_core::inventory::{Inventory, Pod, Role};
use serde_json::json;

use super::harness_pods::{HarnessPodError, container, object, running};
use crate::apply::{apply, apply_all};

/// Annotation: the pod that this one stands for.
pub(super) const TWIN_OF: &str = "partywall.dev/twin-of";
/// A condition that nothing ever sets: the twin never becomes an endpoint of a Service.
const NEVER: &str = "partywall.dev/never-ready";
/// The owner of the twins of a namespace. A pod that has a controller is not adopted by the
/// ReplicaSet whose labels it shares.
const OWNER: &str = "partywall-twins";

/// Make the twins that are missing, and remove those whose original is gone.
/// Says whether anything changed, so that the inventory must be read again.
pub(super) async fn ensure(
    client: &Client,
    contract: &Contract,
    inventory: &Inventory,
    agent_image: &str,
) -> Result<bool, HarnessPodError> {
    let removed = remove_stale(client, inventory).await;
    let originals: Vec<&Pod> = originals(contract, inventory)
        .filter(|pod| inventory.stand_in(pod).is_none())
        .collect();
    let mut owners = BTreeMap::new();
    for pod in &originals {
        let namespace = &pod.name.namespace;
        if !owners.contains_key(namespace) {
            owners.insert(namespace.clone(), owner(client, namespace).await?);
        }
    }
    let twins: Vec<DynamicObject> = originals
        .iter()
        .filter_map(|pod| Some(twin(pod, contract, agent_image, owners.get(&pod.name.namespace)?)))
        .collect();
    apply_all(client, &twins).await?;
    for pod in &originals {
        running(client, &pod.name.namespace, &twin_name(pod)).await?;
    }
    Ok(removed || !twins.is_empty())
}

/// Pods on the pod network that are not ours and are asked about.
fn originals<'a>(
    contract: &'a Contract,
    inventory: &'a Inventory,
) -> impl Iterator<Item = &'a Pod> {
    inventory.pods.iter().filter(|pod| {
        let namespace = &pod.name.namespace;
        pod.role == Role::Workload
            && !pod.agent
            && !pod.host_network
            && (contract.platform.contains(namespace) || contract.tenant_of(namespace).is_some())
    })
}

async fn remove_stale(client: &Client, inventory: &Inventory) -> bool {
    let mut removed = false;
    for pod in &inventory.pods {
        let Role::Twin { of } = &pod.role else { continue };
        if inventory.pod(of).is_none() {
            let pods: Api<core_v1::Pod> = Api::namespaced(client.clone(), &pod.name.namespace);
            // A twin that is already gone is as good as removed.
            let _gone = pods.delete(&pod.name.name, &DeleteParams::default()).await;
            removed = true;
        }
    }
    removed
}

async fn owner(client: &Client, namespace: &str) -> Result<String, HarnessPodError> {
    let config_map = object(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": OWNER, "namespace": namespace},
    }));
    let applied = apply(client, &config_map).await?;
    Ok(applied.metadata.uid.unwrap_or_default())
}

fn twin_name(pod: &Pod) -> String {
    // Replicas of one workload each have a twin of their own.
    format!("{}-twin", pod.name.name)
}

fn twin(pod: &Pod, contract: &Contract, image: &str, owner_uid: &str) -> DynamicObject {
    let mut ports: Vec<u16> = pod.declared.iter().map(|port| port.number).collect();
    for endpoint in contract.endpoints.values() {
        if endpoint.selects(&pod.name.namespace, &pod.labels) {
            ports.extend(endpoint.ports.iter().map(|port| port.number));
        }
    }
    ports.sort_unstable();
    ports.dedup();
    object(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": twin_name(pod),
            "namespace": pod.name.namespace,
            "labels": pod.labels,
            "annotations": {TWIN_OF: pod.name.name},
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "ConfigMap", "name": OWNER, "uid": owner_uid,
                "controller": true,
            }],
        },
        "spec": {
            "nodeName": pod.node,
            "serviceAccountName": pod.service_account,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "readinessGates": [{"conditionType": NEVER}],
            // Ports below 1024 are the target's, not a privilege.
            "securityContext": {
                "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
            },
            "tolerations": [{"operator": "Exists"}],
            "containers": [container(image, &ports)],
        },
    }))
}
