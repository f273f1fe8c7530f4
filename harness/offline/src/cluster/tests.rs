use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::source::SourceLocation;
use rstest::rstest;

use super::{OfflineCluster, Surroundings};
use crate::render::{Object, Rendered, parse_stream};
use crate::secret::Keys;

const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a], org: a}
platform: [kube-system, shared]
endpoints:
  gateway: {in: shared, pods: {app: gateway}, ports: [8000/TCP]}
  dns: {in: kube-system, pods: {k8s-app: kube-dns}, ports: [53/UDP, 53/TCP]}
  apiserver: {entity: apiserver, ports: [6443/TCP]}
flows:
  - {from: each-tenant, to: [gateway, dns]}
";

const PODS: &str = "\
kind: Namespace
metadata: {name: a, labels: {purpose: tenant}}
---
kind: Namespace
metadata: {name: shared, labels: {purpose: shared}}
---
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web}}
spec: {containers: [{image: x, ports: [{containerPort: 80}]}]}
---
kind: Pod
metadata: {name: gateway, namespace: shared, labels: {app: gateway}}
spec: {containers: [{image: x, ports: [{containerPort: 8000}]}]}
---
";

/// These objects, as if one file held them.
pub(super) fn rendered(text: &str) -> Rendered {
    let object = |value| Object {
        value,
        origin: SourceLocation::new("all.yaml", 1),
        applied_by: String::new(),
    };
    let objects = parse_stream("all.yaml", text).unwrap().into_iter().map(object).collect();
    Rendered { objects, ..Rendered::default() }
}

/// What is said of one connection, under these egress rules of the tenant.
fn said(egress: &str, from: &str, to: &str) -> (&'static str, String) {
    let text = format!(
        "{PODS}apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: wall, \
         namespace: a}}\nspec: {{podSelector: {{}}, policyTypes: [Egress], egress: {egress}}}\n"
    );
    let rendered = rendered(&text);
    let contract = Contract::load("partywall.yaml", CONTRACT).unwrap();
    let (layout, keys) = (Layout::default(), Keys::default());
    let around = Surroundings::assumed(&contract, &rendered);
    let cluster = OfflineCluster::new(&layout, &rendered, &contract, &keys, &around);
    let explained = cluster.explain(from, to).unwrap();
    (explained[0].verdict, explained[0].because.clone())
}

#[rstest]
#[case::open("[{}]", "shared/gateway:8000", "allowed")]
#[case::closed("[]", "shared/gateway:8000", "denied")]
#[case::known_labels(
    "[{to: [{namespaceSelector: {matchLabels: {purpose: other}}}]}]",
    "shared/gateway:8000",
    "denied"
)]
#[case::labels_of_a_namespace_that_no_file_creates(
    "[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/cluster-service: 'true'}}}]}]",
    "dns:53/UDP",
    "not told by the files"
)]
#[case::such_labels_and_other_pods(
    "[{to: [{namespaceSelector: {matchLabels: {x: y}}, podSelector: {matchLabels: {app: other}}}]}]",
    "dns:53/UDP",
    "denied"
)]
#[case::by_name(
    "[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]",
    "dns:53/UDP",
    "allowed"
)]
#[case::another_name(
    "[{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shared, x: y}}}]}]",
    "dns:53/UDP",
    "denied"
)]
#[case::apiserver("[]", "apiserver", "denied")]
#[case::outside("[{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}]", "203.0.113.9:443", "allowed")]
#[case::hairpin("[{}]", "a/web:80", "not told by the files")]
fn says_what_the_files_tell(#[case] egress: &str, #[case] to: &str, #[case] verdict: &str) {
    let (found, because) = said(egress, "a/web", to);
    assert_eq!(found, verdict, "{because}");
}
