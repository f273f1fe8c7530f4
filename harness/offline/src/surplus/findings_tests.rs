use super::{UNCONTRACTED_FLOW, findings};
use crate::cluster::{OfflineCluster, Surroundings};
use crate::render::{Object, Rendered, parse_stream};
use crate::secret::Keys;
use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::event::Defect;
use partywall_core::source::SourceLocation;
use rstest::rstest;

const CONTRACT: &str = "apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a], org: a}
  - {name: b, namespaces: [b], org: b}
platform: [shared]
endpoints:
  gateway: {in: shared, pods: {app: gateway}, ports: [8000/TCP]}
  apiserver: {entity: apiserver, ports: [6443/TCP]}
flows:
  - {from: each-tenant, to: same-tenant}
  - {from: each-tenant, to: [gateway]}
  - {from: b, to: [apiserver]}
";
const ANYBODY: &str = "{namespaceSelector: {}}";

fn pod(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}\n\
         spec: {{containers: [{{image: x, ports: [{{containerPort: 8000}}]}}]}}\n---\n"
    )
}

fn policy(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
         metadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{podSelector: {{}}, policyTypes: [Ingress, Egress], {spec}}}\n---\n"
    )
}

/// Both walls of both tenants, opened to a peer on ports.
fn opened(peer: &str, ports: &str) -> String {
    let both = format!(
        "ingress: [{{from: [{peer}], ports: [{ports}]}}], egress: [{{to: [{peer}], ports: [{ports}]}}]"
    );
    policy("a", "more", &both) + &policy("b", "more", &both)
}

fn egress(namespace: &str, rule: &str) -> String {
    policy(namespace, "more", &format!("egress: [{rule}]"))
}

/// Two tenants and a platform, closed but for what is their own and the gateway.
fn layout(more: &str) -> String {
    let own = "ingress: [{from: [{podSelector: {}}]}], egress: [{to: [{podSelector: {}}]}]";
    let gateway = "egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shared}}, podSelector: {matchLabels: {app: gateway}}}], ports: [{port: 8000}]}]";
    let mut text = String::new();
    for namespace in ["a", "b"] {
        text.push_str(&pod(namespace, "web"));
        text.push_str(&pod(namespace, "db"));
        text.push_str(&policy(namespace, "own", own));
        text.push_str(&policy(namespace, "gateway", gateway));
    }
    text.push_str("apiVersion: v1\nkind: Namespace\nmetadata: {name: shared}\n---\n");
    text.push_str(&pod("shared", "gateway"));
    text.push_str(&pod("shared", "loki"));
    format!("{text}{more}")
}

fn found(text: &str) -> Vec<Defect> {
    with_cluster(text, findings)
}

fn with_cluster<Found>(text: &str, look: impl FnOnce(&OfflineCluster<'_>) -> Found) -> Found {
    let object = |value| Object {
        value,
        origin: SourceLocation::new("all.yaml", 1),
        applied_by: String::new(),
    };
    let documents = text.split("---\n").flat_map(|text| parse_stream("all.yaml", text).unwrap());
    let rendered = Rendered { objects: documents.map(object).collect(), ..Rendered::default() };
    let contract = Contract::load("partywall.yaml", CONTRACT).unwrap();
    let (files, keys) = (Layout::default(), Keys::default());
    let around = Surroundings::assumed(&contract, &rendered);
    look(&OfflineCluster::new(&files, &rendered, &contract, &keys, &around))
}

#[rstest]
#[case::as_contracted("")]
#[case::an_entity_of_the_contract(&egress("b", "{to: [{ipBlock: {cidr: 10.0.0.1/32}}], ports: [{port: 6443}]}"))]
#[case::asked_by_cells(&opened(ANYBODY, "{port: 8000, endPort: 18080}").replace("namespaceSelector: {}", "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: partywall-open}}"))]
#[case::from_addresses(&policy("a", "more", "ingress: [{from: [{ipBlock: {cidr: 8.0.0.0/8}}], ports: [{port: 8000}]}]"))]
#[case::from_the_platform(&policy("a", "more", "ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shared}}}]}]"))]
fn nothing_is_left(#[case] more: &str) {
    assert_eq!(found(&layout(more)), []);
}

#[rstest]
#[case::a_port_that_nobody_declares(&opened(ANYBODY, "{port: 9999}"), "a/db to b/db on 9999/TCP")]
#[case::sctp(&opened(ANYBODY, "{port: 5432, protocol: SCTP}"), "a/db to b/db on 5432/SCTP")]
#[case::a_range_without_decoys(&opened(ANYBODY, "{port: 9000, endPort: 9999}"), "a/db to b/db on 9000-9999/TCP")]
#[case::another_port_of_an_endpoint(&egress("a", "{to: [{namespaceSelector: {}}], ports: [{port: 9999}]}"), "a/db to shared/gateway on 9999/TCP")]
#[case::to_what_no_policy_selects(&egress("a", "{to: [{namespaceSelector: {}}], ports: [{port: 9999}]}"), "a/db to a pod that no policy selects on 9999/TCP")]
#[case::metadata_service(&egress("a", "{to: [{ipBlock: {cidr: 169.254.169.254/32}}]}"), "a/web to 169.254.169.254/32 on all ports")]
#[case::the_internet(&egress("a", "{to: [{ipBlock: {cidr: 8.0.0.0/8}}], ports: [{port: 443}]}"), "a/web to 8.0.0.0/8 on 443/TCP")]
#[case::an_entity_of_another_tenant(&egress("a", "{to: [{ipBlock: {cidr: 10.0.0.1/32}}], ports: [{port: 6443}]}"), "a/web to 10.0.0.1/32 on 6443/TCP")]
#[case::beside_an_entity(&egress("b", "{to: [{ipBlock: {cidr: 10.0.0.1/32}}], ports: [{port: 6443}, {port: 22}]}"), "b/web to 10.0.0.1/32 on 22/TCP")]
#[case::nobody_named(&egress("a", "{ports: [{port: 443}]}"), "a/web to any address on 443/TCP")]
#[case::hidden_by_the_callers_wall(&policy("a", "more", "ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}], ports: [{port: 9999}]}]"), "only the other end's wall hides that this ingress rule allows what the contract does not list, b/db to a/db on 9999/TCP")]
#[case::hidden_by_the_called_ones_wall(&egress("a", "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}], ports: [{port: 9999}]}"), "only the other end's wall hides that this egress rule allows what the contract does not list, a/db to b/db on 9999/TCP")]
fn what_is_left_is_named(#[case] more: &str, #[case] expected: &str) {
    let found = found(&layout(more));
    let says =
        |defect: &Defect| defect.summary.contains(expected) || defect.message.contains(expected);
    assert!(found.iter().any(says), "{expected}: {found:#?}");
    for defect in &found {
        assert_eq!(defect.name, UNCONTRACTED_FLOW);
        assert!(defect.object.ends_with("/more"), "{defect:?}");
        assert!(defect.location.is_some(), "{defect:?}");
    }
}

#[test]
fn a_line_is_named_once() {
    let found = found(&layout(&egress("a", "{ports: [{port: 9999}, {port: 443}]}")));
    let said: Vec<String> =
        found.iter().map(|one| format!("{}\n{}", one.summary, one.message)).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    this egress rule allows what the contract does not list, a/web to any address on 443/TCP, 9999/TCP: narrow the policy, or list the flow if it is meant
    also a/db to a pod that no policy selects on 443/TCP, 9999/TCP; a/db to any other pod of shared on 443/TCP, 9999/TCP; a/db to shared/gateway on 443/TCP, 9999/TCP; and 1 more
    ");
}

#[test]
fn the_backend_has_them() {
    let text = layout(&opened(ANYBODY, "{port: 9999}"));
    with_cluster(&text, |cluster| {
        let has = |defect: &Defect| defect.name == UNCONTRACTED_FLOW;
        assert!(cluster.defects().iter().any(has));
    });
}
