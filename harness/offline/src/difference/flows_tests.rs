use super::super::{Difference, End, difference};
use crate::cluster::{OfflineCluster, Surroundings};
use crate::render::{Object, Rendered, parse_stream};
use crate::secret::Keys;
use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::source::SourceLocation;
use rstest::rstest;

const CONTRACT: &str = "apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a], org: a}
  - {name: b, namespaces: [b], org: b}
platform: [shared, tools]
endpoints:
  gateway: {in: shared, pods: {app: gateway}, ports: [8000/TCP]}
  apiserver: {entity: apiserver, ports: [6443/TCP]}
flows:
  - {from: each-tenant, to: same-tenant}
  - {from: each-tenant, to: [gateway]}
";

fn pod(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}\n\
         spec: {{containers: [{{image: x, ports: [{{name: web, containerPort: 8000}}]}}]}}\n---\n"
    )
}

fn policy(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n\
         metadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{podSelector: {{}}, policyTypes: [Ingress, Egress], {spec}}}\n---\n"
    )
}

/// Two tenants and a platform, each closed but for what is its own; tenants also reach the
/// gateway.
fn layout(more: &str) -> String {
    let own = "ingress: [{from: [{podSelector: {}}]}], egress: [{to: [{podSelector: {}}]}]";
    let gateway = "egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shared}}}], ports: [{port: 8000}]}]";
    let mut text = String::new();
    for namespace in ["a", "b"] {
        text.push_str(&pod(namespace, "web"));
        text.push_str(&policy(namespace, "own", own));
        text.push_str(&policy(namespace, "gateway", gateway));
    }
    text.push_str("apiVersion: v1\nkind: Namespace\nmetadata: {name: shared}\n---\n");
    text.push_str(&pod("shared", "gateway"));
    text.push_str(&policy("shared", "in", "ingress: [{ports: [{port: 8000}]}]"));
    text.push_str(&pod("tools", "grafana"));
    text.push_str(&policy("tools", "own", own));
    format!("{text}{more}")
}

fn rendered(text: &str) -> Rendered {
    let object = |value| Object {
        value,
        origin: SourceLocation::new("all.yaml", 1),
        applied_by: String::new(),
    };
    let documents = text.split("---\n").flat_map(|text| parse_stream("all.yaml", text).unwrap());
    let objects = documents.map(object).collect();
    Rendered { objects, ..Rendered::default() }
}

fn compared(before: &str, after: &str) -> Difference {
    compared_under([CONTRACT, CONTRACT], before, after)
}

fn compared_under(contracts: [&str; 2], before: &str, after: &str) -> Difference {
    let files = Layout::default();
    let keys = Keys::default();
    let (before, after) = (rendered(before), rendered(after));
    let contracts = contracts.map(|text| Contract::load("partywall.yaml", text).unwrap());
    let around = |contract, rendered: &Rendered| Surroundings::assumed(contract, rendered);
    let (base_around, head_around) =
        (around(&contracts[0], &before), around(&contracts[1], &after));
    let base = OfflineCluster::new(&files, &before, &contracts[0], &keys, &base_around);
    let head = OfflineCluster::new(&files, &after, &contracts[1], &keys, &head_around);
    let end =
        |cluster| End { layout: &files, cluster, defects: Vec::new(), not_judged: Vec::new() };
    difference(&end(&base), &end(&head))
}

/// `+ from → to on ports, as contracted: why`.
fn said(found: &Difference) -> Vec<String> {
    let signs = [("+", &found.opened), ("-", &found.closed)];
    let lines = signs.into_iter().flat_map(|(sign, flows)| {
        flows.iter().map(move |flow| {
            let mark = if flow.contracted { "as contracted" } else { "against" };
            let ports = flow.ports.join(",");
            let why = flow.because.as_ref().map_or("?", |blame| blame.because.as_str());
            format!("{sign} {} → {} on [{ports}] {mark}: {why}", flow.from, flow.to)
        })
    });
    lines.collect()
}

#[test]
fn the_same_twice_is_no_change() {
    assert_eq!(compared(&layout(""), &layout("")), Difference::default());
}

#[rstest]
#[case::addresses(
    policy(
        "a",
        "out",
        "egress: [{to: [{ipBlock: {cidr: 1.0.0.0/8, except: [1.1.0.0/16]}}], ports: [{port: 443}]}]"
    ),
    "+ a/web → 1.0.0.0/8 except 1.1.0.0/16 on [443/TCP] against: this egress rule of NetworkPolicy a/out lets it through"
)]
#[case::from_addresses(
    policy("a", "out", "ingress: [{from: [{ipBlock: {cidr: 1.0.0.0/8}}], ports: [{port: web}]}]"),
    "+ 1.0.0.0/8 → a/web on [8000/TCP] against: this ingress rule of NetworkPolicy a/out lets it through"
)]
#[case::of_the_platform(
    policy("tools", "out", "egress: [{to: [{ipBlock: {cidr: 1.0.0.0/8}}]}]"),
    "+ tools/grafana → 1.0.0.0/8 on [] as contracted: this egress rule of NetworkPolicy tools/out lets it through"
)]
#[case::one_side_hides_the_other(
    policy(
        "a",
        "out",
        "egress: [{to: [{namespaceSelector: {}}], ports: [{port: 9999, protocol: UDP}]}]"
    ),
    "+ a/web → a pod that no policy selects on [9999/UDP] against: this egress rule of NetworkPolicy a/out lets it through"
)]
#[case::a_new_pod_of_the_platform(
    pod("tools", "loki"),
    "+ tools/grafana → tools/loki on [] as contracted: this egress rule of NetworkPolicy tools/own lets it through"
)]
fn what_is_added_opens(#[case] more: String, #[case] expected: &str) {
    let opened = compared(&layout(""), &layout(&more));
    let lines = said(&opened);
    assert!(lines.contains(&expected.to_string()), "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with('+')), "{lines:#?}");
    let closed = said(&compared(&layout(&more), &layout("")));
    assert_eq!(closed.len(), lines.len(), "{closed:#?}");
    assert!(
        closed.iter().all(|line| line.starts_with('-') && line.contains("against")),
        "{closed:#?}"
    );
}

#[test]
fn everybody_is_also_the_api_server_and_the_internet() {
    let more = policy("a", "out", "egress: [{}]");
    let lines = said(&compared(&layout(""), &layout(&more)));
    insta::assert_snapshot!(lines.join("\n"), @"
    + a/web → 0.0.0.0/0 on [] against: this egress rule of NetworkPolicy a/out lets it through
    + a/web → a pod that no policy selects on [] against: this egress rule of NetworkPolicy a/out lets it through
    + a/web → apiserver on [6443/TCP] against: this egress rule of NetworkPolicy a/out lets it through
    ");
}

#[test]
fn a_narrower_block_closes_in_part_and_opens_nothing() {
    let block = |cidr: &str| {
        layout(&policy("a", "out", &format!("egress: [{{to: [{{ipBlock: {{cidr: {cidr}}}}}]}}]")))
    };
    let lines = said(&compared(&block("1.0.0.0/8"), &block("1.2.0.0/16")));
    insta::assert_snapshot!(lines.join("\n"), @"- a/web → 1.0.0.0/8 (in part) on [] against: this egress rule of NetworkPolicy a/out, as it stood before the change, let it through");
}

#[test]
fn a_pod_that_is_gone_breaks_no_promise_but_an_endpoint_does() {
    let gateway = pod("shared", "gateway");
    let more = pod("a", "db");
    let lines = said(&compared(&layout(&more), &layout("")));
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines.iter().all(|line| line.contains("against")), "{lines:#?}");
    let lines = said(&compared(&layout(""), &layout("").replace(&gateway, "")));
    let promised = lines.iter().filter(|line| line.contains("as contracted")).count();
    assert_eq!(promised, 2, "{lines:#?}");
}

#[test]
fn a_kind_that_is_not_evaluated_hides_its_namespace() {
    let blind =
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: x, namespace: a}\n";
    let open = policy("a", "out", "egress: [{}]");
    let found = compared(&layout(""), &layout(&format!("{open}{blind}")));
    assert_eq!(said(&found), Vec::<String>::new());
    assert_eq!(found.not_judged.len(), 1);
}

#[test]
fn what_becomes_unknown_is_not_judged() {
    let policy = |cidr: &str| {
        layout(&policy("b", "in", &format!("ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]")))
            .replace("name: gateway, namespace: a}\nspec: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [", "name: gateway, namespace: a}\nspec: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}, ")
    };
    let found = compared(&policy("1.0.0.0/8"), &policy("10.1.0.0/16"));
    let subjects: Vec<&str> = found.not_judged.iter().map(|one| one.subject.as_str()).collect();
    assert_eq!(subjects, ["flows to b/web"]);
}

#[test]
fn beyond_what_is_listed_the_rest_is_named() {
    let tenants = |open: &str| {
        let mut text = String::new();
        for tenant in 0..160 {
            let namespace = format!("t{tenant}");
            text.push_str(&pod(&namespace, "web"));
            text.push_str(&policy(
                &namespace,
                "own",
                &format!("ingress: [{open}], egress: [{open}]"),
            ));
        }
        text
    };
    let found = compared(&tenants(""), &tenants("{}"));
    let listed =
        found.opened.iter().filter(|flow| flow.from.starts_with('t') && flow.to.starts_with('t'));
    assert!(listed.count() > 10_000);
    let reasons: Vec<&str> = found.not_judged.iter().map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains("more are opened or closed than the 20000"), "{reasons:?}");
}

#[test]
fn replicas_call_each_other_and_a_pod_not_itself() {
    let deployment = |replicas: u32| {
        layout(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: db, namespace: a}}\nspec: {{replicas: {replicas}, \
             template: {{metadata: {{labels: {{app: db}}}}, spec: {{containers: [{{image: x, ports: [{{containerPort: 1}}]}}]}}}}}}\n"
        ))
    };
    let lines = said(&compared(&deployment(1), &deployment(2)));
    insta::assert_snapshot!(lines.join("\n"), @"+ a/db → a/db on [] as contracted: this egress rule of NetworkPolicy a/own lets it through");
    assert_eq!(compared(&deployment(2), &deployment(3)), Difference::default());
}

#[test]
fn a_port_that_only_the_contract_names_comes_and_goes_with_nothing() {
    let named = CONTRACT.replace("[8000/TCP]", "[8000/TCP, 9000/TCP]");
    let found = compared_under([CONTRACT, &named], &layout(""), &layout(""));
    assert_eq!(found, Difference::default());
}
