//! Flux: definitions, rights, controllers, and its own policies.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Client;
use kube::api::Api;

use super::error::UpError;
use super::rollout::rolled_out;
use crate::apply::{apply_all, established};
use crate::manifests::{
    FLUX_CONTROLLERS, FLUX_CRDS, FLUX_POLICIES, FLUX_RBAC, objects, objects_with_images,
};
use crate::session::Session;
use crate::wait::{Poll, Wait};

pub(crate) const NAMESPACE: &str = "flux-system";
const CONTROLLERS: [&str; 3] = ["source-controller", "kustomize-controller", "helm-controller"];

/// Install Flux; its pods start as soon as the pod network is there.
pub(crate) async fn install(client: &Client, session: &Session) -> Result<(), UpError> {
    let definitions = objects("flux/crds.yaml", FLUX_CRDS)?;
    let (namespace, rights): (Vec<_>, Vec<_>) = objects("flux/rbac.yaml", FLUX_RBAC)?
        .into_iter()
        .partition(|object| object.types.as_ref().is_some_and(|types| types.kind == "Namespace"));
    apply_all(client, &namespace).await?;
    futures::try_join!(apply_all(client, &definitions), apply_all(client, &rights))?;
    established(client, &definitions, Duration::from_secs(30)).await?;
    let components = &session.bundle.components;
    let name = "flux/controllers.yaml";
    apply_all(client, &objects_with_images(name, FLUX_CONTROLLERS, components)?).await?;
    apply_all(client, &objects("flux/network-policies.yaml", FLUX_POLICIES)?).await?;
    Ok(())
}

/// Wait until every controller answers its readiness probe.
pub(crate) async fn ready(client: &Client) -> Result<(), UpError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let wait = Wait::seconds(120);
    for name in CONTROLLERS {
        let look = || async {
            match deployments.get_status(name).await {
                Ok(found) => match found.status.and_then(|status| status.ready_replicas) {
                    Some(ready) if ready > 0 => Poll::Ready(()),
                    _ => Poll::not_yet("no replica is ready"),
                },
                Err(error) => Poll::not_yet(error.to_string()),
            }
        };
        rolled_out(client, NAMESPACE, format!("{name} ready"), wait, look).await?;
    }
    Ok(())
}
