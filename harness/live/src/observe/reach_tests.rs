use partywall_core::inventory::{Pod, Role};
use partywall_core::port::Port;
use partywall_core::probe::{By, Target};
use rstest::rstest;

use super::*;

const NONCE: &str = "0123456789abcdef0123456789abcdef";

fn client() -> Pod {
    Pod {
        name: PodName::new("a", "web"),
        workload: "web".to_string(),
        labels: BTreeMap::new(),
        address: "10.244.0.7".to_string(),
        node: "one".to_string(),
        service_account: String::new(),
        host_network: false,
        role: Role::Workload,
        agent: true,
        declared: Vec::new(),
        decoys: Vec::new(),
    }
}

fn probe(by: By, servers: &[&str]) -> ReachProbe {
    let target = Target {
        label: "b/web".to_string(),
        by,
        address: "172.18.0.2".to_string(),
        port: Port::tcp(30_000),
        speak: Speak::Nonce,
        servers: servers.iter().map(|name| PodName::new("b", *name)).collect(),
    };
    ReachProbe { from: client().name, target }
}

fn dropped() -> Result<ReachReply, String> {
    Ok(ReachReply {
        outcome: Outcome::Dropped,
        address: None,
        local_port: Some(40_000),
        echoed: false,
        answered_by: None,
        elapsed_us: 1,
        detail: String::new(),
    })
}

fn book(nonces: &[&str], nameless: &[&str]) -> Result<Book, String> {
    let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_string()).collect();
    Ok(Book { nonces: set(nonces), nameless: set(nameless) })
}

fn state(by: By, reply: Result<ReachReply, String>, books: Vec<Result<Book, String>>) -> String {
    let names: Vec<String> = (0..books.len()).map(|place| format!("server-{place}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let probe = probe(by, &names);
    let flight = Flight { index: 0, probe: &probe, nonce: NONCE.to_string(), reply };
    let ledger: Ledger = probe.target.servers.iter().cloned().zip(books).collect();
    let inventory = Inventory { pods: vec![client()], ..Inventory::default() };
    let state = receipt_state(&flight, &ledger, &Index::of(&inventory), &inventory);
    format!("{state:?}").split([' ', '{']).next().unwrap_or_default().to_string()
}

const OWN: &str = "10.244.0.7:40000";
/// The kubelet looks after a pod from its node's address, again and again.
const NODE: &str = "172.18.0.2:40000";

#[rstest]
#[case::nothing(By::Pod, &[], &[], "Absent")]
#[case::accepted(By::Pod, &[], &[OWN], "Accepted")]
#[case::somebody_elses_accept(By::Pod, &[], &[NODE], "Absent")]
#[case::by_a_nodes_port(By::NodePort, &[], &[NODE], "Absent")]
#[case::nonce_from_a_node(By::NodePort, &[NONCE], &[NODE], "Present")]
#[case::nonce_by_a_claimed_address(By::ExternalIp, &[NONCE], &[], "Present")]
#[case::accepted_by_a_name(By::Headless, &[], &[OWN], "Accepted")]
fn a_nonce_counts_whoever_seems_to_have_sent_it(
    #[case] by: By,
    #[case] nonces: &[&str],
    #[case] nameless: &[&str],
    #[case] expected: &str,
) {
    assert_eq!(state(by, dropped(), vec![book(nonces, nameless)]), expected);
}

#[test]
fn one_of_several_servers_behind_a_door_is_enough() {
    let books = vec![book(&[], &[]), book(&[NONCE], &[])];
    assert_eq!(state(By::NodePort, dropped(), books), "Present");
}

#[test]
fn a_server_that_was_not_heard_leaves_it_open() {
    let books = vec![book(&[], &[]), Err("gone".to_string())];
    assert_eq!(state(By::NodePort, dropped(), books), "Unknown");
}

#[test]
fn a_client_that_was_not_heard_is_no_deny() {
    let lost = || Err("the stream broke".to_string());
    assert!(matches!(observation(lost(), ReceiptState::Absent), Observation::Failed { .. }));
    let leaked = observation(lost(), ReceiptState::Present);
    assert!(matches!(leaked, Observation::Reach(seen) if seen.receipt == ReceiptState::Present));
}

#[rstest]
#[case::door(By::Headless, "web.b.svc.cluster.local", "web.b.svc.cluster.local.")]
#[case::other_name(By::ExternalName, "x.a.svc.cluster.local", "x.a.svc.cluster.local.")]
#[case::address(By::NodePort, "172.18.0.2", "172.18.0.2")]
#[case::as_a_tenant_writes_it(By::Name, "web.b.svc.cluster.local", "web.b.svc.cluster.local")]
fn a_door_s_name_is_asked_without_the_search_list(
    #[case] by: By,
    #[case] address: &str,
    #[case] expected: &str,
) {
    let target = Target { address: address.to_string(), ..probe(by, &[]).target };
    assert_eq!(asked_at(&target), expected);
}
