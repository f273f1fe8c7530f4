//! Twins: our agent beside somebody else's pod, with the same labels, namespace, service
//! account and node, so that policies treat both alike and the deny has a receipt.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core_v1;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use partywall_core::contract::Contract;
use partywall_core::inventory::{Inventory, Pod, PodName, Role};
use serde_json::{Value, json};

use super::harness_pods::{HarnessPodError, container, object, running};
use crate::apply::{apply, apply_all};

/// Annotation: the pod that this one stands for.
pub(crate) const TWIN_OF: &str = "partywall.dev/twin-of";
/// Annotation: the UID of that pod. A StatefulSet gives the next pod the same name.
const TWIN_OF_UID: &str = "partywall.dev/twin-of-uid";
/// A condition that nothing ever sets: the twin never becomes an endpoint of a Service.
const NEVER: &str = "partywall.dev/never-ready";
/// The owner of the twins of a namespace. A pod that has a controller is not adopted by the
/// ReplicaSet whose labels it shares.
const OWNER: &str = "partywall-twins";

/// Pods as the API server has them, by name.
pub(super) type Standing = BTreeMap<PodName, core_v1::Pod>;

/// Make the twins that are missing, and remove those that stand for no pod of today.
/// Says whether anything changed, so that the inventory must be read again.
pub(super) async fn ensure(
    client: &Client,
    contract: &Contract,
    inventory: &Inventory,
    agent_image: &str,
) -> Result<bool, HarnessPodError> {
    let standing = standing(client).await?;
    let removed = remove_stale(client, inventory, &standing).await;
    let has_twin =
        |pod: &Pod| inventory.stand_in(pod).is_some_and(|twin| !removed.contains(&twin.name));
    let originals: Vec<&Pod> =
        originals(contract, inventory).filter(|pod| !has_twin(pod)).collect();
    let mut owners = BTreeMap::new();
    for pod in &originals {
        let namespace = &pod.name.namespace;
        if !owners.contains_key(namespace) {
            owners.insert(namespace.clone(), owner(client, namespace).await?);
        }
    }
    let twins: Vec<DynamicObject> = originals
        .iter()
        .filter_map(|pod| {
            let (original, owner) = (standing.get(&pod.name)?, owners.get(&pod.name.namespace)?);
            Some(twin(pod, original, contract, agent_image, owner))
        })
        .collect();
    apply_all(client, &twins).await?;
    for pod in &originals {
        running(client, &pod.name.namespace, &twin_name(pod)).await?;
    }
    Ok(!removed.is_empty() || !twins.is_empty())
}

pub(super) async fn standing(client: &Client) -> Result<Standing, HarnessPodError> {
    let pods: Api<core_v1::Pod> = Api::all(client.clone());
    let pods = pods.list(&ListParams::default()).await;
    let pods = pods.map_err(|source| HarnessPodError::Listing(Box::new(source)))?;
    let named = pods
        .items
        .into_iter()
        .filter_map(|pod| Some((PodName::new(pod.namespace()?, pod.name_any()), pod)));
    Ok(named.collect())
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

async fn remove_stale(
    client: &Client,
    inventory: &Inventory,
    standing: &Standing,
) -> BTreeSet<PodName> {
    let mut removed = BTreeSet::new();
    for pod in &inventory.pods {
        let Role::Twin { of } = &pod.role else { continue };
        let original = inventory.pod(of).filter(|original| !original.agent);
        let original = original.and_then(|original| standing.get(&original.name));
        let is_current = standing
            .get(&pod.name)
            .zip(original)
            .is_some_and(|(twin, original)| stands_for(twin, original));
        if !is_current {
            let pods: Api<core_v1::Pod> = Api::namespaced(client.clone(), &pod.name.namespace);
            let at_once = DeleteParams::default().grace_period(0);
            // A twin that is already gone is as good as removed.
            let _gone = pods.delete(&pod.name.name, &at_once).await;
            removed.insert(pod.name.clone());
        }
    }
    removed
}

/// Whether policies still treat a twin as they treat this pod: the same pod, with the same labels.
pub(super) fn stands_for(twin: &core_v1::Pod, original: &core_v1::Pod) -> bool {
    let uid = original.metadata.uid.as_ref();
    twin.annotations().get(TWIN_OF_UID) == uid && twin.labels() == original.labels()
}

pub(super) async fn owner(client: &Client, namespace: &str) -> Result<String, HarnessPodError> {
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

pub(super) fn twin(
    pod: &Pod,
    original: &core_v1::Pod,
    contract: &Contract,
    image: &str,
    owner_uid: &str,
) -> DynamicObject {
    let mut numbers: BTreeSet<u16> = pod.declared.iter().map(|port| port.number).collect();
    for endpoint in contract.endpoints.values() {
        if endpoint.selects(&pod.name.namespace, &pod.labels) {
            numbers.extend(endpoint.ports.iter().map(|port| port.number));
        }
    }
    let numbers: Vec<u16> = numbers.into_iter().collect();
    let mut agent = container(image, &numbers);
    agent["ports"] = declared(original, &numbers);
    object(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": twin_name(pod),
            "namespace": pod.name.namespace,
            "labels": original.labels(),
            "annotations": {TWIN_OF: pod.name.name, TWIN_OF_UID: original.metadata.uid},
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
            "containers": [agent],
        },
    }))
}

/// The original's ports with their names, by which a policy may know them, and those of the
/// contract that the original does not declare.
fn declared(original: &core_v1::Pod, numbers: &[u16]) -> Value {
    let containers = original.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let mut declared: Vec<Value> = Vec::new();
    for port in ports {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let mut entry = json!({"containerPort": port.container_port, "protocol": protocol});
        if let Some(name) = &port.name {
            entry["name"] = json!(name);
        }
        declared.push(entry);
    }
    for number in numbers {
        if !declared.iter().any(|port| port["containerPort"] == *number) {
            declared.push(json!({"containerPort": number, "protocol": "TCP"}));
        }
    }
    Value::Array(declared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(value: Value) -> core_v1::Pod {
        serde_json::from_value(value).unwrap()
    }

    fn original() -> core_v1::Pod {
        pod(json!({
            "metadata": {"uid": "u1", "labels": {"app": "dns"}},
            "spec": {"containers": [{"name": "a", "ports": [
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
                {"containerPort": 9153},
            ]}]},
        }))
    }

    #[test]
    fn a_twin_declares_the_ports_of_its_original_by_their_names() {
        let declared = declared(&original(), &[53, 8181, 9153]);
        let expected = json!([
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            {"containerPort": 9153, "protocol": "TCP"},
            {"containerPort": 8181, "protocol": "TCP"},
        ]);
        assert_eq!(declared, expected);
    }

    #[test]
    fn a_twin_stands_for_one_pod_with_one_set_of_labels() {
        let twin = |uid: &str, app: &str| {
            pod(json!({"metadata": {
                "labels": {"app": app}, "annotations": {TWIN_OF_UID: uid},
            }}))
        };
        assert!(stands_for(&twin("u1", "dns"), &original()));
        assert!(!stands_for(&twin("u0", "dns"), &original()), "the next pod of that name");
        assert!(!stands_for(&twin("u1", "web"), &original()), "the labels were changed");
    }
}
