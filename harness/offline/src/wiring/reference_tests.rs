use partywall_core::event::NotJudged;
use rstest::rstest;

use super::*;
use crate::defect::FluxObject;
use crate::wiring::samples::{contract, layout, rendered};

const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: app, namespace: customer-a}
spec:
  serviceAccountName: app
  chart:
    spec:
      sourceRef:
        kind: GitRepository
        name: charts
  valuesFrom:
    - kind: ConfigMap
      name: values-2456789bcd
    - kind: Secret
      name: secrets-2456789bcd
";
const KUSTOMIZATION: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: a, namespace: flux-system}
spec:
  serviceAccountName: kustomize-controller
  dependsOn:
    - name: walls
  decryption:
    provider: sops
    secretRef: {name: key-a}
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild:
    substituteFrom:
      - {kind: ConfigMap, name: cluster, optional: true}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: walls, namespace: flux-system}
spec: {prune: true}
";
const MADE: &str = "kind: ConfigMap
metadata: {name: values-2456789bcd, namespace: customer-a}
---
kind: Secret
metadata: {name: secrets-2456789bcd, namespace: customer-a}
---
kind: GitRepository
metadata: {name: charts, namespace: customer-a}
---
kind: ServiceAccount
metadata: {name: app, namespace: customer-a}
---
kind: Secret
metadata: {name: elsewhere, namespace: observability}
";

fn contract_of_flux_system() -> Contract {
    let mut contract = contract();
    for tenant in &mut contract.tenants {
        let secrets = tenant.secrets.as_mut().unwrap();
        secrets.key_secret = secrets.key_secret.replace("f/", "flux-system/");
    }
    contract
}

fn texts(from: &str, to: &str) -> [String; 3] {
    let all = [RELEASE, KUSTOMIZATION, MADE];
    assert!(
        from.is_empty() || all.iter().any(|text| text.contains(from)),
        "the case is out of date"
    );
    all.map(|text| if from.is_empty() { text.to_string() } else { text.replacen(from, to, 1) })
}

fn said(from: &str, to: &str, change: impl Fn(&mut Rendered)) -> Vec<String> {
    let [release, kustomization, made] = texts(from, to);
    let layout =
        layout(&[("hr.yaml", &release), ("ks.yaml", &kustomization), ("made.yaml", &made)]);
    let mut rendered = rendered(&layout, &[]);
    change(&mut rendered);
    let found = findings(&layout, &rendered, &contract_of_flux_system()).into_iter();
    found.map(|one| format!("{} {}", one.name, one.location.unwrap())).collect()
}

#[rstest]
#[case::clean("", "", None)]
#[case::config_map_not_rewritten(
    "    - kind: ConfigMap\n      name: values-2456789bcd",
    "    - kind: ConfigMap\n      name: values",
    Some("generated-name-not-rewritten hr.yaml:13")
)]
#[case::secret_not_rewritten(
    "    - kind: Secret\n      name: secrets-2456789bcd",
    "    - kind: Secret\n      name: secrets",
    Some("generated-name-not-rewritten hr.yaml:15")
)]
#[case::values(
    "name: values-2456789bcd\n    - kind: S",
    "name: gone\n    - kind: S",
    Some("reference-not-found hr.yaml:13")
)]
#[case::source(
    "        name: charts",
    "        name: gone",
    Some("reference-not-found hr.yaml:10")
)]
#[case::account(
    "serviceAccountName: app",
    "serviceAccountName: gone",
    Some("reference-not-found hr.yaml:5")
)]
#[case::account_elsewhere(
    "serviceAccountName: app\n",
    "kubeConfig: {}\n  serviceAccountName: gone\n",
    None
)]
#[case::depends_on("    - name: walls", "    - name: gone", Some("reference-not-found ks.yaml:7"))]
#[case::key("{name: key-a}", "{name: key-gone}", Some("reference-not-found ks.yaml:10"))]
#[case::substitute(", optional: true", "", Some("reference-not-found ks.yaml:14"))]
#[case::source_of_kustomization(
    "name: flux-system}\n  post",
    "name: gone}\n  post",
    Some("reference-not-found ks.yaml:11")
)]
#[case::chart_ref(
    "  chart:\n    spec:\n      sourceRef:\n        kind: GitRepository\n        name: charts\n",
    "  chartRef: {kind: OCIRepository, name: gone}\n",
    Some("reference-not-found hr.yaml:6")
)]
#[case::secret_outside_git("name: secrets-2456789bcd\n", "name: token\n", None)]
#[case::secret_in_another_namespace(
    "    - kind: Secret\n      name: secrets-2456789bcd",
    "    - kind: Secret\n      name: elsewhere",
    Some("reference-not-found hr.yaml:15")
)]
fn every_name_leads_somewhere(
    #[case] from: &str,
    #[case] to: &str,
    #[case] expected: Option<&str>,
) {
    let expected: Vec<String> = expected.into_iter().map(str::to_string).collect();
    assert_eq!(said(from, to, |_| {}), expected);
}

/// Where something could not be rendered, what is written anywhere may be what is meant.
#[test]
fn an_unrendered_layout_is_not_accused_of_what_it_may_have() {
    let (from, to) = ("{name: app, namespace: customer-a}\n---", "{name: app, namespace: b}\n---");
    let found = said(from, to, |_| {});
    assert_eq!(found, ["reference-not-found hr.yaml:5"]);
    let found = said(from, to, |rendered| {
        rendered.not_judged.push(NotJudged {
            subject: "HelmRelease x/y".to_string(),
            reason: "the chart cannot be had".to_string(),
            location: None,
        });
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_refused_reference_is_not_told_twice() {
    let (from, to) = ("        name: charts", "        name: charts\n        namespace: f");
    assert_eq!(said(from, to, |_| {}), ["reference-not-found hr.yaml:10"]);
    let found = said(from, to, |rendered| {
        rendered.flux.push(FluxObject {
            kind: "HelmRelease".to_string(),
            namespace: "customer-a".to_string(),
            name: "app".to_string(),
            ready: false,
            reason: "AccessDenied".to_string(),
            message: String::new(),
        });
    });
    assert_eq!(found, [""; 0]);
}
