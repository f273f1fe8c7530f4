//! The accounts that act for a tenant's folder, and a client for each.

use std::collections::BTreeSet;

use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use partywall_core::attempt::{DEFAULT_ACCOUNT, Identity, unknown_folder};
use partywall_core::contract::Tenant;

use crate::client::client_as;
use crate::session::Session;

/// An account, and a client that acts as it.
pub(super) struct Account {
    pub(super) identity: Identity,
    pub(super) client: Client,
}

/// Every account of a tenant: that of the Kustomization which applies its folder, and those of its
/// namespaces, any of which a HelmRelease there may name.
pub(super) async fn accounts(
    client: &Client,
    session: &Session,
    tenant: &Tenant,
) -> Result<Vec<Account>, String> {
    let mut found: BTreeSet<Identity> = kustomizations(client, tenant).await?;
    for namespace in &tenant.namespaces {
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
            Api::namespaced(client.clone(), namespace);
        let listed = accounts.list(&ListParams::default()).await;
        let listed = listed.map_err(|error| format!("failed to list service accounts: {error}"))?;
        found.extend(listed.iter().map(|one| Identity::new(namespace, one.name_any())));
    }
    let mut accounts = Vec::new();
    for identity in found {
        let client = client_as(&session.kubeconfig(), &identity.user()).await;
        let client = client.map_err(|error| error.to_string())?;
        accounts.push(Account { identity, client });
    }
    Ok(accounts)
}

async fn kustomizations(client: &Client, tenant: &Tenant) -> Result<BTreeSet<Identity>, String> {
    let kind = GroupVersionKind::gvk("kustomize.toolkit.fluxcd.io", "v1", "Kustomization");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    let listed = match api.list(&ListParams::default()).await {
        Ok(listed) => listed.items,
        // A cluster without Flux has none.
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(format!("failed to list Kustomizations: {error}")),
    };
    let path = |object: &DynamicObject| {
        let path = object.data["spec"]["path"].as_str().unwrap_or_default();
        path.trim_start_matches("./").trim_end_matches('/').to_string()
    };
    let nearest = |file: &String| {
        let above = listed.iter().filter(|one| {
            let path = path(one);
            !path.is_empty() && file.starts_with(&format!("{path}/"))
        });
        above.max_by_key(|one| path(one).len())
    };
    let files = tenant.secrets.iter().flat_map(|secrets| &secrets.files);
    let inside = listed.iter().filter(|one| {
        one.namespace().is_some_and(|namespace| tenant.namespaces.contains(&namespace))
    });
    let found: BTreeSet<Identity> =
        files.filter_map(nearest).chain(inside).map(account_of).collect();
    if found.is_empty() && !listed.is_empty() {
        return Err(unknown_folder(&tenant.name));
    }
    Ok(found)
}

fn account_of(object: &DynamicObject) -> Identity {
    let name = object.data["spec"]["serviceAccountName"].as_str().unwrap_or(DEFAULT_ACCOUNT);
    Identity::new(object.namespace().unwrap_or_default(), name)
}
