//! Plans over a small inventory: two tenants, a shared service that is not ours, and the pods of
//! the harness.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;

use super::{Cell, CellSubject, Plan, ReachCell, Trial, plan, trials};
use crate::cluster::Backend;
use crate::contract::Contract;
use crate::inventory::{Inventory, Node, Pod, PodName, Role, Service, ServicePort};
use crate::port::{Port, Transport};
use crate::probe::{By, Probe, ReachProbe, Speak};
use crate::scenario::load_scenario;
use crate::verdict::ProofLevel;

const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a], org: a}
  - {name: b, namespaces: [b], org: b}
platform: [shared, monitoring]
endpoints:
  gateway: {in: shared, pods: {app: gateway}, ports: [8000/TCP]}
  store: {in: monitoring, pods: {app: store}, ports: [3100/TCP], proof: control}
  apiserver: {entity: apiserver, ports: [6443/TCP]}
  kubelet: {entity: node, ports: [10250/TCP], proof: control}
flows:
  - {from: each-tenant, to: same-tenant}
  - {from: each-tenant, to: [gateway]}
";

const REACHES: &str =
    "{from: '{tenant}', to: contracted, ports: contracted, by: [pod, service, name]}";
const UNDECLARED: &str = "{from: '{tenant}', to: contracted, ports: uncontracted, by: [pod]}";
const PLATFORM: &str = "{from: '{tenant}', to: platform, ports: uncontracted, by: [pod]}";
const OTHER: &str = "{from: '{tenant}', to: '{other}', ports: listening, by: [pod, service]}";
const OWN: &str =
    "{from: '{tenant}', to: '{tenant}', ports: contracted, transports: [TCP], by: [pod]}";
const ITSELF: &str = "{from: '{tenant}', to: itself, ports: listening, by: [pod]}";
const FROM_OPEN: &str = "{from: open, to: '{tenant}', ports: listening, by: [pod]}";
const TO_OPEN: &str = "{from: '{tenant}', to: open, ports: listening, by: [pod]}";

/// A pod of a namespace with its last address byte.
fn pod(namespace: &str, name: &str, byte: u8, role: Role) -> Pod {
    let ours = role != Role::Workload;
    Pod {
        name: PodName::new(namespace, name),
        workload: name.to_string(),
        labels: BTreeMap::from([("app".to_string(), name.to_string())]),
        address: format!("10.0.0.{byte}"),
        node: "node-1".to_string(),
        service_account: "default".to_string(),
        host_network: false,
        agent: true,
        declared: vec![Port::tcp(8080)],
        decoys: if ours { Vec::new() } else { vec![Port::tcp(18080), Port::udp(18080)] },
        role,
    }
}

/// Somebody else's pod, with the twin beside it.
fn foreign(namespace: &str, name: &str, byte: u8, port: u16) -> [Pod; 2] {
    let mut original = pod(namespace, name, byte, Role::Workload);
    original.agent = false;
    original.declared = vec![Port::tcp(port)];
    original.decoys = Vec::new();
    let of = original.name.clone();
    let mut twin = pod(namespace, &format!("{name}-twin"), byte + 100, Role::Twin { of });
    twin.labels.clone_from(&original.labels);
    twin.workload.clone_from(&original.workload);
    twin.declared = vec![Port::tcp(port)];
    twin.decoys = vec![Port::tcp(18080), Port::udp(18080)];
    [original, twin]
}

fn service(namespace: &str, name: &str, port: u16, target: u16) -> Service {
    Service {
        namespace: namespace.to_string(),
        name: name.to_string(),
        address: Some("10.96.0.1".to_string()),
        selector: BTreeMap::from([("app".to_string(), name.to_string())]),
        ports: vec![ServicePort { port: Port::tcp(port), target, node: None }],
        ways: Default::default(),
        door: None,
    }
}

/// Tenant `a`: web (ours) and db (not ours); tenant `b`: web; platform: gateway and store (not
/// ours); one node of each kind.
fn inventory() -> Inventory {
    let mut pods = vec![
        pod("a", "web", 1, Role::Workload),
        pod("b", "web", 3, Role::Workload),
        pod("b", "job", 4, Role::Workload),
        pod("shared", "partywall-client", 6, Role::Client),
        pod("monitoring", "partywall-client", 8, Role::Client),
        pod("partywall-open", "open-client", 9, Role::OpenClient),
        pod("partywall-open", "open-sink", 10, Role::OpenSink),
    ];
    pods.extend(foreign("a", "db", 2, 5432));
    pods.extend(foreign("shared", "gateway", 5, 8000));
    pods.extend(foreign("monitoring", "store", 7, 3100));
    let node = |name: &str, byte: u8, control_plane| Node {
        name: name.to_string(),
        address: format!("172.18.0.{byte}"),
        control_plane,
    };
    Inventory {
        pods,
        services: vec![service("shared", "gateway", 80, 8000), service("b", "web", 80, 8080)],
        nodes: vec![node("control", 2, true), node("worker", 3, false)],
        policies: Vec::new(),
        namespaces: Default::default(),
        outside: Vec::new(),
        ipv6: Default::default(),
        lacks: Default::default(),
    }
}

fn contract() -> Contract {
    Contract::load("partywall.yaml", CONTRACT).unwrap()
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
    let scenario = load_scenario("topic/claim.yaml", &text).unwrap();
    trials(Backend::Kind, &[scenario], &contract())
}

fn plan_on(inventory: &Inventory, reach: &str, expect: &str) -> Plan {
    plan(&trials_of(reach, expect), &contract(), inventory)
}

fn planned(reach: &str, expect: &str) -> Plan {
    plan_on(&inventory(), reach, expect)
}

fn probe_at(plan: &Plan, index: usize) -> &ReachProbe {
    match &plan.batch.probes[index] {
        Probe::Reach(probe) => probe,
        other => panic!("not a reach probe: {other:?}"),
    }
}

fn reach_of(cell: &Cell) -> &ReachCell {
    match &cell.subject {
        CellSubject::Reach(reach) => reach,
        CellSubject::Single | CellSubject::Missing { .. } => panic!("not a reach cell"),
    }
}

/// `client address:port/protocol`, with the way it is addressed if that is not the pod.
fn text(plan: &Plan, index: usize) -> String {
    let ReachProbe { from, target } = probe_at(plan, index);
    let by = match target.by {
        By::Pod => "",
        By::Service => " by service",
        By::Name => " by name",
        By::Node => " by node",
        By::Headless | By::NodePort | By::ExternalName | By::ExternalIp => " by door",
    };
    format!("{from} {}:{}{by}", target.address, target.port)
}

/// The probes of all cells of a row.
fn row(plan: &Plan, row: &str) -> BTreeSet<String> {
    let cells = plan.cells.iter().filter(|cell| cell.row == row);
    cells.map(|cell| text(plan, cell.probe)).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_string()).collect()
}

/// The first cell whose client and target are these.
fn cell<'a>(plan: &'a Plan, wanted: &str) -> &'a Cell {
    let found = plan.cells.iter().find(|cell| text(plan, cell.probe) == wanted);
    found.unwrap_or_else(|| panic!("no cell {wanted}"))
}

fn controls(plan: &Plan, indices: &[usize]) -> Vec<String> {
    indices.iter().map(|index| text(plan, *index)).collect()
}

#[test]
fn allows_are_asked_of_the_real_pod_by_every_address() {
    let plan = planned(REACHES, "reached");
    // The client that is not ours asks through its twin.
    let expected = ["a/db-twin", "a/web"].map(|client| {
        [
            format!("{client} 10.0.0.5:8000/TCP"),
            format!("{client} 10.96.0.1:80/TCP by service"),
            format!("{client} gateway.shared.svc.cluster.local:80/TCP by name"),
        ]
    });
    assert_eq!(row(&plan, "a"), expected.concat().into_iter().collect());
    let target = &probe_at(&plan, plan.cells[0].probe).target;
    assert_eq!((target.speak, target.servers.len()), (Speak::Connect, 0));
}

#[test]
fn denies_are_asked_of_the_twin_which_keeps_the_receipt() {
    let plan = planned(UNDECLARED, "denied");
    // The contracted port itself is denied over UDP only: an agent listens on both.
    let expected = ["a/db-twin", "a/web"].map(|client| {
        [
            format!("{client} 10.0.0.105:8000/UDP"),
            format!("{client} 10.0.0.105:18080/TCP"),
            format!("{client} 10.0.0.105:18080/UDP"),
        ]
    });
    assert_eq!(row(&plan, "a"), expected.concat().into_iter().collect());
    for cell in &plan.cells {
        let target = &probe_at(&plan, cell.probe).target;
        assert_eq!(target.servers, [PodName::new("shared", "gateway-twin")]);
        assert_eq!((target.speak, target.label.as_str()), (Speak::Nonce, "shared/gateway"));
        assert_eq!(reach_of(cell).proof, ProofLevel::Receipt);
    }
}

#[test]
fn without_a_twin_a_deny_is_asked_of_the_pod_and_has_no_receipt() {
    let mut inventory = inventory();
    inventory.pods.retain(|pod| pod.name.name != "gateway-twin");
    inventory.pods.iter_mut().filter(|pod| pod.name.name == "gateway").for_each(|pod| {
        pod.declared.push(Port::tcp(9000));
    });
    let plan = plan_on(&inventory, UNDECLARED, "denied");
    let cell = cell(&plan, "a/web 10.0.0.5:9000/TCP");
    assert!(probe_at(&plan, cell.probe).target.servers.is_empty());
}

#[test]
fn every_tenant_is_covered_and_so_is_every_pair() {
    let names = |trials: Vec<Trial>| trials.into_iter().map(|trial| trial.name).collect::<Vec<_>>();
    assert_eq!(
        names(trials_of(OWN, "reached")),
        ["kind::topic::claim::a", "kind::topic::claim::b"]
    );
    let pairs = ["kind::topic::claim::a_to_b", "kind::topic::claim::b_to_a"];
    assert_eq!(names(trials_of(OTHER, "denied")), pairs);
    let allowed = [REACHES, OWN].map(|reach| (reach, "reached"));
    let denied = [UNDECLARED, PLATFORM, OTHER, TO_OPEN].map(|reach| (reach, "denied"));
    for (reach, expect) in allowed.into_iter().chain(denied).chain([(ITSELF, "recorded")]) {
        let plan = planned(reach, expect);
        let rows: BTreeSet<&str> = plan.cells.iter().map(|cell| cell.row.as_str()).collect();
        assert_eq!(rows, BTreeSet::from(["a", "b"]), "{reach}");
    }
}

#[test]
fn a_tenant_asks_every_listening_port_of_the_other_tenant() {
    let plan = planned(OTHER, "denied");
    let ports = ["8080/TCP", "8080/UDP", "18080/TCP", "18080/UDP"];
    let mut expected = BTreeSet::new();
    for client in ["a/web", "a/db-twin"] {
        for address in ["10.0.0.3", "10.0.0.4"] {
            expected.extend(ports.map(|port| format!("{client} {address}:{port}")));
        }
        expected.insert(format!("{client} 10.96.0.1:80/TCP by service"));
    }
    assert_eq!(row(&plan, "a"), expected);
}

#[test]
fn nobody_is_asked_to_reach_itself_unless_that_is_the_question() {
    let own = planned(OWN, "reached");
    // The twin of db asks db itself, which is another pod; nobody asks a twin.
    let expected = [
        "a/db-twin 10.0.0.1:8080/TCP",
        "a/db-twin 10.0.0.1:18080/TCP",
        "a/db-twin 10.0.0.2:5432/TCP",
        "a/web 10.0.0.2:5432/TCP",
    ];
    assert_eq!(row(&own, "a"), set(&expected));
    let denied = planned(OWN, "denied");
    let to_self = |cell: &Cell| {
        let probe = probe_at(&denied, cell.probe);
        inventory().pod(&probe.from).unwrap().address == probe.target.address
    };
    assert!(!denied.cells.iter().any(to_self), "a twin in place of its original is itself too");
    let hairpin = planned(ITSELF, "recorded");
    assert!(row(&hairpin, "a").contains("a/web 10.0.0.1:8080/TCP"));
    assert!(
        hairpin
            .cells
            .iter()
            .all(|cell| cell.row == "b" || text(&hairpin, cell.probe).contains("10.0.0.1"))
    );
}

#[rstest]
#[case::agent_by_agent("a/web 10.0.0.3:18080/TCP", OTHER, "a/web 10.0.0.102:5432/TCP", &["b/job", "partywall-open/open-client"])]
#[case::twin_in_platform("a/web 10.0.0.105:18080/UDP", UNDECLARED, "a/web 10.0.0.102:5432/UDP", &["shared/partywall-client", "partywall-open/open-client"])]
#[case::from_a_twin("a/db-twin 10.0.0.105:18080/TCP", UNDECLARED, "a/db-twin 10.0.0.1:8080/TCP", &["shared/partywall-client", "partywall-open/open-client"])]
#[case::open_client("partywall-open/open-client 10.0.0.3:18080/TCP", FROM_OPEN, "partywall-open/open-client 10.0.0.10:8080/TCP", &["b/job"])]
#[case::twin_beside_a_twin("partywall-open/open-client 10.0.0.1:18080/TCP", FROM_OPEN, "partywall-open/open-client 10.0.0.10:8080/TCP", &["a/db-twin"])]
#[case::open_sink("a/web 10.0.0.10:8080/TCP", TO_OPEN, "a/web 10.0.0.102:5432/TCP", &["partywall-open/open-client"])]
fn a_deny_has_its_controls(
    #[case] wanted: &str,
    #[case] reach: &str,
    #[case] client_control: &str,
    #[case] target_clients: &[&str],
) {
    let plan = planned(reach, "denied");
    let cell = cell(&plan, wanted);
    let reach = reach_of(cell);
    assert_eq!(controls(&plan, &reach.client_controls), [client_control]);
    let (_, target) = wanted.split_once(' ').unwrap();
    let expected: Vec<String> =
        target_clients.iter().map(|client| format!("{client} {target}")).collect();
    assert_eq!(controls(&plan, &reach.target_controls), expected);
}

#[test]
fn controls_are_of_the_transport_of_their_cell_and_expected_to_answer() {
    let plan = planned(UNDECLARED, "denied");
    for cell in &plan.cells {
        let reach = reach_of(cell);
        let transport = probe_at(&plan, cell.probe).target.port.transport;
        for index in reach.client_controls.iter().chain(&reach.target_controls) {
            assert_eq!(probe_at(&plan, *index).target.port.transport, transport);
        }
        for side in [&reach.client_controls, &reach.target_controls] {
            assert!(side.first().is_none_or(|index| plan.batch.answered.contains(index)));
        }
        // What only stands by for a first control that fails may be denied: nobody waits for it
        // longer than for a deny.
        for index in reach.target_controls.iter().skip(1) {
            let is_first = |other: &Cell| reach_of(other).target_controls.first() == Some(index);
            let is_waited_for = plan.batch.answered.contains(index);
            assert_eq!(is_waited_for, plan.cells.iter().any(is_first), "{}", text(&plan, *index));
        }
        assert!(!plan.batch.answered.contains(&cell.probe), "a deny is not waited for as long");
    }
}

#[test]
fn a_client_without_a_neighbour_has_no_control() {
    let mut inventory = inventory();
    inventory.pods.retain(|pod| pod.name != PodName::new("b", "job"));
    let plan = plan_on(&inventory, UNDECLARED, "denied");
    let cell = cell(&plan, "b/web 10.0.0.105:18080/TCP");
    assert!(reach_of(cell).client_controls.is_empty());
}

#[test]
fn an_allow_to_an_agent_is_held_against_its_own_loopback() {
    let plan = planned(OWN, "reached");
    let to_agent = reach_of(cell(&plan, "a/db-twin 10.0.0.1:8080/TCP"));
    assert_eq!(controls(&plan, &to_agent.target_controls), ["a/web 127.0.0.1:8080/TCP"]);
    let to_foreign = reach_of(cell(&plan, "a/web 10.0.0.2:5432/TCP"));
    let asked = controls(&plan, &to_foreign.target_controls);
    assert_eq!(asked, ["partywall-open/open-client 10.0.0.2:5432/TCP"]);
}

#[test]
fn entities_are_asked_on_every_node_they_are_on() {
    let plan = planned(PLATFORM, "denied");
    let of = |column: &str| -> BTreeSet<String> {
        let cells = plan.cells.iter().filter(|cell| cell.column == column);
        cells.map(|cell| text(&plan, cell.probe)).filter(|text| text.starts_with("a/web")).collect()
    };
    assert_eq!(of("apiserver"), set(&["a/web 172.18.0.2:6443/TCP by node"]));
    let kubelets = ["a/web 172.18.0.2:10250/TCP by node", "a/web 172.18.0.3:10250/TCP by node"];
    assert_eq!(of("kubelet"), set(&kubelets));
    let kubelet = cell(&plan, kubelets[0]);
    assert_eq!(reach_of(kubelet).proof, ProofLevel::Control);
    let asked = controls(&plan, &reach_of(kubelet).target_controls);
    assert_eq!(asked, ["partywall-open/open-client 172.18.0.2:10250/TCP by node"]);
    let speak = |wanted: &str| probe_at(&plan, cell(&plan, wanted).probe).target.speak;
    assert_eq!(speak("a/web 172.18.0.2:6443/TCP by node"), Speak::Https);
    assert_eq!(speak(kubelets[1]), Speak::Connect);
}

#[test]
fn the_platform_is_asked_but_for_the_contracted_ports() {
    let plan = planned(PLATFORM, "denied");
    let asked: BTreeSet<String> = row(&plan, "b")
        .into_iter()
        .filter(|text| text.starts_with("b/web") && text.contains("10.0.0."))
        .collect();
    let expected = [
        "105:8000/UDP",
        "105:18080/TCP",
        "105:18080/UDP",
        "107:3100/TCP",
        "107:3100/UDP",
        "107:18080/TCP",
        "107:18080/UDP",
    ]
    .map(|end| format!("b/web 10.0.0.{end}"));
    assert_eq!(asked, expected.into_iter().collect());
    // The contract accepts a control alone for this port, and the twin's receipt is there besides.
    let store = cell(&plan, "b/web 10.0.0.107:3100/TCP");
    assert_eq!(reach_of(store).proof, ProofLevel::Control);
}

#[test]
fn a_probe_that_several_cells_need_is_put_once() {
    let plan = planned(OTHER, "denied");
    let probes: BTreeSet<String> =
        (0..plan.batch.probes.len()).map(|index| text(&plan, index)).collect();
    assert_eq!(probes.len(), plan.batch.probes.len());
}

#[test]
fn pods_on_their_nodes_network_are_nobodys_pods() {
    let mut inventory = inventory();
    inventory
        .pods
        .iter_mut()
        .filter(|pod| pod.name.name == "job")
        .for_each(|pod| pod.host_network = true);
    let plan = plan_on(&inventory, OTHER, "denied");
    assert!(!plan.cells.iter().any(|cell| text(&plan, cell.probe).contains("10.0.0.4")));
    let cell = cell(&plan, "a/web 10.0.0.3:8080/TCP");
    let asked = controls(&plan, &reach_of(cell).target_controls);
    assert_eq!(asked, ["partywall-open/open-client 10.0.0.3:8080/TCP"], "nor a control client");
    assert!(probe_at(&plan, cell.probe).target.port.transport == Transport::Tcp);
}

#[rstest]
#[case::no_service(|i: &mut Inventory| i.services.clear(), 2)]
#[case::wrong_target_port(|i: &mut Inventory| i.services[0].ports[0].target = 9, 2)]
#[case::no_pod(|i: &mut Inventory| i.pods.retain(|pod| pod.workload != "gateway"), 3)]
fn a_contracted_port_that_nothing_serves_is_missing_and_not_left_out(
    #[case] change: fn(&mut Inventory),
    #[case] ways: usize,
) {
    let mut inventory = inventory();
    change(&mut inventory);
    let plan = plan_on(&inventory, REACHES, "reached");
    let is_missing = |cell: &&Cell| matches!(cell.subject, CellSubject::Missing { .. });
    assert_eq!(plan.cells.iter().filter(is_missing).count(), 2 * ways, "for each of two tenants");
}
