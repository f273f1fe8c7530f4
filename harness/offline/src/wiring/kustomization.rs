//! A Kustomization of Flux.

use crate::render::{Object, Rendered};
use crate::scan::join;

/// The API group of Flux's Kustomizations.
const GROUP: &str = "kustomize.toolkit.fluxcd.io/";

/// A Kustomization of Flux among the rendered objects.
#[derive(Clone, Copy)]
pub(crate) struct Kustomization<'a>(pub(crate) &'a Object);

impl<'a> Kustomization<'a> {
    /// Every one.
    pub(crate) fn all(rendered: &'a Rendered) -> impl Iterator<Item = Self> {
        let kustomizations = rendered.of_kind("Kustomization");
        kustomizations.filter(|object| object.api_version().starts_with(GROUP)).map(Self)
    }

    /// The one that applies an object, directly or through a HelmRelease.
    pub(crate) fn of(rendered: &'a Rendered, object: &Object) -> Option<Self> {
        let mut applied_by = object.applied_by.as_str();
        if applied_by.starts_with("HelmRelease ") {
            let releases = rendered.of_kind("HelmRelease");
            applied_by = &releases.into_iter().find(|one| one.label() == applied_by)?.applied_by;
        }
        Self::all(rendered).find(|one| one.label() == applied_by)
    }

    /// The one whose path is the nearest folder of a file.
    pub(crate) fn nearest(rendered: &'a Rendered, file: &str) -> Option<Self> {
        let above = |one: &Self| {
            let path = one.path();
            !path.is_empty() && file.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'))
        };
        Self::all(rendered).filter(above).max_by_key(|one| one.path().len())
    }

    /// `Kustomization flux-system/customer-a`.
    pub(crate) fn label(&self) -> String {
        self.0.label()
    }

    /// The folder that it applies, relative to the root of its source.
    pub(crate) fn path(&self) -> String {
        join("", self.0.text(&["spec", "path"]).unwrap_or_default())
    }

    /// Whether it opens sealed files at all.
    pub(crate) fn decrypts(&self) -> bool {
        self.0.text(&["spec", "decryption", "provider"]) == Some("sops")
    }

    /// `namespace/name` of the Secret with the key that opens its files.
    pub(crate) fn key_secret(&self) -> Option<String> {
        let name = self.0.text(&["spec", "decryption", "secretRef", "name"])?;
        Some(format!("{}/{name}", self.0.namespace()))
    }

    /// Whether Flux would come to have it ready, as far as is known.
    pub(crate) fn is_ready(&self, rendered: &Rendered) -> bool {
        let same = rendered.flux.iter().find(|state| {
            state.kind == "Kustomization"
                && state.namespace == self.0.namespace()
                && state.name == self.0.name()
        });
        same.is_none_or(|state| state.ready)
    }
}
