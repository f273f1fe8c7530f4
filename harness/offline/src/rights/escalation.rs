//! Nobody may give what they have not: `escalate` and `bind`.

use partywall_core::attempt::Identity;
use serde_json::Value;

use super::account::Rights;
use super::request::{Permission, Request};
use super::resource::Resource;
use super::rule::Rule;

/// Why the API server refuses a role or a binding to somebody who may write them, or what is not
/// known of it.
pub(crate) fn refused(
    rights: &Rights<'_>,
    identity: &Identity,
    object: &Value,
) -> Result<(), Permission> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let (verb, kind, given) = match object["kind"].as_str().unwrap_or_default() {
        "Role" | "ClusterRole" => {
            let rules = object["rules"].as_array().into_iter().flatten();
            let rules = rules.map(|rule| Rule::read(rule, None)).collect();
            ("escalate", object["kind"].as_str(), Some(rules))
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let reference = &object["roleRef"];
            ("bind", reference["kind"].as_str(), rights.role_rules(reference, namespace))
        }
        _ => return Ok(()),
    };
    let name = match verb {
        "bind" => &object["roleRef"]["name"],
        _ => &object["metadata"]["name"],
    };
    let request = Request {
        verb,
        resource: Resource {
            group: "rbac.authorization.k8s.io".to_string(),
            plural: format!("{}s", kind.unwrap_or_default().to_lowercase()),
            is_known: true,
        },
        namespace: namespace.to_string(),
        name: name.as_str().unwrap_or_default().to_string(),
    };
    match rights.may(identity, &request) {
        Permission::Allowed { .. } => return Ok(()),
        Permission::Unknown(why) => return Err(Permission::Unknown(why)),
        Permission::Denied => {}
    }
    let Some(given) = given else {
        let role = &request.name;
        return Err(Permission::Unknown(format!("the role `{role}` is in no file of the layout")));
    };
    let own = rights.rules(identity, namespace);
    // Rules of several roles may add up to more than one of them holds; that is not seen here, and
    // is an error on the side of a refusal only where a role is cut in pieces.
    let is_covered = given.iter().all(|rule: &Rule| own.iter().any(|mine| mine.covers(rule)));
    if is_covered { Ok(()) } else { Err(Permission::Denied) }
}
