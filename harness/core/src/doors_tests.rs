use rstest::rstest;

use super::*;
use crate::inventory::PodName;

const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a], org: a}
  - {name: b, namespaces: [b], org: b}
platform: [shared]
endpoints: {}
flows: []
";

fn contract() -> Contract {
    Contract::load("partywall.yaml", CONTRACT).unwrap()
}

fn pod(namespace: &str, workload: &str, agent: bool) -> Pod {
    let labels =
        [("app", workload), ("pod-template-hash", "7f"), ("controller-revision-hash", "c")];
    Pod {
        name: PodName::new(namespace, format!("{workload}-0")),
        workload: workload.to_string(),
        labels: labels.map(|(key, value)| (key.to_string(), value.to_string())).into(),
        address: "10.0.0.1".to_string(),
        node: "one".to_string(),
        service_account: String::new(),
        host_network: false,
        role: Role::Workload,
        agent,
        declared: vec![Port::udp(53), Port::tcp(8080), Port::tcp(9090)],
        decoys: Vec::new(),
    }
}

fn inventory(pods: Vec<Pod>) -> Inventory {
    Inventory { pods, ..Inventory::default() }
}

/// The doors that lead to pods, without the names that stand for other names.
fn to_pods(pods: Vec<Pod>) -> Vec<Service> {
    let mut made = doors(&contract(), &inventory(pods));
    made.retain(|door| door.ways.external_name.is_none());
    made
}

fn names(doors: &[Service]) -> Vec<String> {
    doors.iter().map(|door| format!("{}/{}", door.namespace, door.name)).collect()
}

#[test]
fn every_workload_of_a_tenant_has_its_doors_and_nobody_else_has() {
    let pods = vec![pod("a", "web", true), pod("b", "db", true), pod("shared", "gateway", true)];
    let expected = [
        "a/partywall-door-web-local",
        "a/partywall-door-web-headless",
        "a/partywall-door-web",
        "b/partywall-door-db-local",
        "b/partywall-door-db-headless",
        "b/partywall-door-db",
        "a/partywall-door-to-b",
        "b/partywall-door-to-a",
    ];
    assert_eq!(names(&doors(&contract(), &inventory(pods))), expected);
}

#[test]
fn a_door_selects_the_pods_of_today_and_of_tomorrow() {
    let one = pod("a", "web", true);
    let made = to_pods(vec![one.clone()]);
    let mut next = one.clone();
    next.labels.insert("pod-template-hash".to_string(), "8a".to_string());
    assert_eq!(made.len(), 3);
    assert!(made.iter().all(|door| door.selects(&one) && door.selects(&next)));
}

#[rstest]
#[case::ours(true, Door::Workload)]
#[case::foreign(false, Door::Twin)]
fn a_door_leads_to_who_keeps_receipts(#[case] agent: bool, #[case] expected: Door) {
    let original = pod("a", "web", agent);
    let of = original.name.clone();
    let twin = Pod { role: Role::Twin { of }, agent: true, ..pod("a", "web", true) };
    let made = to_pods(vec![original.clone(), twin.clone()]);
    assert!(made.iter().all(|door| door.door == Some(expected)));
    assert!(made.iter().all(|door| door.selects(&original) == agent));
    assert!(made.iter().all(|door| door.selects(&twin) != agent));
}

#[test]
fn a_door_has_one_port_over_both_transports_and_no_other_door_has_it() {
    let pods = vec![pod("a", "web", true), pod("a", "db", true)];
    let made = doors(&contract(), &inventory(pods));
    let main: Vec<&Service> =
        made.iter().filter(|door| !door.ways.external_addresses.is_empty()).collect();
    let ports: Vec<Port> = main.iter().flat_map(|door| &door.ports).map(|port| port.port).collect();
    let expected = [Port::tcp(20_000), Port::udp(20_000), Port::tcp(20_001), Port::udp(20_001)];
    assert_eq!(ports, expected);
    assert!(main.iter().flat_map(|door| &door.ports).all(|port| port.target == 8080));
}

#[test]
fn a_name_of_another_stands_for_a_service_that_has_an_address() {
    let pods = vec![pod("a", "web", true), pod("b", "db", true)];
    let made = doors(&contract(), &inventory(pods));
    let name = made.iter().find(|door| door.name == "partywall-door-to-b").unwrap();
    let target = made.iter().find(|door| Some(door.dns_name()) == name.ways.external_name);
    assert_eq!(target.map(|door| door.name.as_str()), Some("partywall-door-db"));
}

#[test]
fn names_are_never_too_long_and_never_the_same() {
    let long = |end: &str| pod("a", &format!("{}{end}", "n".repeat(60)), true);
    let made = doors(&contract(), &inventory(vec![long(".x"), long(".y")]));
    let mut all = names(&made);
    assert!(made.iter().all(|door| door.name.len() <= 63));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), made.len());
}

#[test]
fn without_a_port_or_a_label_of_its_own_there_is_no_door() {
    let silent = Pod { declared: Vec::new(), ..pod("a", "web", true) };
    let mut nameless = pod("a", "db", true);
    nameless.labels.remove("app");
    assert_eq!(doors(&contract(), &inventory(vec![silent, nameless])), []);
}
