//! Policies that stay in the cluster when they are gone from Git.
//!
//! Policies add up. One that allows, and stays although it was taken out of Git, keeps a door
//! open that the files say is closed; so this is a matter of walls wherever policies are applied.

use partywall_core::event::Defect;
use serde_json::Value;

use super::findings::defect;
use super::{Kustomization, PRUNE_OFF};
use crate::render::Rendered;

pub(super) fn findings(rendered: &Rendered) -> Vec<Defect> {
    let mut found = Vec::new();
    for kustomization in Kustomization::all(rendered) {
        let label = kustomization.label();
        let prunes = kustomization.0.at(&["spec", "prune"]).and_then(Value::as_bool);
        let mut policies = rendered.of_kind("NetworkPolicy");
        let Some(policy) = policies.find(|policy| policy.applied_by == label) else { continue };
        if prunes == Some(true) {
            continue;
        }
        let location = rendered.locate(kustomization.0, &["spec", "prune"]);
        let summary = format!(
            "{label} applies {} and does not prune, so a policy that is taken out of Git keeps \
             its doors open in the cluster; set `spec.prune: true`",
            policy.label()
        );
        found.push(defect(PRUNE_OFF, label, location, summary));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::{layout, rendered};
    use super::*;
    use rstest::rstest;

    const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: a}\nspec: {podSelector: {}}\n";
    const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: a}\n";

    #[rstest]
    #[case::on("prune: true", POLICY, None)]
    #[case::off("prune: false", POLICY, Some("flux.yaml:5"))]
    #[case::absent("interval: 1m", POLICY, Some("flux.yaml:5"))]
    #[case::no_policy("prune: false", CONFIG, None)]
    fn policies_are_pruned(
        #[case] prune: &str,
        #[case] applied: &str,
        #[case] expected: Option<&str>,
    ) {
        let flux = format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: walls, namespace: f}}\nspec:\n  {prune}\n"
        );
        let layout = layout(&[("flux.yaml", &flux), ("p.yaml", applied)]);
        let rendered = rendered(&layout, &[("p.yaml", "Kustomization f/walls")]);
        let found = findings(&rendered);
        let places = found.iter().map(|one| one.location.as_ref().unwrap().to_string());
        assert_eq!(places.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
    }
}
