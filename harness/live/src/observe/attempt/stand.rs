//! Waiting until a hostile object has done what it does by itself.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use partywall_core::attempt::{ATTEMPT_LABEL, AttemptProbe, Effect, Hostile};
use partywall_core::inventory::{self, PodName, Role};
use partywall_core::observation::{AttemptAnswer, Layer};
use partywall_core::probe::{ReachProbe, Target};
use serde_json::Value;

use super::answer::layer;
use crate::wait::{Poll, Wait, WaitError, until};

/// A pod of our own image starts in seconds.
const POD: Wait = Wait::seconds(40).every(Duration::from_millis(150));
/// Fetching a chart, and being refused.
const RELEASE: Wait = Wait::seconds(45).every(Duration::from_millis(250));

/// What stands under the name of a hostile object.
#[derive(Debug, Default)]
pub(super) struct Stand {
    /// The pod that a hostile workload made.
    pub(super) pod: Option<inventory::Pod>,
    /// Addresses by `namespace/name`.
    addresses: BTreeMap<String, String>,
    /// Real names of pods by the names that the plan has for them.
    names: BTreeMap<PodName, PodName>,
}

impl Stand {
    /// A probe with the real names and addresses in it.
    pub(super) fn real(&self, probe: &ReachProbe) -> ReachProbe {
        let name = |name: &PodName| self.names.get(name).unwrap_or(name).clone();
        let target = &probe.target;
        let address = self.addresses.get(&target.address).unwrap_or(&target.address);
        ReachProbe {
            from: name(&probe.from),
            target: Target {
                address: address.clone(),
                servers: target.servers.iter().map(name).collect(),
                ..target.clone()
            },
        }
    }
}

/// What came of an object that was taken, and the answer if something refused it after all.
pub(super) async fn stand(
    client: &Client,
    probe: &AttemptProbe,
    stored: &[DynamicObject],
) -> Result<Stand, AttemptAnswer> {
    let mut stand = Stand::default();
    for object in stored {
        let namespace = object.namespace().unwrap_or_default();
        let place = format!("{namespace}/{}", object.name_any());
        let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
        match kind {
            "Service" => {
                let address = object.data["spec"]["clusterIP"].as_str().unwrap_or_default();
                if !address.is_empty() {
                    stand.addresses.insert(place, address.to_string());
                }
            }
            "Deployment" => pod(client, probe, object, &mut stand).await?,
            "HelmRelease" if probe.hostile.effect() == Effect::Release => {
                released(client, object).await?;
            }
            _ => {}
        }
    }
    Ok(stand)
}

/// The pod of a Deployment, or why there is none.
async fn pod(
    client: &Client,
    probe: &AttemptProbe,
    deployment: &DynamicObject,
    stand: &mut Stand,
) -> Result<(), AttemptAnswer> {
    let namespace = deployment.namespace().unwrap_or_default();
    let name = deployment.name_any();
    let condition = format!("a pod of {namespace}/{name}, or its refusal");
    let must_run =
        matches!(probe.hostile.effect(), Effect::Pod) || probe.hostile == Hostile::HostNetworkPod;
    let waited = until(condition, POD, || look(client, &namespace, &name, must_run)).await;
    let pod = waited.map_err(ended)?;
    let real = PodName::new(&namespace, pod.name_any());
    let planned = PodName::new(&namespace, &name);
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap_or_default();
    stand.addresses.insert(planned.to_string(), address.clone());
    stand.names.insert(planned, real.clone());
    stand.pod = Some(inventory::Pod {
        name: real,
        workload: name,
        labels: pod.labels().clone(),
        address,
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
        service_account: "default".to_string(),
        host_network: pod.spec.is_some_and(|spec| spec.host_network == Some(true)),
        role: Role::Workload,
        agent: true,
        declared: Vec::new(),
        decoys: Vec::new(),
    });
    Ok(())
}

async fn look(
    client: &Client,
    namespace: &str,
    name: &str,
    must_run: bool,
) -> Poll<Pod, AttemptAnswer> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&format!("{ATTEMPT_LABEL}={name}"));
    let found = match pods.list(&params).await {
        Ok(found) => found.items.into_iter().next(),
        Err(error) => return Poll::not_yet(error.to_string()),
    };
    if let Some(pod) = found {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone());
        let ready = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "ContainersReady" && condition.status == "True");
        return if ready || !must_run {
            Poll::Ready(pod)
        } else {
            let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
            Poll::not_yet(format!("its pod is {phase}"))
        };
    }
    match failure(client, namespace, name).await {
        // A quota says that there are enough pods, not that this one may not be.
        Ok(Some(message)) if message.contains("exceeded quota") => {
            Poll::Failed(AttemptAnswer::Unknown { detail: message })
        }
        Ok(Some(message)) => {
            let layer = layer(403, &message).unwrap_or(Layer::Admission);
            Poll::Failed(AttemptAnswer::Refused { layer, message })
        }
        Ok(None) => Poll::not_yet("there is no pod"),
        Err(error) => Poll::not_yet(error.to_string()),
    }
}

/// Why a Deployment can make no pod.
async fn failure(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<String>, kube::Error> {
    let api: Api<k8s_openapi::api::apps::v1::Deployment> =
        Api::namespaced(client.clone(), namespace);
    let deployment = api.get(name).await?;
    let conditions = deployment.status.and_then(|status| status.conditions).unwrap_or_default();
    let failed = conditions
        .into_iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True");
    Ok(failed.and_then(|condition| condition.message))
}

/// What Flux says of a HelmRelease: that Helm may not do it, or that it did.
async fn released(client: &Client, release: &DynamicObject) -> Result<(), AttemptAnswer> {
    let (namespace, name) = (release.namespace().unwrap_or_default(), release.name_any());
    let kind = GroupVersionKind::gvk("helm.toolkit.fluxcd.io", "v2", "HelmRelease");
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let condition = format!("Flux trying HelmRelease {namespace}/{name}");
    let waited = until(condition, RELEASE, || async {
        match api.get(&name).await {
            Ok(found) => verdict(&found.data),
            Err(error) => Poll::not_yet(error.to_string()),
        }
    });
    waited.await.map_err(ended)
}

fn verdict(release: &Value) -> Poll<(), AttemptAnswer> {
    let conditions = release["status"]["conditions"].as_array().into_iter().flatten();
    let mut last = String::new();
    for condition in conditions {
        let text = |key: &str| condition[key].as_str().unwrap_or_default();
        let (of_release, status) = (text("type"), text("status"));
        if of_release == "Released" && status == "True" {
            return Poll::Ready(());
        }
        let message = text("message");
        if status == "False" && message.contains("is forbidden") {
            let layer = layer(403, message).unwrap_or(Layer::Rights);
            let message = message.lines().next().unwrap_or_default().to_string();
            return Poll::Failed(AttemptAnswer::Refused { layer, message });
        }
        if of_release == "Ready" {
            last = format!("Ready is {status}: {message}");
        }
    }
    Poll::not_yet(last)
}

fn ended(error: WaitError<AttemptAnswer>) -> AttemptAnswer {
    match error {
        WaitError::Failed(answer) => answer,
        WaitError::TimedOut { condition, waited, last } => {
            let error = WaitError::<Infallible>::TimedOut { condition, waited, last };
            AttemptAnswer::Unknown { detail: error.to_string() }
        }
    }
}
