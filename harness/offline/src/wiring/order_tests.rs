use rstest::rstest;

use super::*;
use crate::defect::FluxObject;
use crate::wiring::samples::{contract, layout, rendered};

const POLICY: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: customer-a}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
";
const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: customer-a}
spec:
  template:
    metadata:
      labels: {app: web}
";
const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: customer-a}
spec: {interval: 1m}
";

fn flux(of_tenant: &str) -> String {
    let one = |name: &str, spec: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: f}}\nspec:\n  {spec}\n"
        )
    };
    [
        one("tenant", of_tenant),
        one("walls", "prune: true"),
        one("between", "dependsOn: [{name: walls, namespace: f}]"),
        one("late", "dependsOn: [{name: tenant}]"),
    ]
    .join("---\n")
}

fn said(spec: &str, workload: &str, policy: &str, by: &str) -> Vec<String> {
    let layout = layout(&[("flux.yaml", &flux(spec)), ("w.yaml", workload), ("p.yaml", policy)]);
    let by = format!("Kustomization f/{by}");
    let applied_by = [("w.yaml", "Kustomization f/tenant"), ("p.yaml", by.as_str())];
    let rendered = rendered(&layout, &applied_by);
    let found = findings(&layout, &rendered, &contract()).into_iter();
    found.map(|one| format!("{} {}", one.name, one.location.unwrap())).collect()
}

const WAITS: &str = "dependsOn: [{name: walls}]";
const WAITS_THROUGH: &str = "dependsOn: [{name: between}]";
const DOES_NOT_WAIT: &str = "prune: true";

#[rstest]
#[case::waits(WAITS, DEPLOYMENT, POLICY, "walls", None)]
#[case::waits_through_another(WAITS_THROUGH, DEPLOYMENT, POLICY, "walls", None)]
#[case::release_waits(WAITS, RELEASE, POLICY, "walls", None)]
#[case::does_not_wait(
    DOES_NOT_WAIT,
    DEPLOYMENT,
    POLICY,
    "walls",
    Some("workload-before-policy flux.yaml:5")
)]
#[case::release_does_not_wait(
    DOES_NOT_WAIT,
    RELEASE,
    POLICY,
    "walls",
    Some("workload-before-policy flux.yaml:5")
)]
#[case::the_wrong_way_round(
    DOES_NOT_WAIT,
    DEPLOYMENT,
    POLICY,
    "late",
    Some("workload-before-policy flux.yaml:23")
)]
#[case::together(WAITS, DEPLOYMENT, POLICY, "tenant", Some("workload-before-policy p.yaml:1"))]
#[case::release_together(WAITS, RELEASE, POLICY, "tenant", Some("workload-before-policy p.yaml:1"))]
#[case::no_policy(WAITS, DEPLOYMENT, "a: b\n", "tenant", None)]
fn walls_stand_first(
    #[case] spec: &str,
    #[case] workload: &str,
    #[case] policy: &str,
    #[case] by: &str,
    #[case] expected: Option<&str>,
) {
    let expected: Vec<String> = expected.into_iter().map(str::to_string).collect();
    assert_eq!(said(spec, workload, policy, by), expected);
}

#[rstest]
#[case::other_pods("podSelector: {}", "podSelector: {matchLabels: {app: db}}", 0)]
#[case::by_expression(
    "podSelector: {}",
    "podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}",
    1
)]
#[case::not_by_expression(
    "podSelector: {}",
    "podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}",
    0
)]
#[case::of_the_platform("namespace: customer-a", "namespace: observability", 0)]
fn only_policies_over_the_pods_count(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: usize,
) {
    let policy = POLICY.replace(from, to);
    let workload = DEPLOYMENT.replace(from, to);
    assert_eq!(said(WAITS, &workload, &policy, "tenant").len(), expected);
}

/// Policies add up: one that comes later only opens more.
#[rstest]
#[case::both_directions("[Ingress, Egress]", 0)]
#[case::one_direction("[Ingress]", 1)]
fn a_policy_that_isolates_already_is_enough(#[case] first: &str, #[case] expected: usize) {
    let early = POLICY.replace("[Ingress, Egress]", first);
    let late = POLICY.replace("name: deny", "name: more");
    let layout = layout(&[
        ("flux.yaml", &flux(WAITS)),
        ("w.yaml", DEPLOYMENT),
        ("early.yaml", &early),
        ("late.yaml", &late),
    ]);
    let applied_by = [
        ("w.yaml", "Kustomization f/tenant"),
        ("early.yaml", "Kustomization f/walls"),
        ("late.yaml", "Kustomization f/tenant"),
    ];
    let rendered = rendered(&layout, &applied_by);
    assert_eq!(findings(&layout, &rendered, &contract()).len(), expected);
}

#[test]
fn a_charts_own_policy_comes_before_its_workloads() {
    let layout = layout(&[
        ("flux.yaml", &flux(DOES_NOT_WAIT)),
        ("hr.yaml", RELEASE),
        ("w.yaml", DEPLOYMENT),
        ("p.yaml", POLICY),
    ]);
    let release = "HelmRelease customer-a/app";
    let tenant = "Kustomization f/tenant";
    let inside = [("hr.yaml", tenant), ("w.yaml", release), ("p.yaml", release)];
    assert_eq!(findings(&layout, &rendered(&layout, &inside), &contract()), []);
    let beside = [("hr.yaml", tenant), ("w.yaml", release), ("p.yaml", tenant)];
    let found = findings(&layout, &rendered(&layout, &beside), &contract());
    assert_eq!(found.len(), 1);
    assert!(found[0].summary.contains("Helm usually installs later"), "{}", found[0].summary);
}

#[test]
fn a_folder_that_does_not_build_is_read_as_it_is_written() {
    let spec = "path: ./c/a";
    let layout = layout(&[
        ("flux.yaml", &flux(spec)),
        ("c/a/kustomization.yaml", "namespace: customer-a\nresources: [../../base, p.yaml]\n"),
        ("c/a/p.yaml", &POLICY.replace(", namespace: customer-a", "")),
        ("base/kustomization.yaml", "resources: [hr.yaml]\n"),
        ("base/hr.yaml", &RELEASE.replace("namespace: customer-a", "namespace: default")),
    ]);
    let mut rendered = rendered(&layout, &[]);
    rendered.objects.retain(|object| object.kind() == "Kustomization");
    let state = |ready: bool| FluxObject {
        kind: "Kustomization".to_string(),
        namespace: "f".to_string(),
        name: "tenant".to_string(),
        ready,
        reason: "BuildFailed".to_string(),
        message: String::new(),
    };
    rendered.flux = vec![state(true)];
    assert_eq!(findings(&layout, &rendered, &contract()), []);
    rendered.flux = vec![state(false)];
    let found = findings(&layout, &rendered, &contract());
    let places = found.iter().map(|one| one.location.as_ref().unwrap().to_string());
    assert_eq!(places.collect::<Vec<_>>(), ["c/a/p.yaml:1"]);
}
