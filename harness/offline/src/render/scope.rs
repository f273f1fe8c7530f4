//! Which kinds live in a namespace.

use serde_json::Value;

/// Kinds of the whole cluster that end in no telling word.
const CLUSTER: [&str; 28] = [
    "APIService",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
    "CSIDriver",
    "CSINode",
    "CertificateSigningRequest",
    "CiliumClusterwideNetworkPolicy",
    "ComponentStatus",
    "CustomResourceDefinition",
    "DeviceClass",
    "FlowSchema",
    "GatewayClass",
    "GlobalNetworkPolicy",
    "GlobalNetworkSet",
    "IPAddress",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// More such kinds.
const CLUSTER_TOO: [&str; 5] = [
    "ServiceCIDR",
    "StorageVersion",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];

/// Kinds that are of a namespace in spite of their names.
const NOT_CLUSTER: [&str; 4] =
    ["Cluster", "ClusterClass", "ClusterResourceSet", "ClusterServiceVersion"];

/// Groups whose kinds we know by heart: what is not listed above lives in a namespace.
const KNOWN_GROUPS: [&str; 8] = [
    "",
    "apps",
    "batch",
    "autoscaling",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "discovery.k8s.io",
];

/// Whether objects of this kind belong to the whole cluster. `definitions` are the
/// CustomResourceDefinitions at hand; without one, a kind is told by its name.
pub(super) fn is_cluster_wide(kind: &str, group: &str, definitions: &[&Value]) -> bool {
    let defines = |definition: &&&Value| {
        let text = |path: &str| definition.pointer(path).and_then(Value::as_str);
        text("/spec/names/kind") == Some(kind) && text("/spec/group") == Some(group)
    };
    if let Some(definition) = definitions.iter().find(defines) {
        return definition.pointer("/spec/scope").and_then(Value::as_str) == Some("Cluster");
    }
    let named_so = kind.starts_with("Cluster") && !NOT_CLUSTER.contains(&kind);
    CLUSTER.contains(&kind) || CLUSTER_TOO.contains(&kind) || named_so
}

/// Whether an object of this kind certainly needs a namespace.
pub(super) fn needs_namespace(kind: &str, group: &str) -> bool {
    let flux = group.ends_with("toolkit.fluxcd.io");
    (flux || KNOWN_GROUPS.contains(&group)) && !is_cluster_wide(kind, group, &[])
}

/// The group of an `apiVersion`.
pub(super) fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("Namespace", "", true)]
    #[case("ClusterRole", "rbac.authorization.k8s.io", true)]
    #[case("RoleBinding", "rbac.authorization.k8s.io", false)]
    #[case("Cluster", "postgresql.cnpg.io", false)]
    #[case("Widget", "example.com", true)]
    #[case("Gadget", "example.com", false)]
    fn knows_the_scope(#[case] kind: &str, #[case] group: &str, #[case] expected: bool) {
        let names = json!({"kind": "Widget"});
        let definition =
            json!({"spec": {"group": "example.com", "names": names, "scope": "Cluster"}});
        assert_eq!(is_cluster_wide(kind, group, &[&definition]), expected);
    }

    #[test]
    fn claims_no_need_it_does_not_know_of() {
        assert!(needs_namespace("Deployment", "apps"));
        assert!(needs_namespace("HelmRelease", "helm.toolkit.fluxcd.io"));
        assert!(!needs_namespace("Anything", "example.com"));
        assert!(!needs_namespace("Namespace", ""));
    }
}
