//! Policies of kinds that are not evaluated. They may open or close anything they reach, so what
//! they reach is not judged.

use partywall_core::event::NotJudged;

use crate::render::{Object, Rendered};

/// Groups whose policies decide who reaches whom, beside `networking.k8s.io`.
const POLICY_GROUPS: [&str; 7] = [
    "cilium.io",
    "crd.antrea.io",
    "crd.projectcalico.org",
    "k8s.ovn.org",
    "policy.networking.k8s.io",
    "projectcalico.org",
    "security.istio.io",
];
/// Kinds of these groups that are about something else.
const HARMLESS: [&str; 4] =
    ["FelixConfiguration", "IPPool", "BGPConfiguration", "PeerAuthentication"];
/// Groups whose objects can make or change others while the cluster runs.
const GENERATOR_GROUPS: [&str; 2] = ["kyverno.io", "mutations.gatekeeper.sh"];

/// Something that takes away the sight of a namespace, or of all.
#[derive(Clone, Debug)]
pub(crate) struct Blind {
    /// The namespace; empty where it is every one.
    namespace: String,
    reason: String,
}

impl Blind {
    /// Why nothing can be said of traffic between these namespaces; nothing if it can.
    pub(crate) fn between<'a>(all: &'a [Self], ends: [&str; 2]) -> Option<&'a str> {
        let covers = |one: &&Self| one.namespace.is_empty() || ends.contains(&&*one.namespace);
        all.iter().find(covers).map(|one| one.reason.as_str())
    }
}

fn group(object: &Object) -> &str {
    object.api_version().split_once('/').map_or("", |(group, _)| group)
}

fn in_groups(object: &Object, groups: &[&str]) -> bool {
    let own = group(object);
    groups.iter().any(|one| own == *one || own.strip_suffix(one).is_some_and(|p| p.ends_with('.')))
}

fn is_policy(object: &Object) -> bool {
    in_groups(object, &POLICY_GROUPS) && !HARMLESS.contains(&object.kind())
}

/// What cannot be seen through, of everything that is rendered.
pub(crate) fn blinds(rendered: &Rendered) -> Vec<Blind> {
    let policies = rendered.objects.iter().filter(|object| is_policy(object));
    let blind = |object: &Object| Blind {
        namespace: object.namespace().to_string(),
        reason: format!("{} ({}) is not evaluated offline", object.label(), object.origin),
    };
    policies.map(blind).collect()
}

/// The same by name, and everything that may change objects behind the files' back.
pub(crate) fn not_judged(rendered: &Rendered) -> Vec<NotJudged> {
    let named = |object: &Object, reason: &str| NotJudged {
        subject: object.label(),
        reason: reason.to_string(),
        location: Some(object.origin.clone()),
    };
    let objects = rendered.objects.iter();
    let found = objects.filter_map(|object| match object {
        object if is_policy(object) => Some(named(
            object,
            "only networking.k8s.io NetworkPolicies are evaluated offline: ask a cluster whose \
             network plugin knows this kind (`partywall test`)",
        )),
        object if in_groups(object, &GENERATOR_GROUPS) => Some(named(
            object,
            "it can make or change objects while the cluster runs, which no file shows: ask a \
             cluster (`partywall test`)",
        )),
        _ => None,
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::parse_stream;
    use partywall_core::source::SourceLocation;
    use rstest::rstest;

    fn rendered(text: &str) -> Rendered {
        let object = |value| Object {
            value,
            origin: SourceLocation::new("p.yaml", 1),
            applied_by: String::new(),
        };
        let objects = parse_stream("p.yaml", text).unwrap().into_iter().map(object).collect();
        Rendered { objects, ..Rendered::default() }
    }

    #[rstest]
    #[case("cilium.io/v2", "CiliumNetworkPolicy", Some(true))]
    #[case("crd.projectcalico.org/v1", "GlobalNetworkPolicy", Some(true))]
    #[case("projectcalico.org/v3", "NetworkPolicy", Some(true))]
    #[case("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", Some(true))]
    #[case("security.istio.io/v1", "AuthorizationPolicy", Some(true))]
    #[case("kyverno.io/v1", "ClusterPolicy", Some(false))]
    #[case("networking.k8s.io/v1", "NetworkPolicy", None)]
    #[case("crd.projectcalico.org/v1", "IPPool", None)]
    #[case("notcilium.io/v2", "Any", None)]
    fn names_what_it_does_not_know(
        #[case] api_version: &str,
        #[case] kind: &str,
        #[case] blinds_us: Option<bool>,
    ) {
        let text = format!(
            "apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x, namespace: a}}\n"
        );
        let rendered = rendered(&text);
        assert_eq!(not_judged(&rendered).len(), usize::from(blinds_us.is_some()));
        let all = blinds(&rendered);
        assert_eq!(Blind::between(&all, ["a", "b"]).is_some(), blinds_us == Some(true));
        assert_eq!(Blind::between(&all, ["c", "b"]), None);
    }

    #[test]
    fn a_policy_of_the_whole_cluster_hides_everything() {
        let all = blinds(&rendered(
            "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: x}\n",
        ));
        assert!(Blind::between(&all, ["a", "b"]).is_some());
    }
}
