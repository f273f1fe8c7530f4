//! The namespaces and pods of the proving ground: labels, named ports and missing ones, so that
//! every kind of selector finds some of the pods and not others.

use std::time::Duration;

use k8s_openapi::api::core::v1 as core_v1;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use partywall_core::inventory::HARNESS_LABEL;
use partywall_offline::netpol::{Address, ContainerPort, NamespaceFacts, PodFacts, Protocol};
use serde_json::{Value, json};

use super::error::ProvingError;
use super::evidence::Ground;
use crate::apply::apply_all;
use crate::observe::harness_pods::{container, object, running};
use crate::wait::{Poll, Wait, until};

/// The value of the harness's label on everything here.
const PROVING: &str = "proving";
/// Where the sentinel stands: no generated policy is put there.
pub(super) const SENTINEL_NAMESPACE: &str = "partywall-proving-sentinel";
/// Every agent listens on these.
pub(super) const PORTS: [u16; 3] = [8000, 8001, 8003];
const GONE: Wait = Wait::seconds(120).every(Duration::from_millis(250));

/// A pod's name, its labels, and the place of its declared ports.
type PodPlan = (&'static str, Value, usize);

/// Namespaces with their own labels, and their pods.
fn plan() -> Vec<(&'static str, Value, Vec<PodPlan>)> {
    vec![
        (
            "partywall-proving-a",
            json!({"team": "blue", "stage": "live"}),
            vec![
                ("web", json!({"app": "web", "tier": "front"}), 0),
                ("db", json!({"app": "db", "tier": "back"}), 1),
                ("bare", json!({}), 2),
            ],
        ),
        (
            "partywall-proving-b",
            json!({"team": "green", "stage": "live"}),
            vec![
                ("web", json!({"app": "web", "tier": "front", "extra": ""}), 1),
                ("db", json!({"app": "db"}), 2),
                ("job", json!({"app": "job", "tier": "back"}), 0),
            ],
        ),
        (
            "partywall-proving-c",
            json!({"team": "blue"}),
            vec![
                ("web", json!({"app": "web"}), 2),
                ("job", json!({"app": "job", "extra": "yes"}), 0),
            ],
        ),
        ("partywall-proving-d", json!({}), vec![("db", json!({"app": "db", "tier": "back"}), 0)]),
    ]
}

/// Declarations of ports. One name stands for different numbers and protocols, and not every
/// port that listens is declared.
fn declared(place: usize) -> Value {
    match place {
        0 => json!([
            {"name": "http", "containerPort": 8000, "protocol": "TCP"},
            {"name": "metrics", "containerPort": 8001, "protocol": "TCP"},
            {"name": "dns", "containerPort": 8003, "protocol": "UDP"},
        ]),
        1 => json!([
            {"name": "http", "containerPort": 8001, "protocol": "TCP"},
            {"name": "dns", "containerPort": 8000, "protocol": "UDP"},
        ]),
        _ => json!([
            {"name": "http", "containerPort": 8000, "protocol": "UDP"},
            {"name": "metrics", "containerPort": 8003, "protocol": "TCP"},
            {"containerPort": 8001, "protocol": "TCP"},
        ]),
    }
}

/// Make the ground and read it back as it stands.
pub(super) async fn make(client: &Client, image: &str) -> Result<Ground, ProvingError> {
    let plan = plan();
    let namespaces: Vec<_> =
        plan.iter().map(|(name, labels, _)| namespace(name, labels.clone())).collect();
    apply_all(client, &namespaces).await?;
    let pods = plan.iter().flat_map(|(namespace, _, pods)| {
        pods.iter().map(|(name, labels, ports)| {
            let mut agent = container(image, &PORTS);
            agent["ports"] = declared(*ports);
            pod(namespace, name, labels.clone(), agent, None)
        })
    });
    apply_all(client, &pods.collect::<Vec<_>>()).await?;
    let mut ground = Ground { ports: PORTS.to_vec(), ..Ground::default() };
    let standing: Api<core_v1::Namespace> = Api::all(client.clone());
    for (name, _, pods) in &plan {
        for (pod, _, _) in pods {
            running(client, name, pod).await?;
        }
        let found = standing.get(name).await?;
        let labels = found.labels().clone().into_iter().collect();
        ground.namespaces.push(NamespaceFacts { name: (*name).to_string(), labels });
        let standing: Api<core_v1::Pod> = Api::namespaced(client.clone(), name);
        ground.pods.extend(standing.list(&ListParams::default()).await?.iter().map(facts));
    }
    Ok(ground)
}

/// A namespace with the harness's label and these.
pub(super) fn namespace(name: &str, mut labels: Value) -> DynamicObject {
    labels[HARNESS_LABEL] = json!(PROVING);
    object(json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
    }))
}

/// A pod of one agent.
pub(super) fn pod(
    namespace: &str,
    name: &str,
    mut labels: Value,
    agent: Value,
    node: Option<&str>,
) -> DynamicObject {
    labels[HARNESS_LABEL] = json!(PROVING);
    let mut spec = json!({
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": false,
        "containers": [agent],
    });
    if let Some(node) = node {
        spec["nodeName"] = json!(node);
        spec["tolerations"] = json!([{"operator": "Exists"}]);
    }
    object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec,
    }))
}

/// A pod as policies see it.
fn facts(pod: &core_v1::Pod) -> PodFacts {
    let addresses = pod.status.iter().flat_map(|status| status.pod_ips.iter().flatten());
    let addresses = addresses.filter_map(|address| address.ip.parse().ok()).collect();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    PodFacts {
        namespace: pod.namespace().unwrap_or_default(),
        name: pod.name_any(),
        labels: pod.labels().clone().into_iter().collect(),
        ports: ports.filter_map(port).collect(),
        host_network: false,
        address: Address::Known(addresses),
    }
}

fn port(port: &core_v1::ContainerPort) -> Option<ContainerPort> {
    Some(ContainerPort {
        name: port.name.clone(),
        number: u16::try_from(port.container_port).ok()?,
        protocol: Protocol::from_word(port.protocol.as_deref().unwrap_or("TCP"))?,
    })
}

/// A policy whose exception alone shuts a pod out. Generated ones need luck to come to that.
pub(super) fn excepting(ground: &Ground) -> Option<Value> {
    let (called, caller) = (ground.pods.last()?, ground.pods.first()?);
    let Address::Known(addresses) = &caller.address else { return None };
    let address = addresses.iter().find(|address| address.is_ipv4())?;
    let block = json!({"cidr": "0.0.0.0/0", "except": [format!("{address}/32")]});
    Some(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "excepting", "namespace": called.namespace},
        "spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}]}]},
    }))
}

/// Remove every namespace of a proving ground, also of one that was interrupted.
pub(super) async fn remove(client: &Client) -> Result<(), ProvingError> {
    let namespaces: Api<core_v1::Namespace> = Api::all(client.clone());
    let ours = ListParams::default().labels(&format!("{HARNESS_LABEL}={PROVING}"));
    for namespace in namespaces.list(&ours).await? {
        match namespaces.delete(&namespace.name_any(), &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => drop(other?),
        }
    }
    let gone = until("the proving ground being gone", GONE, || async {
        match namespaces.list(&ours).await {
            Ok(left) if left.items.is_empty() => Poll::Ready(()),
            Ok(left) => Poll::not_yet(format!("{} namespaces stand", left.items.len())),
            Err(error) => Poll::not_yet(error.to_string()),
        }
    });
    Ok(gone.await?)
}

/// The ground as it would stand, with addresses of its own making.
#[cfg(test)]
pub(super) fn made_up() -> Ground {
    let mut ground = Ground { ports: PORTS.to_vec(), ..Ground::default() };
    for (namespace, labels, pods) in plan() {
        let labels = serde_json::from_value(labels).unwrap_or_default();
        ground.namespaces.push(NamespaceFacts { name: namespace.to_string(), labels });
        for (name, labels, ports) in pods {
            let number = u8::try_from(ground.pods.len()).unwrap_or_default();
            let mut pod: core_v1::Pod = serde_json::from_value(json!({
                "metadata": {"namespace": namespace, "name": name, "labels": labels},
                "spec": {"containers": [{"name": "agent", "ports": declared(ports)}]},
            }))
            .unwrap_or_default();
            let address = format!("10.0.0.{number}");
            pod.status = serde_json::from_value(json!({"podIPs": [{"ip": address}]})).ok();
            ground.pods.push(facts(&pod));
        }
    }
    ground
}
