//! The namespaces that there would be.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::Layout;
use partywall_core::event::NotJudged;
use partywall_core::source::SourceLocation;

use super::tenants::Tenant;
use crate::render::Rendered;

/// Where Flux itself runs.
pub(super) const FLUX: &str = "flux-system";
/// Where the cluster's own parts run.
pub(super) const KUBE_SYSTEM: &str = "kube-system";
/// Every cluster has them; none is a tenant's.
const BUILT_IN: [&str; 5] = ["default", FLUX, "kube-node-lease", "kube-public", KUBE_SYSTEM];

/// One namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespace {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) origin: Option<SourceLocation>,
}

/// Namespaces by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespaces(pub(super) BTreeMap<String, Namespace>);

impl Namespaces {
    /// Those that the layout makes, as rendered where they are and as written where they are not,
    /// and those that every cluster has.
    pub(super) fn of(layout: &Layout, rendered: &Rendered, notes: &mut Vec<NotJudged>) -> Self {
        let mut all = BTreeMap::new();
        for document in layout.of_kind("Namespace") {
            let labels = document.root.entries(&["metadata", "labels"]).iter();
            let labels =
                labels.filter_map(|(key, value)| Some((key.clone(), value.text(&[])?.to_string())));
            let (labels, origin) = (labels.collect(), Some(document.location.clone()));
            all.insert(document.name().to_string(), Namespace { labels, origin });
        }
        for object in rendered.of_kind("Namespace") {
            let (labels, origin) = (object.labels(), Some(object.origin.clone()));
            all.insert(object.name().to_string(), Namespace { labels, origin });
        }
        let created: BTreeSet<String> = all.keys().cloned().collect();
        for object in &rendered.objects {
            let name = object.namespace();
            if !name.is_empty() && !created.contains(name) && !BUILT_IN.contains(&name) {
                notes.push(not_created(name, &object.origin));
            }
        }
        all.retain(|name, namespace| {
            is_name(name) || {
                notes.push(no_name(name, namespace));
                false
            }
        });
        for name in [FLUX, KUBE_SYSTEM] {
            all.entry(name.to_string()).or_default();
        }
        for (name, namespace) in &mut all {
            namespace.labels.insert("kubernetes.io/metadata.name".to_string(), name.clone());
        }
        Self(all)
    }

    /// Namespaces that can be a tenant's.
    pub(super) fn eligible(&self) -> impl Iterator<Item = (&String, &Namespace)> {
        self.0.iter().filter(|(name, _)| !BUILT_IN.contains(&name.as_str()))
    }

    /// Those that are no tenant's, in order.
    pub(super) fn others(&self, tenants: &[Tenant]) -> Vec<String> {
        let owned: BTreeSet<&String> =
            tenants.iter().flat_map(|tenant| &tenant.namespaces).collect();
        self.0.keys().filter(|name| !owned.contains(name)).cloned().collect()
    }
}

/// Whether Kubernetes would take the name.
fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn no_name(name: &str, namespace: &Namespace) -> NotJudged {
    NotJudged {
        subject: format!("Namespace {name}"),
        reason: "its name is none that Kubernetes takes, so that the draft leaves it out"
            .to_string(),
        location: namespace.origin.clone(),
    }
}

fn not_created(name: &str, origin: &SourceLocation) -> NotJudged {
    NotJudged {
        subject: format!("Namespace {name}"),
        reason: "objects go into it, and the layout does not create it: the draft leaves it out"
            .to_string(),
        location: Some(origin.clone()),
    }
}
