//! Roles that every cluster has.

use super::request::Request;
use super::rule::Rule;

/// What `edit` may write, by group. Its rules come from Kubernetes' own bootstrap policy.
const EDIT: [(&str, &[&str]); 8] = [
    (
        "",
        &[
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "pods",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
        ],
    ),
    (
        "apps",
        &[
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
    ("coordination.k8s.io", &["leases"]),
    ("extensions", &["ingresses", "networkpolicies"]),
];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];
const ADMIN: [&str; 2] = ["rolebindings", "roles"];
const RBAC: &str = "rbac.authorization.k8s.io";

/// What a role of Kubernetes' own says.
pub(crate) enum BuiltIn {
    /// These rules, and nothing else.
    Rules(Vec<Rule>),
    /// These rules, and what other roles add to it by their labels: whoever installs a kind may.
    Aggregated(Vec<Rule>),
}

/// The rules of a role of Kubernetes' own; `None` for any other name.
pub(crate) fn built_in(name: &str) -> Option<BuiltIn> {
    let texts = |list: &[&str]| list.iter().map(|one| (*one).to_string()).collect::<Vec<_>>();
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| Rule {
        groups: texts(&[group]),
        resources: texts(resources),
        verbs: texts(verbs),
        ..Rule::default()
    };
    match name {
        "cluster-admin" => Some(BuiltIn::Rules(vec![rule("*", &["*"], &["*"])])),
        "view" => Some(BuiltIn::Aggregated(Vec::new())),
        "edit" | "admin" => {
            let edit = EDIT.iter().map(|(group, resources)| rule(group, resources, &WRITE));
            let mut rules: Vec<Rule> = edit.collect();
            if name == "admin" {
                rules.push(rule(RBAC, &ADMIN, &WRITE));
            }
            Some(BuiltIn::Aggregated(rules))
        }
        _ => None,
    }
}

/// Whether a kind is one of Kubernetes' own, to which nobody adds rights by aggregation.
pub(crate) fn is_of_kubernetes(request: &Request) -> bool {
    let group = request.resource.group.as_str();
    !group.contains('.') || group.ends_with(".k8s.io")
}
