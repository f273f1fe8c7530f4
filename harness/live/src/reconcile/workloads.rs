//! Rollouts: what a layout's workloads must show once Flux is done.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::Client;
use kube::api::{Api, ListParams, ObjectMeta};

use super::report::{ObjectStatus, Readiness};
use crate::pods::{Stuck, stuck};

/// Every workload of the cluster, save those of Kubernetes and of the harness.
pub(crate) async fn workloads(client: &Client) -> Result<Vec<ObjectStatus>, kube::Error> {
    let all = ListParams::default();
    let deployments: Api<Deployment> = Api::all(client.clone());
    let stateful: Api<StatefulSet> = Api::all(client.clone());
    let daemons: Api<DaemonSet> = Api::all(client.clone());
    let (deployments, stateful, daemons) =
        futures::try_join!(deployments.list(&all), stateful.list(&all), daemons.list(&all))?;
    let mut found = Vec::new();
    for item in deployments {
        let wanted = item.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = item.status.unwrap_or_default();
        let counts = Counts {
            wanted,
            updated: status.updated_replicas.unwrap_or_default(),
            ready: status.ready_replicas.unwrap_or_default(),
            // Old replicas that are still there answer probes with the old policy's labels.
            total: status.replicas.unwrap_or_default(),
            observed: status.observed_generation,
        };
        found.extend(counts.judge("Deployment", item.metadata));
    }
    for item in stateful {
        let wanted = item.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = item.status.unwrap_or_default();
        let counts = Counts {
            wanted,
            updated: status.updated_replicas.unwrap_or_default(),
            ready: status.ready_replicas.unwrap_or_default(),
            total: status.replicas,
            observed: status.observed_generation,
        };
        found.extend(counts.judge("StatefulSet", item.metadata));
    }
    for item in daemons {
        let status = item.status.unwrap_or_default();
        let counts = Counts {
            wanted: status.desired_number_scheduled,
            updated: status.updated_number_scheduled.unwrap_or_default(),
            ready: status.number_ready,
            total: status.current_number_scheduled,
            observed: status.observed_generation,
        };
        found.extend(counts.judge("DaemonSet", item.metadata));
    }
    if found.iter().any(|workload| workload.readiness != Readiness::Ready) {
        explain(&mut found, &stuck(client).await?);
    }
    Ok(found)
}

/// Say of a workload that is not there what keeps its pods from starting.
fn explain(workloads: &mut [ObjectStatus], stuck: &[Stuck]) {
    for workload in workloads.iter_mut().filter(|one| one.readiness != Readiness::Ready) {
        let prefix = format!("{}-", workload.name);
        let own = stuck
            .iter()
            .find(|one| one.namespace == workload.namespace && one.pod.starts_with(&prefix));
        if let Some(one) = own {
            workload.reason.clone_from(&one.reason);
            workload.message = format!("{}; {}: {}", workload.message, one.image, one.message);
        }
    }
}

struct Counts {
    wanted: i32,
    updated: i32,
    ready: i32,
    total: i32,
    observed: Option<i64>,
}

impl Counts {
    fn judge(&self, kind: &str, metadata: ObjectMeta) -> Option<ObjectStatus> {
        let namespace = metadata.namespace.unwrap_or_default();
        if namespace == "kube-system"
            || namespace == "local-path-storage"
            || namespace.starts_with("partywall-")
        {
            return None;
        }
        let Self { wanted, updated, ready, total, .. } = *self;
        let done = self.observed >= metadata.generation
            && updated >= wanted
            && ready >= wanted
            && total <= wanted;
        let readiness = if done { Readiness::Ready } else { Readiness::Pending };
        let message = format!("{ready} ready, {updated} updated, {total} in all of {wanted}");
        Some(ObjectStatus {
            kind: kind.to_string(),
            namespace,
            name: metadata.name.unwrap_or_default(),
            readiness,
            reason: if done { "RolledOut" } else { "RollingOut" }.to_string(),
            message,
            revision: None,
        })
    }
}
