use partywall_core::inventory::PodName;
use rstest::rstest;

use super::*;

fn door(ways: Ways, leads_to: Door) -> Service {
    let port = |port: Port| ServicePort { port, target: 8080, node: None };
    Service {
        namespace: "a".to_string(),
        name: "partywall-door-web".to_string(),
        address: None,
        selector: [("app".to_string(), "web".to_string())].into(),
        ports: vec![port(Port::tcp(20_000)), port(Port::udp(20_000))],
        ways,
        door: Some(leads_to),
    }
}

fn local() -> Ways {
    Ways { local: true, ..Ways::default() }
}

fn claimed() -> Ways {
    Ways { external_addresses: vec!["203.0.113.200".to_string()], ..Ways::default() }
}

fn headless() -> Ways {
    Ways { headless: true, ..Ways::default() }
}

fn named() -> Ways {
    Ways { external_name: Some("web.b.svc.cluster.local".to_string()), ..Ways::default() }
}

#[rstest]
#[case::node_port(local(), "type", json!("NodePort"))]
#[case::on_that_node(local(), "externalTrafficPolicy", json!("Local"))]
#[case::on_any_node(claimed(), "externalTrafficPolicy", json!("Cluster"))]
#[case::claimed(claimed(), "externalIPs", json!(["203.0.113.200"]))]
#[case::headless(headless(), "clusterIP", json!("None"))]
#[case::no_port_of_a_node(headless(), "type", Value::Null)]
#[case::named(named(), "externalName", json!("web.b.svc.cluster.local"))]
#[case::selects_nothing(named(), "selector", Value::Null)]
#[case::selects(local(), "selector", json!({"app": "web"}))]
fn a_door_is_a_service_of_its_kind(#[case] ways: Ways, #[case] key: &str, #[case] value: Value) {
    assert_eq!(service_of(&door(ways, Door::Workload)).data["spec"][key], value);
}

#[test]
fn every_door_says_whose_it_is() {
    let made = service_of(&door(local(), Door::Workload));
    assert_eq!(made.labels().get(HARNESS_LABEL).map(String::as_str), Some("door"));
}

#[test]
fn a_door_to_twins_selects_nobody_and_tells_their_addresses() {
    let of = PodName::new("a", "web-0");
    let twin = Pod {
        name: PodName::new("a", "web-0-twin"),
        workload: "web".to_string(),
        labels: [("app".to_string(), "web".to_string())].into(),
        address: "10.244.0.9".to_string(),
        node: "one".to_string(),
        service_account: String::new(),
        host_network: false,
        role: Role::Twin { of },
        agent: true,
        declared: Vec::new(),
        decoys: Vec::new(),
    };
    let door = door(local(), Door::Twin);
    let made = service_of(&door);
    assert_eq!(made.data["spec"]["selector"], Value::Null);
    let read: core_v1::Service = serde_json::from_value(json!({
        "metadata": {"annotations": made.annotations()},
    }))
    .unwrap();
    assert_eq!(leads_to(&read), door.selector);
    let inventory = Inventory { pods: vec![twin], ..Inventory::default() };
    let slice = endpoints_of(&door, &inventory).unwrap();
    assert_eq!(slice.data["endpoints"][0]["addresses"], json!(["10.244.0.9"]));
    assert_eq!(slice.data["ports"][0]["port"], json!(8080));
}

#[test]
fn addresses_that_the_cluster_gave_do_not_make_another_door() {
    let wanted = door(claimed(), Door::Workload);
    let mut stands = wanted.clone();
    stands.address = Some("10.96.0.9".to_string());
    stands.ports.iter_mut().for_each(|port| port.node = Some(30_000));
    assert!(same_door(&stands, &wanted));
    stands.selector.insert("app".to_string(), "db".to_string());
    assert!(!same_door(&stands, &wanted));
    let other_ports = Service { ports: Vec::new(), ..wanted.clone() };
    assert!(!same_door(&other_ports, &wanted));
}
