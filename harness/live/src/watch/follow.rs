//! Waiting for a commit as Flux takes it up by itself: the source is asked once to look, nothing
//! else is asked for, so that what is measured is what Flux does.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use crate::push::Pushed;
use crate::random::nonce;
use crate::reconcile::{Flux, ReconcileError, ready_condition, request};
use crate::wait::{Poll, Wait, WaitError, until};

/// How a commit was taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// Every object of Flux has applied it.
    Applied,
    /// It was not within the time; the last status says what was missing.
    NotInTime(String),
}

/// Ask the sources to look.
pub(super) async fn trigger(client: &Client) -> Result<(), ReconcileError> {
    ask(client, Flux::GitRepository).await
}

/// Ask the Kustomizations to look, as their interval would.
pub(super) async fn trigger_kustomizations(client: &Client) -> Result<(), ReconcileError> {
    ask(client, Flux::Kustomization).await
}

async fn ask(client: &Client, kind: Flux) -> Result<(), ReconcileError> {
    let token = nonce()?;
    let failed = |source| ReconcileError::Cluster {
        action: "list Flux's objects",
        source: Box::new(source),
    };
    for object in kind.list(client).await.map_err(failed)? {
        request(client, kind, &object, &token).await?;
    }
    Ok(())
}

/// Wait until every Kustomization has applied the commit and every release is ready.
pub(super) async fn follow(client: &Client, pushed: &Pushed, limit: Duration) -> Followed {
    wait(format!("commit {} applied", pushed.commit), limit, || missing(client, pushed)).await
}

/// Wait until no pod of these namespaces is on its way in or out.
pub(super) async fn settled_pods(
    client: &Client,
    namespaces: &[String],
    limit: Duration,
) -> Followed {
    let condition = "the pods of the tenant settled".to_string();
    wait(condition, limit, || unsettled(client, namespaces)).await
}

/// Wait until these namespaces have no pods.
pub(super) async fn empty(client: &Client, namespaces: &[String], limit: Duration) -> Followed {
    wait("no pod of the tenant left".to_string(), limit, || a_pod(client, namespaces)).await
}

/// Wait until these namespaces are gone.
pub(super) async fn gone(client: &Client, namespaces: &[String], limit: Duration) -> Followed {
    let condition = "the namespaces of the tenant gone".to_string();
    wait(condition, limit, || standing(client, namespaces)).await
}

/// Looks until nothing is missing.
async fn wait<F: Future<Output = Result<Option<String>, kube::Error>>>(
    condition: String,
    limit: Duration,
    look: impl Fn() -> F,
) -> Followed {
    let wait = Wait::at_most(limit).every(Duration::from_millis(150));
    let waited = until::<(), std::convert::Infallible, _, _>(condition, wait, || async {
        match look().await {
            Ok(None) => Poll::Ready(()),
            Ok(Some(status)) => Poll::not_yet(status),
            Err(error) => Poll::not_yet(error.to_string()),
        }
    });
    match waited.await {
        Ok(()) => Followed::Applied,
        Err(WaitError::TimedOut { last, .. }) => Followed::NotInTime(last.to_string()),
        Err(WaitError::Failed(never)) => match never {},
    }
}

/// What is not there yet.
async fn missing(client: &Client, pushed: &Pushed) -> Result<Option<String>, kube::Error> {
    for kind in [Flux::GitRepository, Flux::Kustomization, Flux::HelmRelease] {
        for object in kind.list(client).await? {
            let status = &object.data["status"];
            let name = format!(
                "{} {}/{}",
                kind.resource().kind,
                object.namespace().unwrap_or_default(),
                object.name_any()
            );
            if object.metadata.deletion_timestamp.is_some() {
                return Ok(Some(format!("{name} is being deleted")));
            }
            let ready = ready_condition(status);
            let is_current = ready.as_ref().is_some_and(|ready| {
                ready.status == "True"
                    && ready.generation.is_none_or(|of| Some(of) == object.metadata.generation)
            });
            let revision = match kind {
                Flux::Kustomization => status["lastAppliedRevision"].as_str(),
                _ => status["artifact"]["revision"].as_str(),
            };
            let url = object.data["spec"]["url"].as_str();
            let of_layout = match kind {
                // Only the layout's own repository has the layout's commit.
                Flux::GitRepository => {
                    pushed.repositories.first().map(|first| first.url.as_str()) == url
                }
                Flux::Kustomization => true,
                _ => false,
            };
            let has_commit = revision.is_some_and(|revision| revision.contains(&pushed.commit));
            if !is_current || (of_layout && !has_commit) {
                let message = ready.map_or("", |ready| ready.message);
                let line = message.lines().next().unwrap_or_default();
                return Ok(Some(format!("{name} has not applied it: {line}")));
            }
        }
    }
    Ok(None)
}

async fn unsettled(client: &Client, namespaces: &[String]) -> Result<Option<String>, kube::Error> {
    for namespace in namespaces {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        for pod in pods.list(&ListParams::default()).await?.items {
            let status = pod.status.as_ref();
            let containers = status.and_then(|status| status.container_statuses.as_ref());
            let is_up = containers.is_some_and(|all| all.iter().all(|one| one.ready));
            if pod.metadata.deletion_timestamp.is_some() || !is_up {
                return Ok(Some(format!("pod {namespace}/{} is on its way", pod.name_any())));
            }
        }
    }
    Ok(None)
}

async fn standing(client: &Client, namespaces: &[String]) -> Result<Option<String>, kube::Error> {
    let all: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces {
        if all.get_opt(namespace).await?.is_some() {
            return Ok(Some(format!("Namespace {namespace} still stands")));
        }
    }
    Ok(None)
}

async fn a_pod(client: &Client, namespaces: &[String]) -> Result<Option<String>, kube::Error> {
    for namespace in namespaces {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let found = pods.list(&ListParams::default()).await?;
        let workload =
            |pod: &&Pod| pod.owner_references().iter().all(|one| one.kind != "ConfigMap");
        if let Some(pod) = found.items.iter().find(workload) {
            return Ok(Some(format!("pod {namespace}/{} still stands", pod.name_any())));
        }
    }
    Ok(None)
}
