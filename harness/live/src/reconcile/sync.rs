//! The layout's own GitRepository and root Kustomization, and the requests to look again.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::follow::ReconcileError;
use super::kinds::Flux;
use crate::apply::apply;
use crate::manifests::objects;
use crate::push::apply_secret;
use crate::random::nonce;
use crate::session::Session;

/// Apply what the layout's sync file holds, as it was pushed.
pub(crate) async fn apply_sync(
    client: &Client,
    session: &Session,
    sync: &str,
) -> Result<(), ReconcileError> {
    let path = session.file("work/deployments").join(sync);
    let wrong = |detail: String| ReconcileError::Sync { file: sync.to_string(), detail };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let mut found = objects(sync, &text).map_err(|error| wrong(error.to_string()))?;
    let kind = |object: &DynamicObject| {
        object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default()
    };
    found.retain(|object| ["GitRepository", "Kustomization"].contains(&kind(object).as_str()));
    found.sort_by_key(&kind);
    for wanted in ["GitRepository", "Kustomization"] {
        if !found.iter().any(|object| kind(object) == wanted) {
            return Err(wrong(format!("it holds no {wanted}")));
        }
    }
    for object in &mut found {
        if kind(object) == "Kustomization" {
            // Under lockdown an object without a service account runs as `default`, which has
            // no rights; the platform's own root is the one that runs as Flux itself.
            let spec = &mut object.data["spec"];
            if spec["serviceAccountName"].is_null() {
                spec["serviceAccountName"] = json!("kustomize-controller");
            }
        } else {
            credentials(client, object).await?;
        }
        apply(client, object).await?;
    }
    Ok(())
}

/// The local server asks nobody who reads; a reference to credentials must still resolve.
async fn credentials(client: &Client, repository: &DynamicObject) -> Result<(), ReconcileError> {
    let Some(name) = repository.data["spec"]["secretRef"]["name"].as_str() else {
        return Ok(());
    };
    let namespace = repository.namespace().unwrap_or_default();
    let failed = |source| ReconcileError::Cluster {
        action: "make the GitRepository's credentials",
        source: Box::new(source),
    };
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    if secrets.get_opt(name).await.map_err(failed)?.is_some() {
        return Ok(());
    }
    let entry = |text: String| ByteString(text.into_bytes());
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_string()),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        data: Some(
            [
                ("username".to_string(), entry("reader".to_string())),
                ("password".to_string(), entry(nonce()?)),
            ]
            .into(),
        ),
        ..Secret::default()
    };
    apply_secret(client, secret).await.map_err(failed)
}

/// Ask an object's controller to look at once.
pub(crate) async fn request(
    client: &Client,
    kind: Flux,
    object: &DynamicObject,
    token: &str,
) -> Result<(), ReconcileError> {
    annotate(client, kind, object, json!({"reconcile.fluxcd.io/requestedAt": token})).await
}

/// Ask a release's controller to forget that its attempts are used up, and to look at once.
pub(crate) async fn request_reset(
    client: &Client,
    object: &DynamicObject,
    token: &str,
) -> Result<(), ReconcileError> {
    let annotations = json!({
        "reconcile.fluxcd.io/requestedAt": token,
        "reconcile.fluxcd.io/resetAt": token,
    });
    annotate(client, Flux::HelmRelease, object, annotations).await
}

async fn annotate(
    client: &Client,
    kind: Flux,
    object: &DynamicObject,
    annotations: serde_json::Value,
) -> Result<(), ReconcileError> {
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &namespace, &kind.resource());
    let patch = json!({"metadata": {"annotations": annotations}});
    let asked = api
        .patch_metadata(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    match asked {
        Ok(_) => Ok(()),
        // It was pruned between the list and the request.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => Err(ReconcileError::Cluster {
            action: "trigger a reconciliation",
            source: Box::new(source),
        }),
    }
}
