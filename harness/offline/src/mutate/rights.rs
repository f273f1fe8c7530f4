//! Rights of tenants' accounts.

use serde_json::json;

use super::catalogue::ROLE_WIDENED;
use super::ground::Ground;
use super::model::Generated;
use super::text::Change;

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    for kind in ["Role", "ClusterRole"] {
        for role in ground.written(kind, RBAC) {
            let Some(rules) = role.value()["rules"].as_array() else { continue };
            if rules.is_empty() {
                continue;
            }
            let said = format!("{kind} {} allows every verb on everything", role.name());
            let all = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
            let change = Change::Push(all);
            mutants.push(role.mutant(ROLE_WIDENED, "", said, (&["rules"], &change)));
        }
    }
    mutants
}
