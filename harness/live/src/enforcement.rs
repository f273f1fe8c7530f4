//! Switching the network plugin's enforcement off and on again on a session's own nodes, to show
//! that a run on such a cluster proves nothing and says so.
//!
//! Off means: its agent is gone from every node, and its rules are gone from the kernel, so that
//! whatever is denied comes through. `up` would put the agent back too, after a crash in between.

use std::convert::Infallible;
use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use partywall_tool::ToolError;
use serde_json::{Value, json};

use crate::apply::FIELD_MANAGER;
use crate::canary::{CanaryError, canary};
use crate::kind::nodes_of;
use crate::programs::{docker, run};
use crate::session::Session;
use crate::wait::{Poll, Wait, WaitError, until};

const NAMESPACE: &str = "kube-system";
const AGENT: &str = "calico-node";
/// A label that no node carries.
const NOWHERE: &str = "dev.partywall.nowhere";
/// Without its rules the filter table is what kube-proxy and the kubelet have made of it. Other
/// tables stay: pods keep their way out of the node.
const FLUSH: &str = "iptables-legacy-save -t filter | grep -v cali | iptables-legacy-restore -T \
                     filter";
const LIMIT: Wait = Wait::seconds(60);
const CANARY_LIMIT: Duration = Duration::from_secs(30);

/// Enforcement that was not switched.
#[derive(Debug, thiserror::Error)]
pub enum EnforcementError {
    /// The API server refused the change.
    #[error("failed to change the network plugin's agents: {0}")]
    Refused(#[source] Box<kube::Error>),
    /// The agents do not follow.
    #[error(transparent)]
    NotFollowed(#[from] WaitError<Infallible>),
    /// A node's rules could not be removed.
    #[error("failed to remove the network plugin's rules: {0}")]
    Flush(#[from] ToolError),
    /// It is on again, and does not bite.
    #[error("enforcement was switched on again, and does not bite: {0}")]
    NotRestored(#[from] CanaryError),
}

/// Switch enforcement off on every node of a session that `up` made.
pub async fn enforcement_off(client: &Client, session: &Session) -> Result<(), EnforcementError> {
    select(client, json!({NOWHERE: "true"})).await?;
    wait_for(client, "the network plugin's agents gone", |ready, _| ready == 0).await?;
    for node in nodes_of(&session.name).await? {
        run(docker(["exec", &node, "sh", "-c", FLUSH])).await?;
    }
    Ok(())
}

/// Switch it on again, and wait until the canary bites.
pub async fn enforcement_on(client: &Client) -> Result<(), EnforcementError> {
    select(client, json!({NOWHERE: null})).await?;
    wait_for(client, "the network plugin's agents ready", |ready, wanted| {
        wanted > 0 && ready >= wanted
    })
    .await?;
    canary(client, CANARY_LIMIT).await?;
    Ok(())
}

async fn select(client: &Client, nodes: Value) -> Result<(), EnforcementError> {
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
    let patch = json!({"spec": {"template": {"spec": {"nodeSelector": nodes}}}});
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_string()), ..Default::default() };
    let patched = sets.patch(AGENT, &params, &Patch::Merge(&patch)).await;
    patched.map(|_set| ()).map_err(|source| EnforcementError::Refused(Box::new(source)))
}

async fn wait_for(
    client: &Client,
    condition: &str,
    is_met: impl Fn(i32, i32) -> bool,
) -> Result<(), EnforcementError> {
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
    let looked = until(condition, LIMIT, || async {
        let set = match sets.get_status(AGENT).await {
            Ok(set) => set,
            Err(error) => return Poll::not_yet(error.to_string()),
        };
        let status = set.status.unwrap_or_default();
        let is_current = status.observed_generation == set.metadata.generation;
        // A pod that the set does not want any more is counted until it is gone.
        let (ready, wanted) = (status.number_ready, status.desired_number_scheduled);
        let standing = ready.max(status.number_misscheduled);
        match is_current && is_met(standing, wanted) {
            true => Poll::Ready(()),
            false => Poll::not_yet(format!("{standing} of {wanted} agents")),
        }
    });
    Ok(looked.await?)
}
