//! The accounts that act for a tenant's folder.

use std::collections::BTreeSet;

use partywall_core::attempt::{DEFAULT_ACCOUNT, Identity, unknown_folder};
use partywall_core::contract::Tenant;

use crate::render::{Object, Rendered};
use crate::wiring::Kustomization;

/// The account of every Kustomization that applies the folder, and every one of the tenant's
/// namespaces: a HelmRelease there may name any of them. Flux is taken to run under
/// `--default-service-account`, as in every session.
///
/// # Errors
/// Flux is there and nothing says which of its objects applies the folder.
pub(crate) fn identities(rendered: &Rendered, tenant: &Tenant) -> Result<Vec<Identity>, String> {
    let of_tenant = |namespace: &str| tenant.namespaces.iter().any(|one| one == namespace);
    let files = tenant.secrets.iter().flat_map(|secrets| &secrets.files);
    let nearest = files.filter_map(|file| Kustomization::nearest(rendered, file));
    let inside = Kustomization::all(rendered).filter(|one| of_tenant(one.0.namespace()));
    let mut found: BTreeSet<Identity> =
        nearest.chain(inside).map(|one| account_of(one.0)).collect();
    if found.is_empty() && Kustomization::all(rendered).next().is_some() {
        return Err(unknown_folder(&tenant.name));
    }
    let accounts = rendered.of_kind("ServiceAccount").filter(|one| of_tenant(one.namespace()));
    found.extend(accounts.map(|one| Identity::new(one.namespace(), one.name())));
    found.extend(tenant.namespaces.iter().map(|one| Identity::new(one, DEFAULT_ACCOUNT)));
    Ok(found.into_iter().collect())
}

/// The account that a Kustomization or a HelmRelease is applied as.
pub(crate) fn account_of(object: &Object) -> Identity {
    let name = object.text(&["spec", "serviceAccountName"]).unwrap_or(DEFAULT_ACCOUNT);
    Identity::new(object.namespace(), name)
}
