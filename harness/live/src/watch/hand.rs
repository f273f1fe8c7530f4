//! What is done to the cluster beside Git: policies deleted, controllers restarted.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, DeleteParams, ListParams};
use kube::{Client, ResourceExt};

use crate::observe::twin::TWIN_OF;
use crate::wait::{Poll, Wait, WaitError, until};

/// Something that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    /// The API server refused it.
    #[error("failed to {action}: {source}")]
    Refused {
        /// What was tried.
        action: String,
        /// Why not.
        #[source]
        source: Box<kube::Error>,
    },
    /// There is nothing of that name.
    #[error("no pod of the cluster is labelled {0}")]
    Nothing(String),
    /// What was restarted does not come back.
    #[error(transparent)]
    NotBack(#[from] WaitError<std::convert::Infallible>),
}

fn refused(action: &str) -> impl FnOnce(kube::Error) -> HandError {
    let action = action.to_string();
    move |source| HandError::Refused { action, source: Box::new(source) }
}

/// Names of the policies of a namespace.
pub(super) async fn policies_of(
    client: &Client,
    namespace: &str,
) -> Result<Vec<String>, HandError> {
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), namespace);
    let found = policies.list(&ListParams::default()).await;
    let found = found.map_err(refused("list the policies"))?;
    Ok(found.iter().map(ResourceExt::name_any).collect())
}

/// Delete these policies of a namespace.
pub(super) async fn delete_policies(
    client: &Client,
    namespace: &str,
    names: &[String],
) -> Result<(), HandError> {
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), namespace);
    for name in names {
        let deleted = policies.delete(name, &DeleteParams::default()).await;
        deleted.map_err(refused("delete a policy"))?;
    }
    Ok(())
}

/// Whether a pod is a twin of ours: it has the labels of whom it stands for.
fn is_twin(pod: &Pod) -> bool {
    pod.annotations().contains_key(TWIN_OF)
}

/// Pods of a namespace by a label, `app=kustomize-controller`.
async fn controllers(
    client: &Client,
    namespace: &str,
    label: &str,
) -> Result<Vec<String>, HandError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let found = pods.list(&ListParams::default().labels(label)).await;
    let found = found.map_err(refused("list the pods"))?;
    Ok(found.iter().filter(|pod| !is_twin(pod)).map(ResourceExt::name_any).collect())
}

/// Delete every pod with this label, and wait until as many others are ready.
pub(super) async fn restart(
    client: &Client,
    namespace: &str,
    label: &str,
    limit: Duration,
) -> Result<(), HandError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let old = controllers(client, namespace, label).await?;
    if old.is_empty() {
        return Err(HandError::Nothing(format!("{label} in {namespace}")));
    }
    for name in &old {
        let deleted = pods.delete(name, &DeleteParams::default()).await;
        deleted.map_err(refused("delete a pod"))?;
    }
    let wait = Wait::at_most(limit);
    let condition = format!("{label} in {namespace} being ready again");
    let back = until::<(), std::convert::Infallible, _, _>(condition, wait, || async {
        match pods.list(&ListParams::default().labels(label)).await {
            Ok(found) => {
                let theirs = found.iter().filter(|pod| !is_twin(pod));
                let new = theirs.filter(|pod| !old.contains(&pod.name_any()));
                let ready = new.filter(|pod| is_ready(pod)).count();
                match ready >= old.len() {
                    true => Poll::Ready(()),
                    false => Poll::not_yet(format!("{ready} of {} ready", old.len())),
                }
            }
            Err(error) => Poll::not_yet(error.to_string()),
        }
    });
    Ok(back.await?)
}

fn is_ready(pod: &Pod) -> bool {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && containers.is_some_and(|all| all.iter().all(|container| container.ready))
}
