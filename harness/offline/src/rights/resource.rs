//! The resource that a kind is asked for by.

use serde_json::Value;

use crate::render::Rendered;

/// Group and plural name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) plural: String,
    /// Whether the plural is known rather than guessed.
    pub(crate) is_known: bool,
}

impl Resource {
    /// `networkpolicies.networking.k8s.io`.
    pub(crate) fn full(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// Groups whose kinds form their plurals by the rule below.
const KNOWN: [&str; 20] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "helm.toolkit.fluxcd.io",
    "image.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "networking.k8s.io",
    "node.k8s.io",
    "notification.toolkit.fluxcd.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "source.toolkit.fluxcd.io",
    "storage.k8s.io",
];

/// The resource of an object.
pub(crate) fn resource_of(rendered: &Rendered, object: &Value) -> Resource {
    let kind = object["kind"].as_str().unwrap_or_default();
    let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/'));
    let group = group.map_or("", |(group, _)| group);
    let defined = rendered.of_kind("CustomResourceDefinition").find(|definition| {
        definition.text(&["spec", "group"]) == Some(group)
            && definition.text(&["spec", "names", "kind"]) == Some(kind)
    });
    let plural = defined.and_then(|one| one.text(&["spec", "names", "plural"]));
    Resource {
        group: group.to_string(),
        plural: plural.map_or_else(|| plural_of(kind), str::to_string),
        is_known: plural.is_some() || KNOWN.contains(&group),
    }
}

/// The plural of a kind, by the rule that Kubernetes' own follow.
pub(crate) fn plural_of(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if kind == "endpoints" {
        return kind;
    }
    if kind.ends_with("ss") || kind.ends_with("ch") || kind.ends_with("sh") || kind.ends_with('x') {
        return format!("{kind}es");
    }
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{kind}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("NetworkPolicy", "networkpolicies")]
    #[case("Ingress", "ingresses")]
    #[case("Endpoints", "endpoints")]
    #[case("EndpointSlice", "endpointslices")]
    #[case("GitRepository", "gitrepositories")]
    #[case("Gateway", "gateways")]
    fn forms_plurals(#[case] kind: &str, #[case] plural: &str) {
        assert_eq!(plural_of(kind), plural);
    }
}
