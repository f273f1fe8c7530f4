use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::netpol::facts::Labels;

fn policy(spec: Value) -> Value {
    let metadata = json!({"namespace": "a", "name": "p"});
    json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})
}

fn parse(spec: Value) -> Policy {
    Policy::parse(&policy(spec)).unwrap()
}

fn error(spec: Value) -> String {
    Policy::parse(&policy(spec)).unwrap_err().to_string()
}

#[rstest]
#[case::default(json!({}), (false, true))]
#[case::null(Value::Null, (false, true))]
#[case::ingress_rules(json!({"ingress": [{}]}), (false, true))]
#[case::egress_rules(json!({"egress": [{}]}), (true, true))]
#[case::no_egress_rules(json!({"egress": []}), (false, true))]
#[case::no_types(json!({"policyTypes": [], "egress": [{}]}), (true, true))]
#[case::egress_alone(json!({"policyTypes": ["Egress"]}), (true, false))]
#[case::ingress_alone(json!({"policyTypes": ["Ingress"], "egress": [{}]}), (false, true))]
#[case::both(json!({"policyTypes": ["Ingress", "Egress"]}), (true, true))]
#[case::twice(json!({"policyTypes": ["Ingress", "Ingress"]}), (false, true))]
fn speaks_of(#[case] spec: Value, #[case] expected: (bool, bool)) {
    let policy = parse(spec);
    assert_eq!((policy.egress.is_some(), policy.ingress.is_some()), expected);
}

#[rstest]
#[case::all(json!({}), PortRange::every(Protocol::Tcp))]
#[case::all_of_a_protocol(json!({"protocol": "SCTP"}), PortRange::every(Protocol::Sctp))]
#[case::number(json!({"port": 80}), range(80, 80))]
#[case::range(json!({"port": 80, "endPort": 90}), range(80, 90))]
#[case::range_of_one(json!({"port": 80, "endPort": 80}), range(80, 80))]
#[case::last(json!({"port": 65535}), range(65535, 65535))]
fn reads_numbers(#[case] port: Value, #[case] expected: PortRange) {
    let policy = parse(json!({"ingress": [{"ports": [port]}]}));
    let rule = &policy.ingress.as_ref().unwrap()[0].ports[0];
    assert_eq!(rule.ports, PortMatch::Numbers(expected));
    assert_eq!(rule.protocol, expected.protocol);
}

fn range(first: u16, last: u16) -> PortRange {
    PortRange { protocol: Protocol::Tcp, first, last }
}

#[test]
fn reads_names_of_ports() {
    let policy = parse(json!({"egress": [{"ports": [{"port": "dns", "protocol": "UDP"}]}]}));
    let expected = PortRule { protocol: Protocol::Udp, ports: PortMatch::Named("dns".to_string()) };
    assert_eq!(policy.egress.as_ref().unwrap()[0].ports, [expected]);
}

#[rstest]
#[case::number_as_text(json!({"port": "80"}),
    "spec.egress[0].ports[0].port: `80` is not the name of a port: up to 15 of a-z, 0-9 and single `-`, with a letter")]
#[case::zero(json!({"port": 0}), "spec.egress[0].ports[0].port: 0 is not a port: 1 to 65535")]
#[case::beyond(json!({"port": 65536}), "spec.egress[0].ports[0].port: 65536 is not a port: 1 to 65535")]
#[case::end_beyond(json!({"port": 1, "endPort": 65536}),
    "spec.egress[0].ports[0].endPort: 65536 is not a port: 1 to 65535")]
#[case::end_before(json!({"port": 90, "endPort": 80}), "spec.egress[0].ports[0].endPort: 80 is before `port` 90")]
#[case::end_alone(json!({"endPort": 80}), "spec.egress[0].ports[0].endPort: `endPort` needs a number in `port`")]
#[case::end_of_a_name(json!({"port": "http", "endPort": 80}),
    "spec.egress[0].ports[0].endPort: `endPort` needs a number in `port`")]
#[case::lower_case(json!({"protocol": "tcp"}),
    "spec.egress[0].ports[0].protocol: `tcp` is not supported, write `TCP, UDP or SCTP`")]
#[case::unknown(json!({"prot": 80}),
    "spec.egress[0].ports[0].prot: unknown field `prot`, expected one of `protocol`, `port`, `endPort`")]
#[case::wrong_type(json!({"port": true}),
    "spec.egress[0].ports[0].port: invalid type: expected the number or the name of a port")]
fn refuses_ports(#[case] port: Value, #[case] expected: &str) {
    assert_eq!(error(json!({"egress": [{"ports": [port]}]})), expected);
}

#[rstest]
#[case::empty(json!({}), "spec.ingress[0].from[0]: a peer needs `podSelector`, `namespaceSelector` or `ipBlock`")]
#[case::block_and_pods(json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}),
    "spec.ingress[0].from[0].ipBlock: `ipBlock` cannot stand beside a selector")]
#[case::block_and_namespaces(json!({"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": {}}),
    "spec.ingress[0].from[0].ipBlock: `ipBlock` cannot stand beside a selector")]
#[case::not_a_block(json!({"ipBlock": {"cidr": "10.0.0.0"}}),
    "spec.ingress[0].from[0].ipBlock.cidr: `10.0.0.0` is not a CIDR such as 10.0.0.0/8")]
#[case::no_block(json!({"ipBlock": {}}), "spec.ingress[0].from[0].ipBlock: missing field `cidr`")]
#[case::except_outside(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "11.0.0.0/16"]}}),
    "spec.ingress[0].from[0].ipBlock.except[1]: `11.0.0.0/16` is not a smaller part of `10.0.0.0/8`")]
#[case::except_everything(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}),
    "spec.ingress[0].from[0].ipBlock.except[0]: `10.0.0.0/8` is not a smaller part of `10.0.0.0/8`")]
#[case::except_of_another_family(json!({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["fd00::/8"]}}),
    "spec.ingress[0].from[0].ipBlock.except[0]: `fd00::/8` is not a smaller part of `0.0.0.0/0`")]
fn refuses_peers(#[case] peer: Value, #[case] expected: &str) {
    assert_eq!(error(json!({"ingress": [{"from": [peer]}]})), expected);
}

#[rstest]
#[case::in_without(json!({"key": "a", "operator": "In"}), "values: `In` needs `values`")]
#[case::not_in_without(json!({"key": "a", "operator": "NotIn", "values": []}), "values: `NotIn` needs `values`")]
#[case::exists_with(json!({"key": "a", "operator": "Exists", "values": ["b"]}), "values: `Exists` takes no `values`")]
#[case::absent_with(json!({"key": "a", "operator": "DoesNotExist", "values": ["b"]}),
    "values: `DoesNotExist` takes no `values`")]
#[case::operator(json!({"key": "a", "operator": "Gt", "values": ["1"]}),
    "operator: `Gt` is not supported, write `In, NotIn, Exists or DoesNotExist`")]
#[case::key(json!({"key": "a b", "operator": "Exists"}), "key: `a b` is not the key of a label")]
#[case::value(json!({"key": "a", "operator": "In", "values": ["b", "-c"]}),
    "values[1]: `-c` is not the value of a label: up to 63 of A-Z, a-z, 0-9, `-`, `_` and `.`")]
fn refuses_expressions(#[case] expression: Value, #[case] expected: &str) {
    let found = error(json!({"podSelector": {"matchExpressions": [expression]}}));
    assert_eq!(found, format!("spec.podSelector.matchExpressions[0].{expected}"));
}

#[rstest]
#[case::unknown(json!({"tier": 1}),
    "spec.tier: unknown field `tier`, expected one of `podSelector`, `policyTypes`, `ingress`, `egress`")]
#[case::from_for_to(json!({"egress": [{"from": []}]}),
    "spec.egress[0].from: unknown field `from`, expected `to` or `ports`")]
#[case::label_number(json!({"podSelector": {"matchLabels": {"a": 1}}}),
    "spec.podSelector.matchLabels.a: invalid type: integer `1`, expected a string")]
#[case::label_value(json!({"podSelector": {"matchLabels": {"a": "b c"}}}),
    "spec.podSelector.matchLabels.a: `b c` is not the value of a label: up to 63 of A-Z, a-z, 0-9, `-`, `_` and `.`")]
#[case::type_word(json!({"policyTypes": ["Ingress", "egress"]}),
    "spec.policyTypes[1]: `egress` is not supported, write `Ingress or Egress`")]
#[case::three_types(json!({"policyTypes": ["Ingress", "Egress", "Egress"]}),
    "spec.policyTypes: more than two policy types")]
#[case::not_a_list(json!({"ingress": {}}), "spec.ingress: invalid type: map, expected a sequence")]
fn refuses_specs(#[case] spec: Value, #[case] expected: &str) {
    assert_eq!(error(spec), expected);
}

#[rstest]
#[case("/metadata/namespace", Value::Null, "metadata.namespace: required")]
#[case("/metadata/name", json!(""), "metadata.name: required")]
#[case("/kind", json!("GlobalNetworkPolicy"), "kind: `GlobalNetworkPolicy` is not supported, write `NetworkPolicy`")]
#[case("/apiVersion", json!("crd.projectcalico.org/v1"),
    "apiVersion: `crd.projectcalico.org/v1` is not supported, write `networking.k8s.io/v1`")]
fn refuses_other_documents(#[case] field: &str, #[case] value: Value, #[case] expected: &str) {
    let mut document = policy(json!({}));
    *document.pointer_mut(field).unwrap() = value;
    assert_eq!(Policy::parse(&document).unwrap_err().to_string(), expected);
}

#[test]
fn a_path_has_segments_for_whoever_looks_up_the_line() {
    let found = Policy::parse(&policy(json!({"egress": [{}, {"ports": [{"port": 0}]}]})));
    let path = found.unwrap_err().path;
    assert_eq!(path.segments(), ["spec", "egress", "1", "ports", "0", "port"]);
}

#[rstest]
#[case::empty(json!({}), &[("a", "b")], true)]
#[case::label(json!({"matchLabels": {"a": "b"}}), &[("a", "b")], true)]
#[case::other_value(json!({"matchLabels": {"a": "b"}}), &[("a", "c")], false)]
#[case::no_label(json!({"matchLabels": {"a": "b"}}), &[], false)]
#[case::two_labels(json!({"matchLabels": {"a": "b", "c": "d"}}), &[("a", "b")], false)]
#[case::is_in(one("In", &["b", "c"]), &[("a", "c")], true)]
#[case::is_not_in(one("In", &["b", "c"]), &[("a", "d")], false)]
#[case::absent_is_not_in(one("In", &["b"]), &[], false)]
#[case::not_in(one("NotIn", &["b"]), &[("a", "c")], true)]
#[case::not_in_but_is(one("NotIn", &["b"]), &[("a", "b")], false)]
#[case::not_in_and_absent(one("NotIn", &["b"]), &[], true)]
#[case::exists(one("Exists", &[]), &[("a", "")], true)]
#[case::exists_not(one("Exists", &[]), &[("b", "")], false)]
#[case::does_not_exist(one("DoesNotExist", &[]), &[("b", "")], true)]
#[case::does_exist(one("DoesNotExist", &[]), &[("a", "")], false)]
#[case::label_and_expression(
    json!({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]}),
    &[("a", "b")], false
)]
fn selects(#[case] selector: Value, #[case] labels: &[(&str, &str)], #[case] expected: bool) {
    let owned = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
    let labels: Labels = labels.iter().map(owned).collect();
    assert_eq!(parse(json!({"podSelector": selector})).pods.selects(&labels), expected);
}

fn one(operator: &str, values: &[&str]) -> Value {
    json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]})
}

#[test]
fn bits_after_the_prefix_mean_nothing() {
    let block = json!({"ipBlock": {"cidr": "10.1.2.3/8", "except": ["10.9.8.7/16"]}});
    let policy = parse(json!({"ingress": [{"from": [block]}]}));
    let Peer::Block(block) = &policy.ingress.as_ref().unwrap()[0].peers[0] else {
        panic!("a block")
    };
    assert_eq!(block.to_string(), "10.0.0.0/8 except 10.9.0.0/16");
}

#[test]
fn equal_specs_are_read_once() {
    let mut reader = PolicyReader::default();
    let one = reader.read(&policy(json!({"ingress": [{}]}))).unwrap();
    let mut other = policy(json!({"ingress": [{}]}));
    other["metadata"] = json!({"namespace": "b", "name": "q"});
    let other = reader.read(&other).unwrap();
    assert!(Arc::ptr_eq(&one.terms, &other.terms));
    assert_eq!((other.namespace.as_str(), other.name.as_str()), ("b", "q"));
    let third = reader.read(&policy(json!({"ingress": []}))).unwrap();
    assert_ne!(one.terms, third.terms);
}
