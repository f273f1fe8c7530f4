//! Taking a layout out of a session, so that another one starts from nothing: what one layout
//! left behind (rights above all) must not hide a defect of the next.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use crate::wait::{Poll, Wait, WaitError, until};

/// On everything that a Flux Kustomization applied.
const APPLIED_BY_FLUX: &str = "kustomize.toolkit.fluxcd.io/name";
/// Namespaces of the cluster itself and of Flux; those of the harness begin with `partywall-`.
const KEPT: [&str; 6] = [
    "default",
    "flux-system",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    // Of kind's published node images.
    "local-path-storage",
];
const AT_ONCE: usize = 16;
/// Flux's own kinds: group, version, kind. Kustomizations go first, so that nothing is pruned
/// or applied while the rest goes.
const FLUX_KINDS: [(&str, &str, &str); 4] = [
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease"),
    ("source.toolkit.fluxcd.io", "v1", "HelmChart"),
    ("source.toolkit.fluxcd.io", "v1", "GitRepository"),
];
/// What a layout may leave outside its own namespaces.
const LEFT_BEHIND: [(&str, &str, &str); 7] = [
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Secret"),
];
const GONE: Wait = Wait::seconds(60).every(Duration::from_millis(200));

/// A layout that could not be taken out.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// The API server refused something.
    #[error("failed to take the old layout out of the cluster: {0}")]
    Cluster(#[source] Box<kube::Error>),
    /// A namespace does not go.
    #[error("failed to take the old layout out of the cluster: {0}")]
    Remains(#[from] WaitError<std::convert::Infallible>),
}

impl From<kube::Error> for ClearError {
    fn from(error: kube::Error) -> Self {
        Self::Cluster(Box::new(error))
    }
}

/// Remove everything that Flux applied in this cluster, and the namespaces it made.
pub async fn clear(client: &Client) -> Result<(), ClearError> {
    for kind in FLUX_KINDS {
        remove_all(client, kind, &ListParams::default()).await?;
    }
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let listed = namespaces.list(&ListParams::default()).await?;
    let names: Vec<String> = listed.iter().map(ResourceExt::name_any).filter(|n| goes(n)).collect();
    for name in &names {
        ignore_absent(namespaces.delete(name, &DeleteParams::default()).await.map(|_| ()))?;
    }
    for kind in LEFT_BEHIND {
        remove_all(client, kind, &ListParams::default().labels(APPLIED_BY_FLUX)).await?;
    }
    until("the old layout's namespaces being gone", GONE, || async {
        let listed = match namespaces.list(&ListParams::default()).await {
            Ok(listed) => listed,
            Err(error) => return Poll::not_yet(error.to_string()),
        };
        let left: Vec<String> =
            listed.iter().map(ResourceExt::name_any).filter(|name| names.contains(name)).collect();
        if left.is_empty() { Poll::Ready(()) } else { Poll::not_yet(left.join(", ")) }
    })
    .await?;
    Ok(())
}

fn goes(namespace: &str) -> bool {
    !KEPT.contains(&namespace) && !namespace.starts_with("partywall-")
}

async fn remove_all(
    client: &Client,
    (group, version, kind): (&str, &str, &str),
    which: &ListParams,
) -> Result<(), ClearError> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let found = all.list(which).await?;
    let removals = found.items.into_iter().map(|object| {
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
            None => all.clone(),
        };
        async move {
            let name = object.name_any();
            // Without its finalizers: the objects behind it go with their namespaces.
            let bare = Patch::Merge(json!({"metadata": {"finalizers": null}}));
            ignore_absent(api.delete(&name, &DeleteParams::background()).await.map(|_| ()))?;
            ignore_absent(api.patch(&name, &PatchParams::default(), &bare).await.map(|_| ()))
        }
    });
    let done = futures::stream::iter(removals).buffer_unordered(AT_ONCE);
    done.try_collect::<Vec<()>>().await?;
    Ok(())
}

fn ignore_absent(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}
