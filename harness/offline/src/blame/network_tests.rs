use super::*;
use rstest::rstest;

const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants: [{name: customer-a, namespaces: [a], org: a}, {name: customer-b, namespaces: [b], org: b}]
platform: [kube-system, shared-services, observability]
endpoints:
  dns: {in: kube-system, pods: {k8s-app: kube-dns}, ports: [53/UDP, 53/TCP]}
  collector: {in: observability, pods: {app: alloy}, ports: [4317/TCP]}
  gateway: {in: shared-services, pods: {app: gateway}, ports: [8000/TCP]}
flows: [{from: each-tenant, to: [dns, collector, gateway]}]
";

const NAMESPACES: &str = "\
kind: Namespace
metadata: {name: a}
---
kind: Namespace
metadata: {name: b}
---
kind: Namespace
metadata:
  name: shared-services
  labels:
    purpose: shared-services
---
kind: Namespace
metadata: {name: observability}
---
kind: Namespace
metadata: {name: bare}
";

/// The policies of the first draft.
const POLICIES: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: default-deny-all
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: allow-internal-and-shared
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector: {}
  egress:
    - to:
        - podSelector: {}
    - to:
        - namespaceSelector:
            matchLabels:
              purpose: shared-services
      ports:
        - protocol: TCP
          port: 8000
    - to:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: kube-system
      ports:
        - protocol: UDP
          port: 53
";

fn layout(policies_of_a: &str, policies_of_b: &str) -> Layout {
    let overlay = |name: &str| format!("namespace: {name}\nresources: [np.yaml]\n");
    let files = [
        ("ns.yaml", NAMESPACES.to_string()),
        ("c/a/kustomization.yaml", overlay("a")),
        ("c/a/np.yaml", policies_of_a.to_string()),
        ("c/b/kustomization.yaml", overlay("b")),
        ("c/b/np.yaml", policies_of_b.to_string()),
    ];
    Layout::new(files.map(|(path, text)| (path.to_string(), text)).into()).unwrap()
}

fn said(blame: Option<Blame>) -> String {
    blame.map_or("none".to_string(), |blame| format!("{} {}", blame.location, blame.because))
}

#[rstest]
#[case::dns_over_tcp("dns", Port::tcp(53))]
#[case::telemetry("collector", Port::tcp(4317))]
#[case::telemetry_by_workload("observability/alloy", Port::tcp(4317))]
#[case::open("gateway", Port::tcp(8000))]
#[case::other_port("shared-services/searxng", Port::tcp(8080))]
fn names_the_rule_that_lacks_a_port(#[case] endpoint: &str, #[case] port: Port) {
    let contract = Contract::load("partywall.yaml", CONTRACT).unwrap();
    let layout = layout(POLICIES, POLICIES);
    let blame = missing_egress(&layout, &contract, "customer-a", "a", port, endpoint);
    let name = format!("closed_{}_{}", endpoint.replace('/', "_"), port.number);
    insta::assert_snapshot!(name, said(blame));
}

#[test]
fn names_the_far_side_where_the_near_one_is_open() {
    let contract = Contract::load("partywall.yaml", CONTRACT).unwrap();
    let mut files = layout(POLICIES, POLICIES).files;
    files.insert(
        "shared/np.yaml".to_string(),
        "kind: NetworkPolicy\nmetadata: {name: deny, namespace: shared-services}\nspec:\n  podSelector: {}\n  ingress: []\n".to_string(),
    );
    let layout = Layout::new(files).unwrap();
    let blame =
        missing_egress(&layout, &contract, "customer-a", "a", Port::tcp(8000), "gateway").unwrap();
    assert_eq!(blame.location.to_string(), "shared/np.yaml:5");
    assert!(blame.because.contains("does not let customer-a in"), "{}", blame.because);
}

const ALLOW_ALL: &str = "\
kind: NetworkPolicy
metadata: {name: wide}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress:
    - {}
  egress:
    - to: [{namespaceSelector: {}}]
";

#[rstest]
#[case::closed(POLICIES, POLICIES, "b")]
#[case::rules_on_both_sides(ALLOW_ALL, ALLOW_ALL, "b")]
#[case::nothing_on_both_sides("", "", "b")]
#[case::one_side_closed(ALLOW_ALL, POLICIES, "b")]
#[case::to_an_open_sink("", POLICIES, "partywall-open")]
#[case::closed_to_an_open_sink(POLICIES, POLICIES, "partywall-open")]
#[case::to_the_platform(ALLOW_ALL, POLICIES, "shared-services")]
fn names_what_opens_a_wall(#[case] of_a: &str, #[case] of_b: &str, #[case] to: &str) {
    let blame = open_wall(&layout(of_a, of_b), "a", to, Port::tcp(5432));
    let case = std::thread::current()
        .name()
        .unwrap_or_default()
        .rsplit("case_")
        .next()
        .map(str::to_string);
    insta::assert_snapshot!(format!("open_{}", case.unwrap_or_default()), said(blame));
}

#[test]
fn an_open_client_blames_the_ingress_side() {
    let blame = open_wall(&layout(POLICIES, ""), "partywall-open", "b", Port::tcp(5432)).unwrap();
    assert_eq!(blame.location.to_string(), "ns.yaml:4");
    assert_eq!(blame.because, "no NetworkPolicy selects the pods of b for ingress, so it is open");
}
