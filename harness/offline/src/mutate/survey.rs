//! Where a tenant's walls and its workload are listed.

use partywall_core::layout::folder_of;

use super::ground::Ground;
use crate::wiring::Kustomization;

/// The files of one tenant that matter to mutants of more than one object.
pub(super) struct TenantFolders {
    pub(super) name: String,
    pub(super) namespaces: Vec<String>,
    /// A file with policies of the tenant.
    pub(super) walls_file: String,
    /// The Kustomize file beside it.
    pub(super) walls_folder_file: String,
    /// The Kustomize file of the folder that brings the tenant's workload.
    pub(super) workload_folder_file: String,
}

/// Of every tenant whose policies and workload come by different Kustomizations.
pub(super) fn tenants(ground: &Ground<'_>) -> Vec<TenantFolders> {
    let tenants = ground.contract.tenants.iter();
    tenants
        .filter_map(|tenant| {
            let is_own = |namespace: &str| tenant.namespaces.iter().any(|own| own == namespace);
            let mut policies = ground.rendered.of_kind("NetworkPolicy");
            let policy = policies.find(|object| is_own(object.namespace()))?;
            let mut objects = ground.rendered.objects.iter();
            let workload = objects
                .find(|object| is_own(object.namespace()) && object.pod_template().is_some())?;
            let walls = Kustomization::of(ground.rendered, policy)?;
            let brings = Kustomization::of(ground.rendered, workload)?;
            if walls.label() == brings.label() {
                return None;
            }
            Some(TenantFolders {
                name: tenant.name.clone(),
                namespaces: tenant.namespaces.clone(),
                walls_file: policy.origin.file.clone(),
                walls_folder_file: beside(folder_of(&policy.origin.file)),
                workload_folder_file: beside(&brings.path()),
            })
        })
        .collect()
}

/// The Kustomize file of a folder.
pub(super) fn beside(folder: &str) -> String {
    match folder {
        "" => "kustomization.yaml".to_string(),
        _ => format!("{folder}/kustomization.yaml"),
    }
}
