//! Taking away what attempts left: at the start of a run, and when one is cut off.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use partywall_core::attempt::ATTEMPT;
use partywall_core::inventory::HARNESS_LABEL;
use serde::{Deserialize, Serialize};

use super::answer::LABELS_BEFORE;

/// Group, version and kind.
type Kind = (&'static str, &'static str, &'static str);

/// Every kind that an attempt makes in a namespace.
const KINDS: [Kind; 11] = [
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease"),
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
    ("apps", "v1", "Deployment"),
    ("", "v1", "Pod"),
    ("discovery.k8s.io", "v1", "EndpointSlice"),
    ("", "v1", "Endpoints"),
    ("", "v1", "ConfigMap"),
    ("networking.k8s.io", "v1", "Ingress"),
];
/// What is deleted one by one: the API server has no collection to delete.
const SINGLY: Kind = ("", "v1", "Service");
const OF_CLUSTER: Kind = ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding");
const AT_ONCE: usize = 16;
/// How long a cut off run may take to clean up behind itself.
const CUT_OFF: Duration = Duration::from_secs(10);

/// Remove everything that attempts have made, and give Namespaces their labels back.
pub(crate) async fn sweep(client: &Client) -> Result<(), String> {
    // Listing all namespaces at once tells whether there is anything, with one call a kind.
    let kinds = KINDS.iter().chain([&SINGLY, &OF_CLUSTER]);
    let sweeps: Vec<_> = kinds.map(|kind| swept(client, *kind)).collect();
    let results: Vec<Result<(), String>> =
        futures::stream::iter(sweeps).buffer_unordered(AT_ONCE).collect().await;
    results.into_iter().collect::<Result<Vec<()>, String>>()?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let listed =
        namespaces.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
    for namespace in listed {
        restore(client, namespace).await?;
    }
    Ok(())
}

async fn swept(client: &Client, kind: Kind) -> Result<(), String> {
    let (group, version, name) = kind;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, name));
    let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let params = ListParams::default().labels(&format!("{HARNESS_LABEL}={ATTEMPT}"));
    let found = match all.list(&params).await {
        Ok(found) => found.items,
        // A cluster without Flux does not know its kinds.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(error) => return Err(format!("failed to list {name}: {error}")),
    };
    for object in found {
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
            None => all.clone(),
        };
        match api.delete(&object.name_any(), &DeleteParams::background()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(format!("failed to delete {name}: {error}")),
        }
    }
    Ok(())
}

/// What a Namespace was before an attempt changed its labels.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Before {
    labels: BTreeMap<String, String>,
    /// Who owns which field: a label that somebody beside Flux owned would stay when a commit takes
    /// it out, so that the next layout would not be what its files say.
    owners: Vec<ManagedFieldsEntry>,
}

impl Before {
    /// As it is now.
    pub(super) fn of(namespace: &Namespace) -> Self {
        let metadata = namespace.metadata.clone();
        Self {
            labels: metadata.labels.unwrap_or_default(),
            owners: metadata.managed_fields.unwrap_or_default(),
        }
    }
}

/// Give a Namespace the labels back that it had before an attempt, and their owners.
async fn restore(client: &Client, namespace: Namespace) -> Result<(), String> {
    let Some(before) = namespace.annotations().get(LABELS_BEFORE) else { return Ok(()) };
    let before: Before = serde_json::from_str(before)
        .map_err(|_| format!("what {} was before is not readable", namespace.name_any()))?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let (name, params) = (namespace.name_any(), PostParams::default());
    let mut former = namespace;
    former.metadata.labels = Some(before.labels);
    if let Some(annotations) = &mut former.metadata.annotations {
        annotations.remove(LABELS_BEFORE);
    }
    let mut former =
        namespaces.replace(&name, &params, &former).await.map_err(|error| error.to_string())?;
    // Whoever changes a field owns it, so that owners come second.
    former.metadata.managed_fields = Some(before.owners);
    let replaced = namespaces.replace(&name, &params, &former).await;
    replaced.map(|_| ()).map_err(|error| error.to_string())
}

/// Sweeps when it is dropped before it was put away: an interrupt, a deadline or a panic cuts a
/// run off in the middle, and a hostile object must not stand for the next one.
pub(super) struct Broom {
    kubeconfig: Option<PathBuf>,
}

impl Broom {
    pub(super) const fn new(kubeconfig: PathBuf) -> Self {
        Self { kubeconfig: Some(kubeconfig) }
    }

    /// Nothing is left to sweep.
    pub(super) fn put_away(mut self) {
        self.kubeconfig = None;
    }
}

impl Drop for Broom {
    fn drop(&mut self) {
        let Some(kubeconfig) = self.kubeconfig.take() else { return };
        // The runtime that was cut off may be going away: this one is the thread's own.
        let thread = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
            else {
                return;
            };
            runtime.block_on(async {
                let Ok(client) = crate::client::client(&kubeconfig).await else { return };
                // What cannot be removed now is removed at the next start.
                let _swept = tokio::time::timeout(CUT_OFF, sweep(&client)).await;
            });
        });
        let _ended = thread.join();
    }
}
