//! Changes of the reference layout.

use std::path::PathBuf;

use super::*;
use crate::load::working_tree;
use crate::render::{Object, Rendered};
use partywall_core::contract::Contract;
use partywall_core::layout::Layout;
use partywall_core::source::SourceLocation;
use serde_json::{Value, json};

const TENANT: &str = "customer-a";

struct Reference {
    layout: Layout,
    rendered: Rendered,
    contract: Contract,
}

/// The reference layout with the objects that are written in it as they are, which is enough
/// for what is changed here.
fn reference() -> Reference {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/deployments");
    let layout = working_tree(&root).unwrap();
    let contract = Contract::load("partywall.yaml", &layout.files["partywall.yaml"]).unwrap();
    let mut rendered = Rendered::default();
    for document in &layout.documents {
        let file = &document.location.file;
        let applied_by = match file.split('/').collect::<Vec<_>>().as_slice() {
            ["platform", ..] => "Kustomization flux-system/walls".to_string(),
            ["customers", tenant, ..] => format!("Kustomization flux-system/{tenant}"),
            ["flux-system", ..] => "Kustomization flux-system/flux-system".to_string(),
            _ => continue,
        };
        let group = match (file.starts_with("flux-system"), document.kind()) {
            (true, "Kustomization") => "kustomize.toolkit.fluxcd.io/v1",
            (false, "Kustomization") => continue,
            _ => "v1",
        };
        let mut value = json!({
            "apiVersion": group, "kind": document.kind(), "metadata": {"name": document.name()},
            "spec": {"path": document.root.text(&["spec", "path"])},
        });
        if document.kind() != "Namespace" {
            value["metadata"]["namespace"] = json!(layout.namespace_of(document));
        }
        rendered.objects.push(Object { value, origin: document.location.clone(), applied_by });
    }
    for tenant in &contract.tenants {
        let folder = format!("customers/{}/kustomization.yaml", tenant.name);
        let by = format!("Kustomization flux-system/{}", tenant.name);
        let release = object("HelmRelease", &tenant.name, "open-webui", &json!({}), &by, &folder);
        let container = json!({"containers": [{"env": [{"name": "A"}]}]});
        let spec = json!({"template": {"spec": container}});
        let made = object("Deployment", &tenant.name, "web", &spec, &release.label(), "../chart");
        rendered.objects.extend([release, made]);
    }
    Reference { layout, rendered, contract }
}

fn object(
    kind: &str,
    namespace: &str,
    name: &str,
    spec: &Value,
    applied_by: &str,
    file: &str,
) -> Object {
    let metadata = json!({"name": name, "namespace": namespace});
    Object {
        value: json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}),
        origin: SourceLocation::new(file, 1),
        applied_by: applied_by.to_string(),
    }
}

impl Reference {
    fn ground(&self) -> Ground<'_> {
        Ground { layout: &self.layout, rendered: &self.rendered, contract: &self.contract }
    }
}

fn kinds(text: &str) -> Vec<String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let told = documents.iter().filter(|one| !one.is_null()).map(|one| {
        let text = |path: &str| one.pointer(path).and_then(Value::as_str).unwrap_or("?");
        format!("{} {}", text("/kind"), text("/metadata/name"))
    });
    told.collect()
}

const POLICIES: &str = "platform/tenants/customer-a/network-policies.yaml";

#[test]
fn policies_are_taken_away_and_nothing_else() {
    let reference = reference();
    let change = without_policies(&reference.ground(), TENANT).unwrap();
    assert_eq!(change.files.keys().collect::<Vec<_>>(), [POLICIES]);
    assert!(kinds(&change.files[POLICIES]).is_empty(), "{}", change.files[POLICIES]);
    assert_eq!(change.objects.len(), 2);
}

#[test]
fn policies_are_renamed() {
    let reference = reference();
    let change = renamed(&reference.ground(), TENANT).unwrap();
    let expected = [
        "NetworkPolicy default-deny-all-renamed",
        "NetworkPolicy allow-internal-and-shared-renamed",
    ];
    assert_eq!(kinds(&change.files[POLICIES]), expected);
}

#[test]
fn one_policy_is_widened() {
    let reference = reference();
    let change = widened(&reference.ground(), TENANT).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&change.files[POLICIES]).unwrap();
    assert_eq!(documents[0]["spec"]["egress"], json!([{}]));
    assert_eq!(documents[0]["spec"]["ingress"], json!([{}]));
    assert_eq!(documents[1]["spec"]["ingress"][0]["from"][0]["podSelector"], json!({}));
}

#[test]
fn a_tenant_leaves_with_its_walls_or_before_them() {
    let reference = reference();
    let ground = reference.ground();
    let own = tenant_kustomizations(&ground, TENANT);
    assert_eq!(own.iter().collect::<Vec<_>>(), ["Kustomization flux-system/customer-a"]);
    let workloads = without_kustomizations(&ground, TENANT).unwrap();
    let file = "flux-system/tenants/customer-a.yaml";
    assert_eq!(workloads.files.keys().collect::<Vec<_>>(), [file]);
    assert_eq!(kinds(&workloads.files[file]), ["ServiceAccount tenant-customer-a"]);
    let whole = without_tenant(&ground, TENANT).unwrap();
    assert_eq!(whole.files.len(), 4, "{:?}", whole.files.keys());
    assert!(kinds(&whole.files["platform/tenants/customer-a/namespace.yaml"]).is_empty());
}

#[test]
fn workloads_get_an_environment_variable() {
    let reference = reference();
    let targets = "10.0.0.1:80/tcp=p0123456789abcdef";
    let by_name = [("web".to_string(), targets.to_string())].into();
    let change = probe_from_first_instruction(&reference.ground(), TENANT, &by_name).unwrap();
    let file = "customers/customer-a/kustomization.yaml";
    let value: Value = serde_json::from_str(&change.files[file]).unwrap();
    assert_eq!(value["namespace"], "customer-a");
    assert_eq!(value["patches"][0]["target"]["kind"], "HelmRelease");
    let patch = value["patches"][0]["patch"].as_str().unwrap();
    assert!(patch.contains("postRenderers") && patch.contains(targets), "{patch}");
    assert!(patch.contains("env/-"), "what is there stays: {patch}");
}

#[test]
fn what_is_written_for_several_is_not_changed_for_one() {
    let mut reference = reference();
    let place = SourceLocation::new(POLICIES, 1);
    let spec = json!({});
    let by = "Kustomization flux-system/walls";
    let mut other = object("NetworkPolicy", "customer-b", "default-deny-all", &spec, by, POLICIES);
    other.origin = place;
    reference.rendered.objects.push(other);
    let error = without_policies(&reference.ground(), TENANT).unwrap_err();
    assert!(matches!(error, ChangeError::Shared { .. }), "{error}");
}
