//! Policies of kinds that are not evaluated. They may open or close anything they reach, so what
//! they reach is not judged.

use partywall_core::event::NotJudged;

use crate::render::{Object, Rendered};

/// Groups whose policies decide who reaches whom, beside `networking.k8s.io`.
const POLICY_GROUPS: [&str; 10] = [
    "cilium.io",
    "networking.istio.io",
    "networking.k8s.aws",
    "policy.linkerd.io",
    "crd.antrea.io",
    "crd.projectcalico.org",
    "k8s.ovn.org",
    "policy.networking.k8s.io",
    "projectcalico.org",
    "security.istio.io",
];
/// Kinds of these groups that are about something else.
const HARMLESS: [&str; 2] = ["BGPConfiguration", "IPPool"];
/// Groups whose objects can make or change others while the cluster runs.
const GENERATOR_GROUPS: [&str; 2] = ["kyverno.io", "mutations.gatekeeper.sh"];

/// Groups of Kubernetes' own, whose kinds either make pods in ways that are known here or make
/// none.
const BUILT_IN: [&str; 17] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];
/// Groups of others, whose kinds neither run pods nor move secrets, traffic or telemetry.
const HARMLESS_GROUPS: [&str; 1] = ["cert-manager.io"];
/// The same of groups that also have other kinds.
const HARMLESS_KINDS: [(&str, &str); 4] = [
    ("monitoring.coreos.com", "PodMonitor"),
    ("monitoring.coreos.com", "Probe"),
    ("monitoring.coreos.com", "PrometheusRule"),
    ("monitoring.coreos.com", "ServiceMonitor"),
];
/// Kinds of Kubernetes' own that change other objects while they are applied.
const MUTATING: [&str; 2] = ["MutatingAdmissionPolicy", "MutatingWebhookConfiguration"];

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
        object if MUTATING.contains(&object.kind()) => Some(named(
            object,
            "it can change objects while they are applied, which no file shows: ask a cluster \
             (`partywall test`)",
        )),
        object if is_on_the_host_network(object) => Some(named(
            object,
            "its pods have their node's network (`hostNetwork`), where what a policy does is left \
             to the implementation: who reaches them and whom they reach is not judged",
        )),
        object if is_entered_by_the_node(object) => Some(named(
            object,
            "it lets traffic in by the nodes' addresses, past what a pod's own address is asked: \
             where such traffic seems to come from is left to the implementation. Ask a cluster \
             (`partywall test`)",
        )),
        object if is_unknown(object) => Some(named(
            object,
            "its kind is not known offline: whatever a controller makes of it (pods, Secrets, \
             routes) is not seen. Ask a cluster (`partywall test`)",
        )),
        _ => None,
    });
    found.collect()
}

/// A Service or a pod with a port of the node, or with an address of its own choice.
fn is_entered_by_the_node(object: &Object) -> bool {
    if object.kind() == "Service" {
        let kind = object.text(&["spec", "type"]).unwrap_or_default();
        let external = object.at(&["spec", "externalIPs"]).and_then(|list| list.as_array());
        return ["LoadBalancer", "NodePort"].contains(&kind)
            || external.is_some_and(|l| !l.is_empty());
    }
    let containers = object.pod_template().and_then(|pod| pod["spec"]["containers"].as_array());
    let mut ports =
        containers.into_iter().flatten().filter_map(|one| one["ports"].as_array()).flatten();
    ports.any(|port| port["hostPort"].as_u64().is_some_and(|port| port > 0))
}

fn is_on_the_host_network(object: &Object) -> bool {
    let template = object.pod_template();
    template.is_some_and(|template| template["spec"]["hostNetwork"] == true)
}

/// A kind that an unknown controller may turn into anything.
fn is_unknown(object: &Object) -> bool {
    let own = group(object);
    let is_known = BUILT_IN.contains(&own)
        || HARMLESS_GROUPS.contains(&own)
        || HARMLESS_KINDS.contains(&(own, object.kind()))
        || in_groups(object, &["toolkit.fluxcd.io"])
        || (in_groups(object, &POLICY_GROUPS) && HARMLESS.contains(&object.kind()));
    !is_known
}

#[cfg(test)]
mod tests {
    use super::super::tests::rendered;
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("cilium.io/v2", "CiliumNetworkPolicy", Some(true))]
    #[case("crd.projectcalico.org/v1", "GlobalNetworkPolicy", Some(true))]
    #[case("projectcalico.org/v3", "NetworkPolicy", Some(true))]
    #[case("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", Some(true))]
    #[case("security.istio.io/v1", "AuthorizationPolicy", Some(true))]
    #[case("kyverno.io/v1", "ClusterPolicy", Some(false))]
    #[case("networking.k8s.io/v1", "NetworkPolicy", None)]
    #[case("crd.projectcalico.org/v1", "IPPool", None)]
    #[case("notcilium.io/v2", "Any", Some(false))]
    #[case("argoproj.io/v1alpha1", "Rollout", Some(false))]
    #[case("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", Some(false))]
    #[case("apps/v1", "Deployment", None)]
    #[case("monitoring.coreos.com/v1", "ServiceMonitor", None)]
    #[case("monitoring.coreos.com/v1", "Prometheus", Some(false))]
    #[case("helm.toolkit.fluxcd.io/v2", "HelmRelease", None)]
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

    #[rstest]
    #[case("kind: Service\nmetadata: {name: x, namespace: a}\nspec: {type: NodePort}", 1)]
    #[case("kind: Service\nmetadata: {name: x, namespace: a}\nspec: {externalIPs: [192.0.2.1]}", 1)]
    #[case("kind: Service\nmetadata: {name: x, namespace: a}\nspec: {type: ClusterIP}", 0)]
    #[case(
        "kind: Pod\nmetadata: {name: x, namespace: a}\nspec: {containers: [{ports: [{containerPort: 1, hostPort: 1}]}]}",
        1
    )]
    fn ways_past_a_pods_address_are_named(#[case] text: &str, #[case] named: usize) {
        assert_eq!(not_judged(&rendered(text)).len(), named);
    }

    #[test]
    fn pods_on_their_nodes_network_are_named() {
        let pod = |host: bool| {
            format!(
                "kind: Pod\nmetadata: {{name: x, namespace: a}}\nspec: {{hostNetwork: {host}}}\n"
            )
        };
        assert_eq!(not_judged(&rendered(&pod(true))).len(), 1);
        assert_eq!(not_judged(&rendered(&pod(false))), []);
    }

    #[test]
    fn a_policy_of_the_whole_cluster_hides_everything() {
        let all = blinds(&rendered(
            "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: x}\n",
        ));
        assert!(Blind::between(&all, ["a", "b"]).is_some());
    }
}
