//! Pods that begin to run while the meter does.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use partywall_agent::protocol::{Ask, Reply, Sample};
use partywall_core::inventory::PodName;

use crate::agent_stream::{AgentPod, AgentStream};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(5);

/// A pod with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newborn {
    /// Its name.
    pub name: PodName,
    /// Its address.
    pub address: String,
    /// Whether it is on its way out.
    pub is_leaving: bool,
}

/// Pods with an address in these namespaces, save those that are known.
pub(super) async fn newborns(
    client: &Client,
    namespaces: &[String],
    known: &BTreeSet<PodName>,
) -> Result<Vec<Newborn>, kube::Error> {
    let mut found = Vec::new();
    for namespace in namespaces {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        for pod in pods.list(&ListParams::default()).await?.items {
            let name = PodName::new(namespace.clone(), pod.name_any());
            let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
            if let Some(address) = address.filter(|_| !known.contains(&name)) {
                let is_leaving = pod.metadata.deletion_timestamp.is_some();
                found.push(Newborn { name, address, is_leaving });
            }
        }
    }
    Ok(found)
}

/// The samples of the pace that an agent began at its first instruction.
pub(super) async fn own_pace(client: &Client, pod: &PodName) -> Result<Vec<Sample>, String> {
    let agent = AgentPod::new(pod.namespace.clone(), pod.name.clone());
    let mut stream =
        AgentStream::open(client, &agent, LIMIT).await.map_err(|error| error.to_string())?;
    match stream.ask(vec![Ask::OwnPace], LIMIT).await.pop() {
        Some(Ok(Reply::OwnPace(samples))) => Ok(samples),
        Some(Ok(other)) => Err(format!("it answered {other:?}")),
        Some(Err(lost)) => Err(lost.to_string()),
        None => Err("no answer".to_string()),
    }
}
