use super::*;
use crate::mend::{mend, mended};
use rstest::rstest;

const HELM_RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: open-webui
  namespace: default
spec:
  chart:
    spec:
      chart: ./helm/open-webui-stack
      sourceRef:
        kind: GitRepository
        name: open-webui-public
        namespace: flux-system
";

const SOURCE: &str = "\
# where the chart comes from
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: open-webui-public
  namespace: flux-system
spec:
  interval: 10m
  url: https://git.example.test/open-webui-public.git
  ref:
    branch: main
";

fn flux_kustomization(tenant: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {tenant}\n  namespace: flux-system\nspec:\n  path: ./customers/{tenant}\n  decryption:\n    provider: sops\n    secretRef:\n      name: sops-age-key\n"
    )
}

fn overlay(tenant: &str) -> String {
    format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: {tenant}\nresources:\n  - ../../base\npatches:\n  - target:\n      kind: HelmRelease\n      name: open-webui\n    patch: |-\n      - op: replace\n        path: /metadata/namespace\n        value: {tenant}\n      - op: replace\n        path: /spec/values/ingress/hosts/0/host\n        value: {tenant}.soev.ai\n"
    )
}

fn layout() -> Layout {
    let files = [
        ("base/helmrelease.yaml", HELM_RELEASE.to_string()),
        ("base/kustomization.yaml", "resources: [helmrelease.yaml]\n".to_string()),
        ("sources/chart.yaml", SOURCE.to_string()),
        ("flux-system/a.yaml", flux_kustomization("customer-a")),
        ("flux-system/b.yaml", flux_kustomization("customer-b")),
        ("customers/customer-a/kustomization.yaml", overlay("customer-a")),
        ("customers/customer-b/kustomization.yaml", overlay("customer-b")),
    ];
    Layout::new(files.map(|(path, text)| (path.to_string(), text)).into()).unwrap()
}

fn failed(kind: &str, namespace: &str, name: &str, reason: &str, message: &str) -> FluxObject {
    FluxObject {
        kind: kind.to_string(),
        namespace: namespace.to_string(),
        name: name.to_string(),
        ready: false,
        reason: reason.to_string(),
        message: message.to_string(),
    }
}

const PATCH: &str = "kustomize build failed: replace operation does not apply: doc is missing path: /spec/values/ingress/hosts/0/host: missing value";
const ACCESS: &str = "cross-namespace references are not allowed: cannot access GitRepository flux-system/open-webui-public";

fn patch_object() -> FluxObject {
    failed("Kustomization", "flux-system", "customer-a", "BuildFailed", PATCH)
}

fn access_object() -> FluxObject {
    failed("HelmRelease", "customer-a", "open-webui", "AccessDenied", ACCESS)
}

#[rstest]
#[case::patch(patch_object())]
#[case::access(access_object())]
#[case::wrong_key(failed(
    "Kustomization",
    "flux-system",
    "customer-a",
    "BuildFailed",
    "decryption failed for 'Secret/x': cannot get sops data key: Group 0: FAILED"
))]
#[case::no_key(failed(
    "Kustomization",
    "flux-system",
    "customer-a",
    "BuildFailed",
    "secrets \"sops-age-key\" not found"
))]
#[case::rights(failed(
    "Kustomization",
    "flux-system",
    "customer-a",
    "ReconciliationFailed",
    "helmreleases is forbidden: User \"system:serviceaccount:flux-system:default\" cannot patch"
))]
#[case::other(failed(
    "HelmRelease",
    "customer-a",
    "open-webui",
    "InstallFailed",
    "password hunter2 is wrong"
))]
#[case::unknown(failed(
    "GitRepository",
    "flux-system",
    "nowhere",
    "GitOperationFailed",
    "failed to clone"
))]
fn names_the_defect_and_its_line(#[case] object: FluxObject) {
    let defect = of_object(&layout(), &object, &["hunter2"]).unwrap();
    let thread = std::thread::current().name().unwrap_or_default().to_string();
    let case = thread.rsplit("case_").next().unwrap_or_default();
    let location = defect.location.map_or("nowhere".to_string(), |place| place.to_string());
    let said = format!(
        "{}\n{}\n{}\n{}\n{location}",
        defect.name, defect.summary, defect.object, defect.message
    );
    insta::assert_snapshot!(case, said);
}

#[test]
fn a_ready_object_shows_no_defect() {
    let ready = FluxObject { ready: true, ..patch_object() };
    assert_eq!(of_object(&layout(), &ready, &[]), None);
}

#[test]
fn who_waits_is_left_out() {
    let waits =
        failed("Kustomization", "flux-system", "customer-b", "DependencyNotReady", "not ready");
    let names = |objects: &[FluxObject]| {
        let defects = of_objects(&layout(), objects, &[]);
        defects.into_iter().map(|defect| defect.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[waits.clone(), patch_object()]), [PATCH_DOES_NOT_APPLY]);
    assert_eq!(names(&[waits]), [NOT_READY]);
}

#[test]
fn the_patch_is_mended_for_every_tenant() {
    let layout = layout();
    let defect = of_object(&layout, &patch_object(), &[]).unwrap();
    let change = mend(&layout, &defect).unwrap();
    let changed: Vec<&String> = change.files.keys().collect();
    assert_eq!(
        changed,
        ["customers/customer-a/kustomization.yaml", "customers/customer-b/kustomization.yaml"]
    );
    insta::assert_snapshot!("mended_patch", change.description);
    let mended = mended(&layout, &change).unwrap();
    assert_eq!(mend(&mended, &defect), None);
}

#[test]
fn the_source_is_mended_without_moving_a_line() {
    let layout = layout();
    let defect = of_object(&layout, &access_object(), &[]).unwrap();
    assert_eq!(defect.location.as_ref().unwrap().to_string(), "base/helmrelease.yaml:13");
    let change = mend(&layout, &defect).unwrap();
    insta::assert_snapshot!("mended_source", change.files["base/helmrelease.yaml"]);
    let mended = mended(&layout, &change).unwrap();
    let kinds: Vec<&str> = mended.documents.iter().map(Document::kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "GitRepository").count(), 2);
}

#[test]
fn what_cannot_be_mended_is_left() {
    let layout = layout();
    let object = failed("HelmRelease", "customer-a", "open-webui", "InstallFailed", "no");
    let defect = of_object(&layout, &object, &[]).unwrap();
    assert_eq!(mend(&layout, &defect), None);
}
