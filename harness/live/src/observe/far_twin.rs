//! Far twins: where a tenant has no pod on a node, our agent with a pod's labels, namespace and
//! service account stands there, and asks in its name. The scheduler decides where a layout's own
//! pods are; the walls of one node and those between nodes are made by different rules.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::{DeleteParams, DynamicObject};
use kube::{Api, Client};
use partywall_core::contract::Contract;
use partywall_core::inventory::{Inventory, Node, Pod, PodName, Role};

use super::harness_pods::{HarnessPodError, running};
use super::twin::{self, Standing, TWIN_OF};
use crate::apply::apply_all;

/// Annotation: the pod that this one stands for on another node.
pub(super) const FAR_TWIN_OF: &str = "partywall.dev/far-twin-of";

/// Make the far twins that are missing, and remove those that nobody needs. Says whether anything
/// changed.
pub(super) async fn ensure(
    client: &Client,
    contract: &Contract,
    inventory: &Inventory,
    image: &str,
) -> Result<bool, HarnessPodError> {
    let gaps = gaps(contract, inventory);
    let existing: Vec<&Pod> =
        inventory.pods.iter().filter(|pod| matches!(pod.role, Role::FarTwin { .. })).collect();
    if gaps.is_empty() && existing.is_empty() {
        return Ok(false);
    }
    let standing = twin::standing(client).await?;
    let is_current = |far: &Pod| {
        let gap = gaps.iter().find(|gap| gap.name() == far.name);
        let pair =
            gap.and_then(|gap| Some((standing.get(&far.name)?, standing.get(&gap.pod.name)?)));
        pair.is_some_and(|(far, original)| twin::stands_for(far, original))
    };
    let (kept, stale): (Vec<&Pod>, Vec<&Pod>) =
        existing.into_iter().partition(|far| is_current(far));
    for far in &stale {
        let pods: Api<k8s_openapi::api::core::v1::Pod> =
            Api::namespaced(client.clone(), &far.name.namespace);
        // One that is already gone is as good as removed.
        let _gone = pods.delete(&far.name.name, &DeleteParams::default().grace_period(0)).await;
    }
    let kept: BTreeSet<&PodName> = kept.iter().map(|pod| &pod.name).collect();
    let missing: Vec<&Gap<'_>> = gaps.iter().filter(|gap| !kept.contains(&gap.name())).collect();
    make(client, contract, &missing, &standing, image).await?;
    Ok(!stale.is_empty() || !missing.is_empty())
}

async fn make(
    client: &Client,
    contract: &Contract,
    missing: &[&Gap<'_>],
    standing: &Standing,
    image: &str,
) -> Result<(), HarnessPodError> {
    let mut owners = BTreeMap::new();
    for gap in missing {
        let namespace = &gap.pod.name.namespace;
        if !owners.contains_key(namespace) {
            owners.insert(namespace.clone(), twin::owner(client, namespace).await?);
        }
    }
    let twins: Vec<DynamicObject> = missing
        .iter()
        .filter_map(|gap| {
            let owner = owners.get(&gap.pod.name.namespace)?;
            let original = standing.get(&gap.pod.name)?;
            Some(gap.twin(twin::twin(gap.pod, original, contract, image, owner)))
        })
        .collect();
    apply_all(client, &twins).await?;
    for gap in missing {
        let name = gap.name();
        running(client, &name.namespace, &name.name).await?;
    }
    Ok(())
}

/// A node without a pod of a tenant's namespace, and the pod that is stood in for there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap<'a> {
    pod: &'a Pod,
    node: &'a Node,
}

impl Gap<'_> {
    fn name(&self) -> PodName {
        let Self { pod, node } = self;
        PodName::new(&pod.name.namespace, format!("{}-on-{}", pod.name.name, node.name))
    }

    /// The twin of the pod, moved to the node.
    fn twin(&self, mut twin: DynamicObject) -> DynamicObject {
        twin.metadata.name = Some(self.name().name);
        let annotations = twin.metadata.annotations.get_or_insert_default();
        annotations.remove(TWIN_OF);
        annotations.insert(FAR_TWIN_OF.to_string(), self.pod.name.name.clone());
        twin.data["spec"]["nodeName"] = self.node.name.clone().into();
        twin
    }
}

fn gaps<'a>(contract: &Contract, inventory: &'a Inventory) -> Vec<Gap<'a>> {
    let mut gaps = Vec::new();
    for namespace in contract.tenants.iter().flat_map(|tenant| &tenant.namespaces) {
        let mut pods: Vec<&Pod> = inventory
            .pods
            .iter()
            .filter(|pod| {
                pod.role == Role::Workload && !pod.host_network && pod.name.namespace == *namespace
            })
            .collect();
        pods.sort_by(|one, other| one.name.cmp(&other.name));
        let Some(first) = pods.first() else { continue };
        let is_bare = |node: &&Node| !pods.iter().any(|pod| pod.node == node.name);
        let bare = inventory.nodes.iter().filter(is_bare);
        gaps.extend(bare.map(|node| Gap { pod: first, node }));
    }
    gaps
}

#[cfg(test)]
#[path = "far_twin_tests.rs"]
mod tests;
