use partywall_core::contract::{Contract, FlowTarget, check};
use partywall_core::document::documents;
use partywall_core::{Layout, Port};
use rstest::rstest;

use super::*;
use crate::render::{Object, Rendered, parse_stream};

/// Files as they would be applied if they were plain manifests, with what a folder's Flux
/// Kustomization applies marked as its own.
fn rendered(layout: &Layout, applied: &[(&str, &str)]) -> Rendered {
    let mut objects = Vec::new();
    for (file, text) in layout.files.iter().filter(|(file, _)| file.ends_with(".yaml")) {
        let places = documents(file, text).unwrap();
        for (value, place) in parse_stream(file, text).unwrap().into_iter().zip(places) {
            let by = applied.iter().find(|(folder, _)| file.starts_with(folder));
            let by = by.map_or("Kustomization flux-system/all", |(_, by)| by);
            objects.push(Object { value, origin: place.location, applied_by: by.to_string() });
        }
    }
    Rendered { objects, sources: layout.clone().into(), ..Rendered::default() }
}

fn layout(files: &[(&str, &str)]) -> Layout {
    Layout::new(files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect())
        .unwrap()
}

fn drafted(files: &[(&str, &str)]) -> (Contract, Draft) {
    let layout = layout(files);
    let draft = draft(&layout, &rendered(&layout, &[]));
    let contract = Contract::load("partywall.yaml", &draft.contract_text)
        .unwrap_or_else(|error| panic!("{error}\n{}", draft.contract_text));
    assert!(contract.draft);
    if !contract.tenants.is_empty() {
        assert_eq!(check("partywall.yaml", &contract, &layout), [], "{}", draft.contract_text);
    }
    (contract, draft)
}

fn names(contract: &Contract) -> Vec<&str> {
    contract.tenants.iter().map(|tenant| tenant.name.as_str()).collect()
}

const TWO: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {purpose: tenant}}
---
apiVersion: v1
kind: Namespace
metadata: {name: b, labels: {purpose: tenant}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shared}
";
const STORE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: loki, namespace: shared}
spec:
  template:
    metadata: {labels: {app: loki}}
    spec: {containers: [{name: loki, ports: [{name: http, containerPort: 3100}, {containerPort: 9095}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: loki, namespace: shared}
spec: {selector: {app: loki}, ports: [{port: 80, targetPort: http}]}
";

#[test]
fn a_draft_reads_like_this() {
    let policy = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: a}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {}}]}]
  egress:
    - to: [{podSelector: {}}]
    - {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shared}}}], ports: [{port: http}]}
";
    let workload = "
apiVersion: batch/v1
kind: CronJob
metadata: {name: app, namespace: a}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{env: [{name: OTEL_EXPORTER_OTLP_HEADERS, value: 'x=1,x-scope-orgid=org-a'}]}]}}}}}
";
    let source = "
kind: GitRepository
metadata: {name: charts}
spec: {url: 'https://git.example.com/charts.git'}
";
    let closed = policy.replace("namespace: a", "namespace: b").replace("http", "9095");
    let (contract, draft) = drafted(&[
        ("namespaces.yaml", TWO),
        ("policy.yaml", policy),
        ("policy-b.yaml", &closed),
        ("app.yaml", workload),
        ("source.yaml", source),
        ("store.yaml", STORE),
    ]);
    insta::assert_snapshot!(draft.contract_text);
    assert_eq!(contract.tenants[0].org, "org-a");
    assert_eq!(contract.allowed_endpoints("a"), ["loki"]);
    assert_eq!(contract.endpoints["loki"].ports, [Port::tcp(3100)]);
    assert_eq!(contract.allowed_endpoints("b"), ["loki-9095"]);
    assert!(contract.allows_same_tenant("b"));
}

#[rstest]
#[case::purpose("labels: {purpose: tenant}", &["a"])]
#[case::flux("labels: {toolkit.fluxcd.io/tenant: acme}", &["acme"])]
#[case::other_prefix("labels: {example.com/customer: 'true'}", &["a"])]
#[case::not_one("labels: {tenant: 'false'}", &[])]
#[case::other_purpose("labels: {purpose: shared-services}", &[])]
fn a_label_makes_a_tenant(#[case] labels: &str, #[case] expected: &[&str]) {
    let text = format!("kind: Namespace\nmetadata: {{name: a, {labels}}}\n");
    let (contract, _) = drafted(&[("ns.yaml", &text)]);
    assert_eq!(names(&contract), expected);
}

#[test]
fn namespaces_with_one_tenant_label_are_one_tenant() {
    let text = TWO.replace("purpose: tenant", "toolkit.fluxcd.io/tenant: acme");
    let (contract, _) = drafted(&[("ns.yaml", &text)]);
    assert_eq!(contract.tenants[0].namespaces, ["a", "b"]);
    assert_eq!(contract.platform, ["flux-system", "kube-system", "shared"]);
}

#[test]
fn a_namespace_like_a_tenants_is_not_forgotten() {
    let text = TWO.replacen(", labels: {purpose: tenant}", "", 1);
    let app = |name: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: app, namespace: {name}}}\n"
        )
    };
    let files =
        [("ns.yaml", &*text), ("a.yaml", &app("a")), ("b.yaml", &app("b")), ("s.yaml", STORE)];
    assert_eq!(names(&drafted(&files).0), ["a", "b"]);
    let unlabelled = text.replace(", labels: {purpose: tenant}", "");
    let files = [("ns.yaml", &*unlabelled), files[1], files[2], files[3]];
    assert_eq!(names(&drafted(&files).0), ["a", "b"]);
    let alone = [files[0], files[1], files[3]];
    let (contract, draft) = drafted(&alone);
    assert_eq!(names(&contract), Vec::<&str>::new());
    assert!(draft.notes[0].reason.starts_with("no namespace looks like a tenant's"));
}

#[test]
fn a_folder_of_tenants_makes_tenants() {
    let files = [
        ("tenants/base/a/ns.yaml", "kind: Namespace\nmetadata: {name: a}\n"),
        ("infrastructure/ns.yaml", "kind: Namespace\nmetadata: {name: ingress}\n"),
        ("other/ns.yaml", "kind: Namespace\nmetadata: {name: b}\n"),
        (
            "clusters/b.yaml",
            "kind: Kustomization\nmetadata: {name: b, namespace: flux-system}\nspec: {path: ./customers/b, targetNamespace: b}\n",
        ),
    ];
    assert_eq!(names(&drafted(&files).0), ["a", "b"]);
}

#[test]
fn tenants_without_policies_reach_everything_and_are_said_to() {
    let (contract, draft) = drafted(&[("ns.yaml", TWO), ("store.yaml", STORE)]);
    assert!(contract.allowed_endpoints("a").contains(&"apiserver"));
    assert!(contract.flows.iter().any(|flow| flow.to == FlowTarget::SameTenant));
    assert!(draft.contract_text.contains("# No egress policy holds back every pod of a:"));
}

#[test]
fn a_policy_of_another_kind_is_named() {
    let policy =
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: a}\n";
    let (_, draft) = drafted(&[("ns.yaml", TWO), ("policy.yaml", policy)]);
    assert_eq!(draft.notes[0].subject, "CiliumNetworkPolicy a/x");
}

#[test]
fn what_is_applied_from_a_folder_of_tenants_counts() {
    let layout = layout(&[
        ("ns.yaml", "kind: Namespace\nmetadata: {name: a}\n"),
        ("x/app.yaml", "kind: ConfigMap\nmetadata: {name: c, namespace: a}\n"),
        (
            "f.yaml",
            "kind: Kustomization\nmetadata: {name: k, namespace: flux-system}\nspec: {path: ./tenants/x}\n",
        ),
    ]);
    let text = |by| draft(&layout, &rendered(&layout, &[("x/", by)])).contract_text;
    assert!(text("Kustomization flux-system/k").contains("- name: a\n"));
    assert!(text("Kustomization flux-system/other").contains("tenants: []\n"));
}

proptest::proptest! {
    #[test]
    fn names_of_others_stay_names(org in "\\PC{0,12}|(?s).{0,12}", label in "(?s).{0,12}") {
        let layout = layout(&[("ns.yaml", TWO)]);
        let mut rendered = rendered(&layout, &[]);
        let at = partywall_core::source::SourceLocation::new(format!("x{label}.yaml"), 1);
        for value in [
            serde_json::json!({"kind": "Deployment", "metadata": {"name": "w", "namespace": "a"}, "spec": {"template": {
                "spec": {"containers": [{"env": [{"name": "OTEL_EXPORTER_OTLP_HEADERS", "value": format!("X-Scope-OrgID={org}")}]}]}}}}),
            serde_json::json!({"kind": "Service", "metadata": {"name": label, "namespace": "shared"},
                "spec": {"selector": {"app": label, &label: org}, "ports": [{"port": 80}]}}),
        ] {
            rendered.objects.push(Object { value, origin: at.clone(), applied_by: label.clone() });
        }
        let text = draft(&layout, &rendered).contract_text;
        let contract = Contract::load("partywall.yaml", &text);
        let contract = contract.map_err(|error| proptest::test_runner::TestCaseError::fail(format!("{error}\n{text}")))?;
        let org = org.split(',').next().unwrap_or_default().trim();
        proptest::prop_assert_eq!(&contract.tenants[0].org, if org.is_empty() { "a" } else { org });
        let service = contract.endpoints.values().find(|e| e.namespace.as_deref() == Some("shared"));
        proptest::prop_assert_eq!(service.and_then(|e| e.pods.get("app")), Some(&label));
    }
}
