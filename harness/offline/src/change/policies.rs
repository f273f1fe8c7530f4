//! A tenant's policies: taken away, widened, renamed.

use serde_json::{Value, json};

use super::edit::{Change, ChangeError, Ground};
use crate::render::Object;

/// What a renamed policy's name ends in.
const RENAMED: &str = "-renamed";

/// The layout without any policy of a tenant.
pub fn without_policies(ground: &Ground<'_>, tenant: &str) -> Result<Change, ChangeError> {
    Change::to_documents(ground, &policies(ground, tenant)?, |_policy| None)
}

/// The layout in which the first policy of a tenant lets everything in and out.
pub fn widened(ground: &Ground<'_>, tenant: &str) -> Result<Change, ChangeError> {
    let policies = policies(ground, tenant)?;
    // One that selects every pod, if there is one: then every edge of the tenant opens.
    let is_wide = |policy: &&Object| {
        policy.at(&["spec", "podSelector"]).and_then(Value::as_object).is_none_or(|o| o.is_empty())
    };
    let chosen = policies.iter().copied().find(is_wide).or(policies.first().copied());
    let chosen: Vec<&Object> = chosen.into_iter().collect();
    Change::to_documents(ground, &chosen, |policy| {
        let mut policy = policy.clone();
        policy["spec"]["policyTypes"] = json!(["Ingress", "Egress"]);
        policy["spec"]["ingress"] = json!([{}]);
        policy["spec"]["egress"] = json!([{}]);
        Some(policy)
    })
}

/// The layout in which every policy of a tenant has another name and says the same.
pub fn renamed(ground: &Ground<'_>, tenant: &str) -> Result<Change, ChangeError> {
    Change::to_documents(ground, &policies(ground, tenant)?, |policy| {
        let mut policy = policy.clone();
        let name = policy["metadata"]["name"].as_str().unwrap_or_default().to_string();
        policy["metadata"]["name"] = json!(format!("{name}{RENAMED}"));
        Some(policy)
    })
}

fn policies<'a>(ground: &Ground<'a>, tenant: &str) -> Result<Vec<&'a Object>, ChangeError> {
    let objects = ground.objects_of(tenant).into_iter();
    let policies: Vec<&Object> = objects.filter(|one| one.kind() == "NetworkPolicy").collect();
    if policies.is_empty() {
        let tenant = tenant.to_string();
        return Err(ChangeError::Nothing { what: "NetworkPolicy", tenant });
    }
    for policy in &policies {
        ground.must_be_own(tenant, policy)?;
    }
    Ok(policies)
}
