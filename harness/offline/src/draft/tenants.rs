//! Which namespaces look like tenants'.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::Layout;
use partywall_core::document::Document;
use partywall_core::source::SourceLocation;

use super::namespaces::{Namespace, Namespaces};
use super::secrets::Sealed;
use super::telemetry::Org;
use crate::render::Rendered;

/// A tenant, and why it is taken for one.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub(super) name: String,
    pub(super) namespaces: BTreeSet<String>,
    pub(super) because: String,
    pub(super) org: Org,
    pub(super) sealed: Option<Sealed>,
}

/// Folders that hold tenants, in the words of people who write layouts.
const FOLDERS: [&str; 10] = [
    "tenants",
    "tenant",
    "customers",
    "customer",
    "clients",
    "client",
    "teams",
    "team",
    "organisations",
    "organizations",
];
/// What a label of a tenant's namespace is called, behind its prefix.
const LABELS: [&str; 3] = ["tenant", "customer", "client"];
/// Labels that say of what kind a namespace is.
const KINDS: [&str; 4] = ["purpose", "role", "type", "kind"];

/// Tenants in the order of their names.
pub(super) fn tenants(
    layout: &Layout,
    rendered: &Rendered,
    namespaces: &Namespaces,
) -> Vec<Tenant> {
    let mut found = Found::default();
    for (name, namespace) in namespaces.eligible() {
        if let Some((tenant, because)) = labelled(name, namespace) {
            found.add(&tenant, name, because);
        }
    }
    let applied = applied_to(layout, rendered);
    for (name, namespace) in namespaces.eligible() {
        let by = |document: &&Document| {
            let place = place(Some(&document.location));
            format!("Kustomization {} applies a folder of tenants there{place}", document.name())
        };
        if let Some(because) = in_folder(namespace).or_else(|| applied.get(name.as_str()).map(by)) {
            found.add(name, name, because);
        }
    }
    let alike = Alike::of(rendered, namespaces);
    for (name, _) in namespaces.eligible() {
        if let Some(because) = alike.because(name, &found.owned) {
            found.add(name, name, because);
        }
    }
    found.tenants.into_values().collect()
}

#[derive(Default)]
struct Found {
    tenants: BTreeMap<String, Tenant>,
    owned: BTreeSet<String>,
}

impl Found {
    /// The first reason decides.
    fn add(&mut self, tenant: &str, namespace: &str, because: String) {
        if !self.owned.insert(namespace.to_string()) {
            return;
        }
        let new = || Tenant {
            name: tenant.to_string(),
            namespaces: BTreeSet::new(),
            because,
            org: Org::default(),
            sealed: None,
        };
        let tenant = self.tenants.entry(tenant.to_string()).or_insert_with(new);
        tenant.namespaces.insert(namespace.to_string());
    }
}

/// The tenant that a label names, or that the namespace itself is by a label.
fn labelled(name: &str, namespace: &Namespace) -> Option<(String, String)> {
    let place = place(namespace.origin.as_ref());
    for (key, value) in &namespace.labels {
        let short = key.rsplit('/').next().unwrap_or(key);
        let because = format!("label {key}: {value}{place}");
        if KINDS.contains(&short) && LABELS.contains(&value.as_str()) {
            return Some((name.to_string(), because));
        }
        if LABELS.contains(&short) && !value.is_empty() && value != "false" {
            let named = if value == "true" { name } else { value.as_str() };
            return Some((named.to_string(), because));
        }
    }
    None
}

/// Why a namespace is a tenant's by the folder that it is written in.
fn in_folder(namespace: &Namespace) -> Option<String> {
    let origin = namespace.origin.as_ref().filter(|origin| is_below_tenants(&origin.file))?;
    Some(format!("made in a folder of tenants{}", place(Some(origin))))
}

/// Namespaces that a Flux Kustomization of a folder of tenants puts something into.
fn applied_to<'a>(layout: &'a Layout, rendered: &'a Rendered) -> BTreeMap<&'a str, &'a Document> {
    let flux = layout
        .of_kind("Kustomization")
        .filter(|document| document.root.text(&["spec", "path"]).is_some_and(is_below_tenants));
    let label = |document: &Document| {
        format!("Kustomization {}/{}", document.namespace().unwrap_or_default(), document.name())
    };
    let flux: BTreeMap<String, &Document> =
        flux.map(|document| (label(document), document)).collect();
    let mut found = BTreeMap::new();
    for document in flux.values() {
        if let Some(target) = document.root.text(&["spec", "targetNamespace"]) {
            found.entry(target).or_insert(*document);
        }
    }
    for object in &rendered.objects {
        if let Some(document) = flux.get(&object.applied_by) {
            found.entry(object.namespace()).or_insert(*document);
        }
    }
    found
}

/// Whether a path goes through a folder of tenants into one of them.
fn is_below_tenants(path: &str) -> bool {
    let mut folders = path.split('/').skip_while(|part| !FOLDERS.contains(part)).skip(1);
    folders.next().is_some_and(|part| !part.is_empty())
}

/// Namespaces by what runs in them.
struct Alike {
    workloads: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Alike {
    fn of(rendered: &Rendered, namespaces: &Namespaces) -> Self {
        let mut workloads: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
        for object in &rendered.objects {
            let runs = object.kind() == "HelmRelease" || object.pod_template().is_some();
            // What a chart makes is its release's, which is already counted.
            if runs && !object.applied_by.starts_with("HelmRelease") {
                let what = (object.kind().to_string(), object.name().to_string());
                workloads.entry(object.namespace().to_string()).or_default().insert(what);
            }
        }
        workloads.retain(|name, _| namespaces.eligible().any(|(known, _)| known == name));
        Self { workloads }
    }

    /// Why a namespace is a tenant's by its likeness to one, or to another namespace where no
    /// tenant is known.
    fn because(&self, name: &str, owned: &BTreeSet<String>) -> Option<String> {
        let own = self.workloads.get(name)?;
        let like = |(other, what): &(&String, &BTreeSet<(String, String)>)| {
            *other != name && *what == own && (owned.is_empty() || owned.contains(*other))
        };
        let (other, _) = self.workloads.iter().find(like)?;
        let what: Vec<String> = own.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        Some(format!("holds what {other} holds: {}", what.join(", ")))
    }
}

fn place(origin: Option<&SourceLocation>) -> String {
    origin.map(|origin| format!(" ({origin})")).unwrap_or_default()
}
