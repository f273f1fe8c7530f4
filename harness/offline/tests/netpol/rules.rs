//! Each rule of the API, one by one.

use std::net::IpAddr;

use partywall_offline::netpol::{
    Address, Answer, Connection, ContainerPort, Doubt, Isolation, NamespaceFacts, Place, PodFacts,
    Policies, PortSet, Protocol, RuleMatch, Side,
};
use rstest::rstest;
use serde_json::{Value, json};

const CLIENT: usize = 0;
const SERVER: usize = 1;
const STRANGER: usize = 2;
const ON_NODE: usize = 3;

/// `a/client`, `a/server`, `b/stranger` and `b/on-node`, which has its node's address.
fn pods() -> Vec<PodFacts> {
    let pod = |namespace: &str, name: &str| PodFacts {
        namespace: namespace.to_string(),
        name: name.to_string(),
        labels: [("app".to_string(), name.to_string())].into(),
        ..PodFacts::default()
    };
    let port = |name: &str, number, protocol| ContainerPort {
        name: Some(name.to_string()),
        number,
        protocol,
    };
    let ports = vec![port("http", 80, Protocol::Tcp), port("dns", 53, Protocol::Udp)];
    let other = vec![port("http", 8080, Protocol::Tcp)];
    vec![
        pod("a", "client"),
        PodFacts { ports, ..pod("a", "server") },
        PodFacts { ports: other, ..pod("b", "stranger") },
        PodFacts { host_network: true, ..pod("b", "on-node") },
    ]
}

fn namespaces() -> Vec<NamespaceFacts> {
    let labels = [("team", "x"), ("kubernetes.io/metadata.name", "forged")];
    let labels = labels.map(|(key, value)| (key.to_string(), value.to_string()));
    vec![
        NamespaceFacts { name: "a".to_string(), ..NamespaceFacts::default() },
        NamespaceFacts { name: "b".to_string(), labels: labels.into() },
    ]
}

fn policy(namespace: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": "p"},
        "spec": spec,
    })
}

fn evaluate(policies: &[Value]) -> Policies {
    let found = Policies::new(namespaces(), pods(), policies);
    assert_eq!(found.refused(), []);
    found
}

/// What the rules of one policy on the server say of a call to its port 80; the matrix says the
/// same.
fn let_in(from: usize, rule: Value) -> Answer {
    let policies = evaluate(&[policy("a", json!({"ingress": [rule]}))]);
    let verdict = policies.decide(Place::Pod(from), Place::Pod(SERVER), Protocol::Tcp, 80).verdict;
    let matrix = policies.matrix();
    let mut connections = matrix.connections().iter();
    let found = connections.find(|one| one.pairs().any(|pair| pair == (from, SERVER)));
    let has = |ports: fn(&Connection) -> &PortSet| {
        found.is_some_and(|found| ports(found).contains(Protocol::Tcp, 80))
    };
    assert_eq!(has(|found| &found.ports), verdict == Answer::Yes);
    assert_eq!(has(|found| &found.unsure), matches!(verdict, Answer::Unknown { .. }));
    verdict
}

fn unknown(reason: Doubt) -> Answer {
    Answer::Unknown { reason }
}

#[rstest]
#[case::no_list(json!({}), true, true)]
#[case::empty_list(json!({"from": []}), true, true)]
#[case::null(json!({"from": null}), true, true)]
#[case::own_pods(json!({"from": [{"podSelector": {}}]}), true, false)]
#[case::some_own_pods(json!({"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}), true, false)]
#[case::other_own_pods(json!({"from": [{"podSelector": {"matchLabels": {"app": "stranger"}}}]}), false, false)]
#[case::every_namespace(json!({"from": [{"namespaceSelector": {}}]}), true, true)]
#[case::labelled(json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}), false, true)]
#[case::by_name(
    json!({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}}]}), false, true
)]
#[case::the_name_cannot_be_forged(
    json!({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "forged"}}}]}), false, false
)]
#[case::both_selectors_in_one_peer(
    json!({"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "stranger"}}}]}), false, true
)]
#[case::the_wrong_pod_of_the_right_namespace(
    json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}, "podSelector": {"matchLabels": {"app": "client"}}}]}),
    false, false
)]
#[case::two_peers(
    json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}, {"podSelector": {}}]}), true, true
)]
#[case::everywhere(json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}), true, true)]
#[case::public(json!({"from": [{"ipBlock": {"cidr": "8.8.8.0/24"}}]}), false, false)]
fn peers(#[case] rule: Value, #[case] client: bool, #[case] stranger: bool) {
    assert_eq!(let_in(CLIENT, rule.clone()), Answer::from(client));
    assert_eq!(let_in(STRANGER, rule), Answer::from(stranger));
}

/// A label that no pod and no namespace has.
#[rstest]
#[case(json!({"key": "x", "operator": "In", "values": ["y"]}), false)]
#[case(json!({"key": "x", "operator": "NotIn", "values": ["y"]}), true)]
#[case(json!({"key": "x", "operator": "Exists"}), false)]
#[case(json!({"key": "x", "operator": "DoesNotExist"}), true)]
fn labels_that_nobody_has(#[case] expression: Value, #[case] expected: bool) {
    let selector = json!({"matchExpressions": [expression]});
    let pods = json!({"from": [{"podSelector": selector}]});
    assert_eq!(let_in(CLIENT, pods), Answer::from(expected));
    let namespaces = json!({"from": [{"namespaceSelector": selector}]});
    assert_eq!(let_in(STRANGER, namespaces), Answer::from(expected));
}

#[rstest]
#[case::no_list(json!({}), true)]
#[case::empty_list(json!({"ports": []}), true)]
#[case::number(json!({"ports": [{"port": 80}]}), true)]
#[case::other_number(json!({"ports": [{"port": 81}]}), false)]
#[case::other_protocol(json!({"ports": [{"port": 80, "protocol": "UDP"}]}), false)]
#[case::sctp_opens_no_tcp(json!({"ports": [{"port": 80, "protocol": "SCTP"}]}), false)]
#[case::protocol(json!({"ports": [{"protocol": "TCP"}]}), true)]
#[case::empty_entry(json!({"ports": [{}]}), true)]
#[case::range(json!({"ports": [{"port": 79, "endPort": 81}]}), true)]
#[case::first_of_range(json!({"ports": [{"port": 80, "endPort": 90}]}), true)]
#[case::last_of_range(json!({"ports": [{"port": 70, "endPort": 80}]}), true)]
#[case::before_range(json!({"ports": [{"port": 81, "endPort": 90}]}), false)]
#[case::name(json!({"ports": [{"port": "http"}]}), true)]
#[case::name_of_another_port(json!({"ports": [{"port": "dns", "protocol": "UDP"}]}), false)]
#[case::name_with_another_protocol(json!({"ports": [{"port": "http", "protocol": "UDP"}]}), false)]
#[case::unknown_name(json!({"ports": [{"port": "https"}]}), false)]
#[case::two_entries(json!({"ports": [{"port": 81}, {"port": 80}]}), true)]
fn ports(#[case] rule: Value, #[case] expected: bool) {
    assert_eq!(let_in(CLIENT, rule), Answer::from(expected));
}

/// A name of a port is the target's, whoever has the policy.
#[rstest]
#[case(SERVER, 80, true)]
#[case(SERVER, 8080, false)]
#[case(STRANGER, 8080, true)]
#[case(STRANGER, 80, false)]
fn names_of_ports_are_the_targets(#[case] to: usize, #[case] port: u16, #[case] expected: bool) {
    let spec = json!({"policyTypes": ["Egress"], "egress": [{"ports": [{"port": "http"}]}]});
    let policies = evaluate(&[policy("a", spec)]);
    let decision = policies.decide(Place::Pod(CLIENT), Place::Pod(to), Protocol::Tcp, port);
    assert_eq!(decision.verdict, Answer::from(expected));
}

#[rstest]
#[case::nothing_selects(json!({"podSelector": {"matchLabels": {"app": "x"}}}), true, true)]
#[case::ingress_by_default(json!({}), true, false)]
#[case::egress_alone(json!({"policyTypes": ["Egress"]}), false, true)]
#[case::both(json!({"policyTypes": ["Ingress", "Egress"]}), false, false)]
#[case::egress_rules_are_no_ingress_rules(json!({"policyTypes": ["Ingress"], "egress": [{}]}), true, false)]
#[case::an_empty_rule_lets_all_pass(json!({"ingress": [{}]}), true, true)]
fn isolates(#[case] spec: Value, #[case] out: bool, #[case] within: bool) {
    let policies = evaluate(&[policy("a", spec)]);
    let ask =
        |from, to| policies.decide(Place::Pod(from), Place::Pod(to), Protocol::Tcp, 80).verdict;
    assert_eq!(ask(SERVER, STRANGER), Answer::from(out));
    assert_eq!(ask(STRANGER, SERVER), Answer::from(within));
}

#[test]
fn policies_of_other_namespaces_select_nothing_here() {
    let policies = evaluate(&[policy("b", json!({"policyTypes": ["Ingress", "Egress"]}))]);
    let decision = policies.decide(Place::Pod(CLIENT), Place::Pod(SERVER), Protocol::Tcp, 80);
    assert_eq!((decision.egress, decision.ingress), (Side::Open, Side::Open));
    assert_eq!(decision.verdict, Answer::Yes);
}

#[test]
fn policies_add_up() {
    let deny = policy("a", json!({"policyTypes": ["Ingress"]}));
    let allow = policy("a", json!({"ingress": [{"ports": [{"port": 80}]}]}));
    for policies in [[&deny, &allow], [&allow, &deny]] {
        let policies = policies.map(Clone::clone);
        let found = evaluate(&policies);
        let ask =
            |port| found.decide(Place::Pod(STRANGER), Place::Pod(SERVER), Protocol::Tcp, port);
        assert_eq!(ask(80).verdict, Answer::Yes);
        assert_eq!(ask(81).verdict, Answer::No);
    }
}

#[test]
fn both_ends_must_let_it_pass() {
    let within = policy("a", json!({"ingress": [{}]}));
    let out = policy("b", json!({"policyTypes": ["Egress"]}));
    let policies = evaluate(&[within, out]);
    let decision = policies.decide(Place::Pod(STRANGER), Place::Pod(SERVER), Protocol::Tcp, 80);
    assert_eq!((decision.egress.answer(), decision.ingress.answer()), (Answer::No, Answer::Yes));
    assert_eq!(decision.verdict, Answer::No);
}

#[test]
fn whether_a_pod_reaches_itself_is_not_said() {
    let decision = evaluate(&[]).decide(Place::Pod(CLIENT), Place::Pod(CLIENT), Protocol::Tcp, 80);
    assert_eq!(decision.verdict, unknown(Doubt::Hairpin));
}

/// A pod with its node's address is a node to policies, save that a selector may find it.
#[rstest]
#[case::selected(json!({"from": [{"namespaceSelector": {}}]}), unknown(Doubt::HostNetworkPeer))]
#[case::everybody(json!({}), Answer::Yes)]
#[case::not_selected(json!({"from": [{"podSelector": {}}]}), unknown(Doubt::NodeToItsPods))]
#[case::other_port(json!({"ports": [{"port": 81}]}), unknown(Doubt::NodeToItsPods))]
fn on_the_host_network(#[case] rule: Value, #[case] expected: Answer) {
    assert_eq!(let_in(ON_NODE, rule), expected);
}

#[test]
fn no_policy_selects_a_pod_on_the_host_network() {
    let policies = evaluate(&[policy("b", json!({"policyTypes": ["Ingress", "Egress"]}))]);
    let ask =
        |from, to| policies.decide(Place::Pod(from), Place::Pod(to), Protocol::Tcp, 80).verdict;
    assert_eq!(ask(CLIENT, ON_NODE), Answer::Yes);
    assert_eq!(ask(CLIENT, STRANGER), Answer::No);
    assert_eq!(ask(ON_NODE, CLIENT), Answer::Yes);
}

#[rstest]
#[case::everybody(json!({}), Answer::Yes, Answer::Yes)]
#[case::every_pod(json!({"from": [{"namespaceSelector": {}}]}), unknown(Doubt::NodeToItsPods), Answer::No)]
#[case::everywhere(json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}), Answer::Yes, Answer::Yes)]
#[case::its_network(json!({"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}), Answer::Yes, Answer::Yes)]
#[case::without_it(
    json!({"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.7/32"]}}]}),
    unknown(Doubt::NodeToItsPods), Answer::No
)]
fn from_what_is_no_pod(#[case] rule: Value, #[case] node: Answer, #[case] outside: Answer) {
    let policies = evaluate(&[policy("a", json!({"ingress": [rule]}))]);
    let address = Address::Known(vec![IpAddr::from([192, 0, 2, 7])]);
    let ask = |from| policies.decide(from, Place::Pod(SERVER), Protocol::Tcp, 80).verdict;
    assert_eq!(ask(Place::Node(&address)), node);
    assert_eq!(ask(Place::Outside(&address)), outside);
}

#[rstest]
#[case::everybody(json!({}), Answer::Yes)]
#[case::every_pod(json!({"to": [{"namespaceSelector": {}}]}), Answer::No)]
#[case::private(
    json!({"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}),
    unknown(Doubt::PrivateAddress { block: "10.0.0.0/8".to_string() })
)]
#[case::a_name(json!({"ports": [{"port": "http"}]}), Answer::No)]
fn to_what_is_no_pod(#[case] rule: Value, #[case] expected: Answer) {
    let spec = json!({"policyTypes": ["Egress"], "egress": [rule]});
    let policies = evaluate(&[policy("a", spec)]);
    for to in [Place::Node(&Address::Private), Place::Outside(&Address::Private)] {
        let decision = policies.decide(Place::Pod(SERVER), to, Protocol::Tcp, 80);
        assert_eq!(decision.verdict, expected);
    }
}

#[test]
fn a_certain_rule_wins_over_a_doubtful_one() {
    let block = json!({"ipBlock": {"cidr": "10.0.0.0/8"}});
    let doubtful = json!({"from": [block.clone()]});
    let reason = Doubt::PrivateAddress { block: "10.0.0.0/8".to_string() };
    assert_eq!(let_in(STRANGER, doubtful), unknown(reason.clone()));
    let certain = json!({"from": [block.clone(), {"namespaceSelector": {}}]});
    assert_eq!(let_in(STRANGER, certain), Answer::Yes);
    let policies = evaluate(&[
        policy("a", json!({"ingress": [{"from": [block]}]})),
        policy("b", json!({"policyTypes": ["Egress"]})),
    ]);
    let decision = policies.decide(Place::Pod(STRANGER), Place::Pod(SERVER), Protocol::Tcp, 80);
    assert_eq!(decision.ingress.answer(), unknown(reason));
    assert_eq!(decision.verdict, Answer::No, "a certain no wins over a doubt");
}

#[test]
fn a_refused_policy_decides_nothing_and_is_named() {
    let good = policy("a", json!({}));
    let bad = policy("a", json!({"policyTypes": ["Egress"], "ingress": [{"form": []}]}));
    let policies = Policies::new(namespaces(), pods(), [bad, good]);
    let [refused] = policies.refused() else { panic!("one is refused") };
    assert_eq!(refused.policy, 0);
    assert_eq!(refused.error.path.to_string(), "spec.ingress[0].form");
    let decision = policies.decide(Place::Pod(SERVER), Place::Pod(STRANGER), Protocol::Tcp, 80);
    assert_eq!(decision.egress, Side::Open);
    let decision = policies.decide(Place::Pod(STRANGER), Place::Pod(SERVER), Protocol::Tcp, 80);
    let Side::Isolated(isolation) = decision.ingress else { panic!("the other one selects it") };
    assert_eq!(isolation.policies, [1]);
}

fn explained(port: u16) -> Isolation {
    let rules = json!([
        {"from": [{"podSelector": {}}], "ports": [{"port": 80}]},
        {"from": [{"ipBlock": {"cidr": "8.8.8.8/32"}}, {"namespaceSelector": {}}], "ports": [{"port": 79}, {"port": 81}]},
        {"from": [{"namespaceSelector": {}}]},
    ]);
    let count = if port == 90 { 2 } else { 3 };
    let rules: Vec<Value> = rules.as_array().unwrap()[..count].to_vec();
    let deny = policy("a", json!({"policyTypes": ["Ingress"]}));
    let policies = evaluate(&[deny, policy("a", json!({"ingress": rules}))]);
    let decision = policies.decide(Place::Pod(STRANGER), Place::Pod(SERVER), Protocol::Tcp, port);
    let Side::Isolated(isolation) = decision.ingress else { panic!("it is isolated") };
    isolation
}

fn paths(found: &[RuleMatch]) -> Vec<String> {
    found.iter().map(|found| format!("{} {}", found.place.policy, found.path())).collect()
}

#[test]
fn names_every_rule_that_allows() {
    let isolation = explained(81);
    assert_eq!(isolation.policies, [0, 1]);
    assert_eq!(
        paths(&isolation.allowed_by),
        ["1 spec.ingress[1].ports[1]", "1 spec.ingress[2].from[0]"]
    );
    assert_eq!(isolation.allowed_by[0].peers, [1]);
    assert_eq!(paths(&isolation.other_ports), Vec::<String>::new());
}

#[test]
fn names_rules_that_nearly_allow() {
    let isolation = explained(80);
    assert_eq!(paths(&isolation.allowed_by), ["1 spec.ingress[2].from[0]"]);
    assert_eq!(paths(&isolation.other_ports), ["1 spec.ingress[1].from[1]"]);
    assert_eq!(paths(&isolation.other_peers), ["1 spec.ingress[0].ports[0]"]);
    let isolation = explained(90);
    assert_eq!(isolation.answer, Answer::No);
    assert_eq!(paths(&isolation.allowed_by), Vec::<String>::new());
}
