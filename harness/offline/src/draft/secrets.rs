//! Files that are sealed for a tenant, for whom, and the Secret with the key.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::Layout;
use partywall_core::document::Document;
use partywall_core::event::NotJudged;
use partywall_core::layout::{folder_of, is_yaml};
use partywall_core::source::SourceLocation;

use super::namespaces::FLUX;
use super::tenants::Tenant;
use crate::scan::join;
use crate::sops;

/// A tenant's sealed files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) files: BTreeSet<String>,
    pub(super) recipients: BTreeSet<String>,
    pub(super) key_secret: String,
    /// Where the Secret with the key was read.
    pub(super) because: String,
}

/// Gives every sealed file of the layout to the tenant whose folder it is in.
pub(super) fn sealed(layout: &Layout, tenants: &mut [Tenant], notes: &mut Vec<NotJudged>) {
    let appliers = Appliers::of(layout);
    for (file, text) in &layout.files {
        if !is_yaml(file) || !sops::is_sealed(text) {
            continue;
        }
        let Some(tenant) = owner(layout, &appliers, file, tenants) else {
            notes.push(note(file, "it is sealed, and stands in no tenant's folder"));
            continue;
        };
        match sops::recipients(file, text) {
            Ok(recipients) if !recipients.is_empty() => {
                let sealed = tenant.sealed.get_or_insert_with(Sealed::default);
                sealed.files.insert(file.clone());
                sealed.recipients.extend(recipients.into_iter().map(|recipient| recipient.key));
                appliers.name_key(file, &tenant.name, sealed, notes);
            }
            Ok(_) => {
                notes.push(note(file, "it is sealed for no age key, which the contract needs"))
            }
            Err(error) => {
                notes.push(note(file, &format!("it is sealed in a way not known: {error}")))
            }
        }
    }
}

fn note(file: &str, reason: &str) -> NotJudged {
    NotJudged {
        subject: file.to_string(),
        reason: format!("{reason}: the draft leaves it out"),
        location: Some(SourceLocation::new(file, 1)),
    }
}

/// The tenant that a file's folders name, or whose namespace its overlay says.
fn owner<'a>(
    layout: &Layout,
    appliers: &Appliers<'_>,
    file: &str,
    tenants: &'a mut [Tenant],
) -> Option<&'a mut Tenant> {
    let parts: BTreeSet<&str> = file.split(['/', '.']).collect();
    let overlay = layout.kustomization_in(folder_of(file));
    let said = overlay.and_then(|overlay| overlay.root.text(&["namespace"]));
    let target = appliers.of_file(file).and_then(|d| d.root.text(&["spec", "targetNamespace"]));
    let by_namespace = |tenant: &Tenant| {
        let own = |name: Option<&str>| name.is_some_and(|name| tenant.namespaces.contains(name));
        own(said) || own(target)
    };
    let by_name = |tenant: &Tenant| {
        parts.contains(tenant.name.as_str())
            || tenant.namespaces.iter().any(|name| parts.contains(name.as_str()))
    };
    let index =
        tenants.iter().position(by_namespace).or_else(|| tenants.iter().position(by_name))?;
    tenants.get_mut(index)
}

/// Flux Kustomizations by the folder that they apply.
struct Appliers<'a>(BTreeMap<String, &'a Document>);

impl<'a> Appliers<'a> {
    fn of(layout: &'a Layout) -> Self {
        let flux = layout.of_kind("Kustomization");
        let path = |document: &'a Document| {
            Some((join("", document.root.text(&["spec", "path"])?), document))
        };
        Self(flux.filter_map(path).collect())
    }

    /// The one that applies the nearest folder above a file.
    fn of_file(&self, file: &str) -> Option<&'a Document> {
        let mut folder = folder_of(file);
        loop {
            if let Some(found) = self.0.get(folder) {
                return Some(found);
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder_of(folder);
        }
    }

    fn name_key(&self, file: &str, tenant: &str, sealed: &mut Sealed, notes: &mut Vec<NotJudged>) {
        let document = self.of_file(file);
        let named = document.and_then(|document| {
            let name = document.root.text(&["spec", "decryption", "secretRef", "name"])?;
            let namespace = document.namespace().unwrap_or(FLUX);
            let place = document.locate(&["spec", "decryption", "secretRef", "name"]);
            Some((format!("{namespace}/{name}"), place.to_string()))
        });
        let Some((key, place)) = named else {
            notes.push(NotJudged {
                subject: file.to_string(),
                reason: "it is sealed, and no Kustomization that applies it has `decryption`"
                    .to_string(),
                location: document.map(|document| document.location.clone()),
            });
            if sealed.key_secret.is_empty() {
                sealed.key_secret = format!("{FLUX}/sops-age-{tenant}");
                sealed.because =
                    "a guess: no Kustomization that applies them has `decryption`".to_string();
            }
            return;
        };
        (sealed.key_secret, sealed.because) = (key, place);
    }
}
