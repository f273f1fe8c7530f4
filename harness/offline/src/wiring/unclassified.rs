//! Namespaces that the contract does not know.
//!
//! The contract is checked against the Namespaces that are written in the layout. A chart or a
//! patch can make others, and put workloads into namespaces that every cluster has.

use std::collections::BTreeSet;

use partywall_core::contract::Contract;
use partywall_core::event::Defect;

use super::UNCLASSIFIED_NAMESPACE;
use super::findings::defect;
use crate::render::{Object, Rendered};

/// One for each namespace, at the first object that is in it.
pub(super) fn findings(rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let mut named = BTreeSet::new();
    let mut found = Vec::new();
    for object in &rendered.objects {
        let Some(namespace) = namespace_of(object) else { continue };
        let is_platform = contract.platform.iter().any(|one| one == namespace);
        if is_platform || contract.tenant_of(namespace).is_some() || !named.insert(namespace) {
            continue;
        }
        let summary = format!(
            "{}: namespace `{namespace}` is in no tenant and not in `platform` of partywall.yaml, \
             so nobody is asked who may reach it; add it to one of them",
            object.label()
        );
        found.push(defect(UNCLASSIFIED_NAMESPACE, object.label(), object.origin.clone(), summary));
    }
    found
}

/// The namespace that an object makes or fills, if it matters who may reach it.
fn namespace_of(object: &Object) -> Option<&str> {
    let namespace = match object.kind() {
        "Namespace" => object.name(),
        "Service" | "NetworkPolicy" => object.namespace(),
        _ => object.pod_template().map(|_| object.namespace())?,
    };
    (!namespace.is_empty()).then_some(namespace)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{contract, layout, rendered};
    use super::*;
    use rstest::rstest;

    const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x, namespace: default}\nspec: {template: {spec: {}}}\n";

    #[rstest]
    #[case::workload(DEPLOYMENT, &["x.yaml:1"])]
    #[case::once("---\nkind: Service\nmetadata: {name: s, namespace: default}\n---\nkind: Service\nmetadata: {name: t, namespace: default}\n", &["x.yaml:2"])]
    #[case::namespace("kind: Namespace\nmetadata: {name: rogue}\n", &["x.yaml:1"])]
    #[case::policy("kind: NetworkPolicy\nmetadata: {name: p, namespace: rogue}\n", &["x.yaml:1"])]
    #[case::two("kind: Pod\nmetadata: {name: p, namespace: rogue}\n---\nkind: Pod\nmetadata: {name: p, namespace: other}\n", &["x.yaml:1", "x.yaml:4"])]
    #[case::tenant("kind: Pod\nmetadata: {name: p, namespace: customer-a}\n", &[])]
    #[case::platform("kind: Service\nmetadata: {name: s, namespace: observability}\n", &[])]
    #[case::other_kind("kind: ConfigMap\nmetadata: {name: s, namespace: default}\n", &[])]
    #[case::nowhere("kind: Pod\nmetadata: {name: p}\n", &[])]
    fn every_namespace_is_classified(#[case] text: &str, #[case] expected: &[&str]) {
        let layout = layout(&[("x.yaml", text)]);
        let rendered = rendered(&layout, &[]);
        let found = findings(&rendered, &contract());
        assert!(found.iter().all(|one| one.name == UNCLASSIFIED_NAMESPACE));
        let places = found.iter().map(|one| one.location.as_ref().unwrap().to_string());
        assert_eq!(places.collect::<Vec<_>>(), expected);
    }
}
