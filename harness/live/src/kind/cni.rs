//! Calico without its installer, and one plain route per node.

use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use super::error::UpError;
use super::family;
use super::rollout::rolled_out;
use crate::apply::{apply_all, established};
use crate::exec::exec;
use crate::manifests::{CALICO_CRDS, objects, objects_with_images};
use crate::session::Session;
use crate::wait::{Poll, Wait};

const ROLLOUT: Duration = Duration::from_secs(120);

/// Install Calico and wait until every node is Ready.
pub(crate) async fn install(client: &Client, session: &Session) -> Result<(), UpError> {
    let definitions = objects("cni/crds.yaml", CALICO_CRDS)?;
    apply_all(client, &definitions).await?;
    established(client, &definitions, Duration::from_secs(30)).await?;
    apply_all(client, &family::datastore(session.ip_family)?).await?;
    let components = &session.bundle.components;
    let calico = family::calico(session.ip_family);
    apply_all(client, &objects_with_images("cni/calico.yaml", &calico, components)?).await?;
    let wait = Wait::at_most(ROLLOUT);
    let condition = "calico ready on every node".to_string();
    let look = || ready(client, session.nodes);
    rolled_out(client, "kube-system", condition, wait, look).await?;
    routes(client).await
}

async fn ready(client: &Client, nodes: u8) -> Poll<(), std::convert::Infallible> {
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), "kube-system");
    let status = match sets.get_status("calico-node").await {
        Ok(set) => set.status.unwrap_or_default(),
        Err(error) => return Poll::not_yet(error.to_string()),
    };
    if status.number_ready < i32::from(nodes) {
        return Poll::not_yet(format!("felix ready on {} of {nodes} nodes", status.number_ready));
    }
    let found = match Api::<Node>::all(client.clone()).list(&ListParams::default()).await {
        Ok(found) => found,
        Err(error) => return Poll::not_yet(error.to_string()),
    };
    match found.iter().find(|node| !is_ready(node)) {
        Some(node) => Poll::not_yet(format!("node {} is not Ready", node.name_any())),
        None => Poll::Ready(()),
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Each node reaches the other nodes' pods by their node; there is no overlay and no BGP.
async fn routes(client: &Client) -> Result<(), UpError> {
    let failed = |action| move |source| UpError::Cluster { action, source: Box::new(source) };
    let all = ListParams::default();
    let nodes = Api::<Node>::all(client.clone()).list(&all).await;
    let nodes = nodes.map_err(failed("list the nodes"))?;
    if nodes.items.len() < 2 {
        return Ok(());
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), "kube-system");
    let felix = pods.list(&ListParams::default().labels("k8s-app=calico-node")).await;
    for pod in felix.map_err(failed("list Calico's pods"))? {
        let here = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        for other in nodes.iter().filter(|node| node.name_any() != here) {
            for (range, address) in places(other) {
                let route = ["ip", "route", "replace", &range, "via", &address];
                exec(client, "kube-system", &pod.name_any(), &route)
                    .await
                    .map_err(failed("set the routes between nodes"))?;
            }
        }
    }
    Ok(())
}

/// The ranges of a node's pods, each with the node's address of the same family.
fn places(node: &Node) -> Vec<(String, String)> {
    let ranges = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
    let status = node.status.as_ref();
    let addresses = status.and_then(|status| status.addresses.clone()).unwrap_or_default();
    let internal: Vec<String> = addresses
        .into_iter()
        .filter(|address| address.type_ == "InternalIP")
        .map(|address| address.address)
        .collect();
    let of_range = |range: String| {
        let is_same = |address: &&String| address.contains(':') == range.contains(':');
        let address = internal.iter().find(is_same)?.clone();
        Some((range, address))
    };
    ranges.into_iter().filter_map(of_range).collect()
}
