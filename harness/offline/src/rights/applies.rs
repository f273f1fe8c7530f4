//! Accounts that may not apply what they are given.

use partywall_core::event::Defect;

use super::ACCOUNT_MAY_NOT_APPLY;
use super::account::Rights;
use super::identities::account_of;
use super::request::{Permission, Request};
use crate::render::{Object, Rendered};

/// Every Kustomization and HelmRelease that names an account which may not make an object of its.
/// One that names none is left to the flags of Flux, which are in no layout.
pub fn findings(rendered: &Rendered) -> Vec<Defect> {
    let rights = Rights::new(rendered);
    let appliers = rendered.objects.iter().filter(|object| {
        matches!(object.kind(), "Kustomization" | "HelmRelease")
            && object.api_version().contains(".toolkit.fluxcd.io/")
            && object.text(&["spec", "serviceAccountName"]).is_some()
    });
    appliers.filter_map(|applier| finding(rendered, &rights, applier)).collect()
}

fn finding(rendered: &Rendered, rights: &Rights<'_>, applier: &Object) -> Option<Defect> {
    let identity = account_of(applier);
    let label = applier.label();
    let refused = |object: &&Object| {
        let request = Request::to_apply(rendered, &object.value);
        // A Namespace that is applied has to be made first.
        let verb = "create";
        let name = String::new();
        let namespace =
            if object.kind() == "Namespace" { String::new() } else { request.namespace.clone() };
        let request = Request { verb, name, namespace, ..request };
        request.resource.is_known && rights.may(&identity, &request) == Permission::Denied
    };
    let given = rendered.objects.iter().filter(|object| object.applied_by == label);
    let refused: Vec<&Object> = given.filter(refused).collect();
    let first = refused.first()?;
    let more = match refused.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let request = Request::to_apply(rendered, &first.value);
    let summary = format!(
        "{label} acts as {identity}, which may not create {} ({}{more}); give the account a Role \
         with it, or take the object out",
        request.resource.full(),
        first.label(),
    );
    Some(Defect {
        name: ACCOUNT_MAY_NOT_APPLY.to_string(),
        summary,
        object: label,
        message: String::new(),
        location: Some(rendered.locate(applier, &["spec", "serviceAccountName"])),
        behind: None,
    })
}
