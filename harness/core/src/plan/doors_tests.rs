//! Plans by doors over two nodes: tenant `b` has all its pods on `one`, tenant `a` on `two`.

use std::collections::BTreeSet;

use rstest::rstest;

use super::super::{Cell, CellSubject, NodeCoverage, Plan, Unproven, node_coverage, plan, trials};
use crate::cluster::Backend;
use crate::contract::Contract;
use crate::doors::doors;
use crate::inventory::{Inventory, NODE_CLIENT_PORT, Node, Pod, PodName, Role};
use crate::plan::Trial;
use crate::port::Port;
use crate::probe::{Probe, ReachProbe, Speak};
use crate::scenario::load_scenario;
use crate::verdict::ProofLevel;

const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a], org: a}
  - {name: b, namespaces: [b], org: b}
platform: [shared]
endpoints:
  apiserver: {entity: apiserver, ports: [6443/TCP]}
  kubelet: {entity: node, ports: [10250/TCP], proof: control}
flows:
  - {from: each-tenant, to: same-tenant}
";

const PAIR: &str = "{from: '{tenant}', to: '{other}', ports: listening, by: [BY]}";

fn pod(namespace: &str, name: &str, node: &str, role: Role) -> Pod {
    let byte = name.len() * 16 + namespace.len() + usize::from(node == "two");
    Pod {
        name: PodName::new(namespace, name),
        workload: name.to_string(),
        labels: [("app".to_string(), name.to_string())].into(),
        address: format!("10.0.0.{byte}"),
        node: node.to_string(),
        service_account: "default".to_string(),
        host_network: role == Role::NodeClient,
        agent: true,
        declared: vec![Port::tcp(if role == Role::NodeClient { NODE_CLIENT_PORT } else { 8080 })],
        decoys: Vec::new(),
        role,
    }
}

fn contract() -> Contract {
    Contract::load("partywall.yaml", CONTRACT).unwrap()
}

/// `web` and `job` of both tenants, a far twin of each where they are not, the harness's own.
fn inventory() -> Inventory {
    let far = |namespace: &str| Role::FarTwin { of: PodName::new(namespace, "web") };
    let pods = vec![
        pod("a", "web", "two", Role::Workload),
        pod("a", "job", "two", Role::Workload),
        pod("a", "web-far", "one", far("a")),
        pod("b", "web", "one", Role::Workload),
        pod("b", "job", "one", Role::Workload),
        pod("b", "web-far", "two", far("b")),
        pod("partywall-open", "open-client", "one", Role::OpenClient),
        pod("partywall-open", "node-client-one", "one", Role::NodeClient),
        pod("partywall-open", "node-client-two", "two", Role::NodeClient),
    ];
    let node = |name: &str, control_plane| Node {
        name: name.to_string(),
        address: format!("node-{name}"),
        control_plane,
    };
    let nodes = vec![node("one", true), node("two", false)];
    let mut inventory = Inventory { pods, nodes, ..Inventory::default() };
    inventory.services = doors(&contract(), &inventory);
    let others = inventory.services.iter_mut().filter(|door| !door.ways.headless);
    for (free, door) in (30_000..).zip(others) {
        door.ports.iter_mut().for_each(|port| port.node = Some(free));
    }
    inventory
}

fn trials_of(reach: &str, expect: &str) -> Vec<Trial> {
    let each = if reach.contains("{other}") { "each-tenant-pair" } else { "each-tenant" };
    let controls = match expect {
        "denied" => "controls: [client-reaches-allowed, allowed-client-reaches, receipt]\n",
        _ => "",
    };
    let text = format!(
        "claim: x\nbecause: y\nfor: {each}\nprobe:\n  reach: {reach}\nexpect: {expect}\n{controls}"
    );
    trials(Backend::Kind, &[load_scenario("topic/claim.yaml", &text).unwrap()], &contract())
}

fn planned(inventory: &Inventory, reach: &str, expect: &str) -> Plan {
    plan(&trials_of(reach, expect), &contract(), inventory)
}

fn by(by: &str) -> Plan {
    planned(&inventory(), &PAIR.replace("BY", by), "denied")
}

fn probe_at(plan: &Plan, index: usize) -> &ReachProbe {
    match &plan.batch.probes[index] {
        Probe::Reach(probe) => probe,
        other => panic!("not a reach probe: {other:?}"),
    }
}

/// The squares of a client to `b/web` over TCP: `label address`.
fn squares(plan: &Plan, client: &str) -> BTreeSet<String> {
    let probes = plan.cells.iter().map(|cell| probe_at(plan, cell.probe));
    let wanted = probes.filter(|probe| {
        probe.from == PodName::new("a", client)
            && probe.target.label.starts_with("b/web")
            && probe.target.port.to_string().ends_with("TCP")
    });
    wanted.map(|probe| format!("{} {}", probe.target.label, probe.target.address)).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_string()).collect()
}

fn cell<'a>(plan: &'a Plan, client: &str, label: &str) -> &'a Cell {
    let is_it = |cell: &&Cell| {
        let probe = probe_at(plan, cell.probe);
        probe.from == PodName::new("a", client) && probe.target.label == label
    };
    plan.cells.iter().find(is_it).unwrap_or_else(|| panic!("no cell {client} {label}"))
}

fn controls(plan: &Plan, cell: &Cell) -> Vec<String> {
    let CellSubject::Reach(reach) = &cell.subject else { panic!("not a reach cell") };
    reach.target_controls.iter().map(|index| probe_at(plan, *index).from.to_string()).collect()
}

fn unproven(cell: &Cell) -> Option<Unproven> {
    let CellSubject::Reach(reach) = &cell.subject else { panic!("not a reach cell") };
    reach.unproven
}

#[test]
fn node_ports_are_asked_on_the_clients_own_node_and_on_the_targets() {
    let plan = by("node-port");
    let expected = [
        "b/web (Cluster, another node) node-one",
        "b/web (Cluster, the client's own node) node-two",
        "b/web (Local, another node) node-one",
        "b/web (Local, the client's own node) node-two",
    ];
    assert_eq!(squares(&plan, "job"), set(&expected));
    // The far twin stands beside the target: its own node is the target's.
    let far = squares(&plan, "web-far");
    assert!(far.contains("b/web (Cluster, the client's own node) node-one"), "{far:?}");
}

#[rstest]
#[case::of_the_targets_node("Cluster, another node", &["b/job", "partywall-open/node-client-one"], None)]
#[case::away("Cluster, the client's own node", &["b/web-far", "partywall-open/node-client-two"], Some(Unproven::LeadsAway))]
#[case::local("Local, another node", &["b/job", "partywall-open/node-client-one"], None)]
#[case::local_away("Local, the client's own node", &["b/web-far", "partywall-open/node-client-two"], None)]
fn a_door_has_its_controls_on_the_node_that_is_asked(
    #[case] way: &str,
    #[case] expected: &[&str],
    #[case] excuse: Option<Unproven>,
) {
    let plan = by("node-port");
    let cell = cell(&plan, "job", &format!("b/web ({way})"));
    assert_eq!(controls(&plan, cell), expected);
    assert_eq!(unproven(cell), excuse);
}

#[test]
fn a_claimed_address_has_its_control_where_the_target_stands() {
    let plan = by("external-ip");
    let label = "b/web (an address that its Service claims)";
    assert_eq!(squares(&plan, "job"), set(&[&format!("{label} 203.0.113.200")]));
    let expected = ["b/job", "partywall-open/node-client-one"];
    assert_eq!(controls(&plan, cell(&plan, "job", label)), expected);
}

#[test]
fn names_are_asked_for_the_service_and_for_the_pod() {
    let plan = by("headless");
    let address = inventory().pod(&PodName::new("b", "web")).unwrap().address.replace('.', "-");
    let service = "partywall-door-web-headless.b.svc.cluster.local";
    let expected = [
        format!("b/web (the Service's name) {service}"),
        format!("b/web (the pod's name) {address}.{service}"),
    ];
    assert_eq!(squares(&plan, "job"), expected.into_iter().collect());
    for cell in &plan.cells {
        assert_eq!(probe_at(&plan, cell.probe).target.port.number, 8080, "not the door's own port");
    }
}

#[test]
fn a_name_in_the_clients_namespace_leads_to_one_workload_of_the_other() {
    let plan = by("external-name");
    let clients: BTreeSet<String> =
        plan.cells.iter().map(|cell| probe_at(&plan, cell.probe).target.address.clone()).collect();
    let expected = ["partywall-door-to-a.b", "partywall-door-to-b.a"];
    assert_eq!(
        clients,
        set(&expected.map(|n| n.to_string() + ".svc.cluster.local").each_ref().map(String::as_str))
    );
}

#[test]
fn doors_are_asked_on_one_port_over_both_transports() {
    let plan = by("external-ip");
    let of = |client: &str| {
        let from = PodName::new("a", client);
        plan.cells.iter().filter(|cell| probe_at(&plan, cell.probe).from == from).count()
    };
    assert_eq!(of("job"), 2 * 2, "two workloads, TCP and UDP");
}

#[test]
fn no_door_of_the_harness_is_a_service_of_the_layout() {
    assert_eq!(by("service").cells.len(), 0);
}

#[test]
fn every_pair_is_asked_on_one_node_and_across() {
    let inventory = inventory();
    let trials = trials_of(&PAIR.replace("BY", "pod"), "denied");
    let plan = plan(&trials, &contract(), &inventory);
    let expected = NodeCoverage { nodes: 2, pairs: 2, same: 2, across: 2 };
    assert_eq!(node_coverage(&plan, &trials, &inventory), expected);
}

#[test]
fn a_pair_that_was_not_asked_on_one_node_is_missing() {
    let mut inventory = inventory();
    inventory.pods.retain(|pod| pod.name != PodName::new("a", "web-far"));
    let plan = planned(&inventory, &PAIR.replace("BY", "pod"), "denied");
    let missing: Vec<&str> = plan
        .cells
        .iter()
        .filter_map(|cell| match &cell.subject {
            CellSubject::Missing { why } => Some(why.as_str()),
            _ => None,
        })
        .collect();
    let expected = "no pod of a asked one of b from the same node, and none stood in for it there";
    assert_eq!(missing, [expected]);
}

#[test]
fn a_kind_of_door_that_was_not_made_is_missing() {
    let mut inventory = inventory();
    let is_whole = planned(&inventory, &PAIR.replace("BY", "headless"), "denied");
    let missing = |cell: &&Cell| matches!(cell.subject, CellSubject::Missing { .. });
    assert_eq!(is_whole.cells.iter().find(missing).map(|cell| &cell.column), None);
    inventory.services.retain(|service| !service.ways.headless);
    let plan = planned(&inventory, &PAIR.replace("BY", "headless"), "denied");
    let whys = plan.cells.iter().filter_map(|cell| match &cell.subject {
        CellSubject::Missing { why } => Some(why.as_str()),
        _ => None,
    });
    let whys: Vec<&str> = whys.collect();
    assert!(whys.contains(&"no pod of a asked one of b by headless"), "{whys:?}");
}

const NODES: &str =
    "{from: '{tenant}', to: nodes, by: [pod], ports: {these: [22/TCP, 6443/TCP, 10250/TCP]}}";

#[rstest]
#[case::api_server("apiserver@one 6443/TCP", Speak::Https, ProofLevel::Receipt, None)]
#[case::no_api_server(
    "node@two 6443/TCP",
    Speak::Connect,
    ProofLevel::Control,
    Some(Unproven::MayBeIdle)
)]
#[case::kubelet("kubelet@two 10250/TCP", Speak::Connect, ProofLevel::Control, None)]
#[case::idle("node@one 22/TCP", Speak::Connect, ProofLevel::Control, Some(Unproven::MayBeIdle))]
#[case::ours("node@two 18090/UDP", Speak::Nonce, ProofLevel::Receipt, None)]
fn every_node_is_asked_on_its_own_ports(
    #[case] wanted: &str,
    #[case] speak: Speak,
    #[case] proof: ProofLevel,
    #[case] excuse: Option<Unproven>,
) {
    let plan = planned(&inventory(), NODES, "denied");
    let is_it = |cell: &&Cell| {
        let target = &probe_at(&plan, cell.probe).target;
        format!("{} {}", target.label, target.port) == wanted
    };
    let cell = plan.cells.iter().find(is_it).unwrap();
    let CellSubject::Reach(reach) = &cell.subject else { panic!("not a reach cell") };
    assert_eq!(probe_at(&plan, cell.probe).target.speak, speak);
    assert_eq!((reach.proof, reach.unproven), (proof, excuse));
    assert_eq!(controls(&plan, cell), ["partywall-open/open-client"]);
}

#[test]
fn a_node_asks_the_pods_on_it_and_on_the_other() {
    let reach = "{from: nodes, to: '{tenant}', ports: listening, by: [pod]}";
    let plan = planned(&inventory(), reach, "recorded");
    let labels: BTreeSet<String> = plan
        .cells
        .iter()
        .map(|cell| probe_at(&plan, cell.probe))
        .filter(|probe| probe.from.name == "node-client-one")
        .map(|probe| probe.target.label.clone())
        .collect();
    let expected = [
        "a/job (on another node)",
        "a/web (on another node)",
        "b/job (on this node)",
        "b/web (on this node)",
    ];
    assert_eq!(labels, set(&expected));
}
