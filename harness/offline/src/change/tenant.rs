//! A tenant that leaves: its Kustomizations, and what others apply for it.

use std::collections::BTreeSet;

use super::edit::{Change, ChangeError, Ground, is_in};
use crate::render::Object;

/// Kustomizations of Flux that apply objects of this tenant and of nobody else, as
/// `Kustomization namespace/name`.
pub fn tenant_kustomizations(ground: &Ground<'_>, tenant: &str) -> BTreeSet<String> {
    let namespaces = ground.namespaces(tenant);
    let applied = |own: bool| {
        let objects = ground.rendered.objects.iter();
        objects.filter(move |object| is_in(object, namespaces) == own)
    };
    let of_others: BTreeSet<&str> = applied(false).map(|one| one.applied_by.as_str()).collect();
    applied(true)
        .map(|object| object.applied_by.as_str())
        .filter(|by| by.starts_with("Kustomization ") && !of_others.contains(by))
        .map(str::to_string)
        .collect()
}

/// The layout without a tenant: its own Kustomizations are gone, and so is every object of its
/// that another Kustomization applies (its namespace, its walls).
pub fn without_tenant(ground: &Ground<'_>, tenant: &str) -> Result<Change, ChangeError> {
    let own = tenant_kustomizations(ground, tenant);
    let kustomizations = kustomizations(ground, &own);
    let by_others = ground.objects_of(tenant).into_iter().filter(|object| {
        object.applied_by.starts_with("Kustomization ") && !own.contains(&object.applied_by)
    });
    let objects: Vec<&Object> = kustomizations.into_iter().chain(by_others).collect();
    removed(ground, tenant, &objects)
}

/// The layout without a tenant's own Kustomizations: its workloads are gone, and the walls that
/// others apply still stand.
pub fn without_kustomizations(ground: &Ground<'_>, tenant: &str) -> Result<Change, ChangeError> {
    let own = tenant_kustomizations(ground, tenant);
    removed(ground, tenant, &kustomizations(ground, &own))
}

fn kustomizations<'a>(ground: &Ground<'a>, labels: &BTreeSet<String>) -> Vec<&'a Object> {
    let objects = ground.rendered.objects.iter();
    let is_flux = |object: &&Object| object.api_version().starts_with("kustomize.toolkit.");
    objects.filter(is_flux).filter(|object| labels.contains(&object.label())).collect()
}

fn removed(ground: &Ground<'_>, tenant: &str, objects: &[&Object]) -> Result<Change, ChangeError> {
    if objects.is_empty() {
        let tenant = tenant.to_string();
        return Err(ChangeError::Nothing { what: "Kustomization", tenant });
    }
    for object in objects.iter().filter(|object| is_in(object, ground.namespaces(tenant))) {
        ground.must_be_own(tenant, object)?;
    }
    Change::to_documents(ground, objects, |_object| None)
}
