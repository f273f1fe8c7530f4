use serde_json::json;

use super::super::harness_pods::object;
use super::*;

const CONTRACT: &str = "\
apiVersion: partywall.dev/v1alpha1
kind: Contract
tenants:
  - {name: a, namespaces: [a, a-jobs], org: a}
  - {name: b, namespaces: [b], org: b}
platform: [shared]
endpoints: {}
flows: []
";

fn pod(namespace: &str, name: &str, node: &str) -> Pod {
    Pod {
        name: PodName::new(namespace, name),
        workload: name.to_string(),
        labels: BTreeMap::new(),
        address: "10.244.0.1".to_string(),
        node: node.to_string(),
        service_account: String::new(),
        host_network: false,
        role: Role::Workload,
        agent: true,
        declared: Vec::new(),
        decoys: Vec::new(),
    }
}

fn names(pods: Vec<Pod>, nodes: &[&str]) -> Vec<String> {
    let node = |name: &&str| Node {
        name: (*name).to_string(),
        address: String::new(),
        control_plane: false,
    };
    let nodes = nodes.iter().map(node).collect();
    let inventory = Inventory { pods, nodes, ..Inventory::default() };
    let contract = Contract::load("partywall.yaml", CONTRACT).unwrap();
    gaps(&contract, &inventory).iter().map(|gap| gap.name().to_string()).collect()
}

#[test]
fn a_tenant_that_is_not_on_a_node_is_stood_in_for_there() {
    let pods = vec![
        pod("a", "web", "one"),
        pod("a", "db", "one"),
        pod("a-jobs", "job", "two"),
        pod("b", "web", "one"),
        pod("b", "db", "two"),
        pod("shared", "gateway", "one"),
    ];
    let expected = ["a/db-on-two", "a-jobs/job-on-one"];
    assert_eq!(names(pods, &["one", "two"]), expected);
}

#[test]
fn on_one_node_nobody_is() {
    assert_eq!(names(vec![pod("a", "web", "one")], &["one"]), Vec::<String>::new());
}

#[test]
fn a_node_with_other_pods_alone_has_a_gap() {
    let mut on_the_nodes_network = pod("b", "agent", "two");
    on_the_nodes_network.host_network = true;
    let pods = vec![pod("b", "web", "one"), on_the_nodes_network];
    assert_eq!(names(pods, &["one", "two"]), ["b/web-on-two"]);
}

#[test]
fn a_far_twin_is_the_twin_on_another_node() {
    let original = pod("a", "web", "one");
    let node = Node { name: "two".to_string(), address: String::new(), control_plane: false };
    let twin = object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "web-twin", "namespace": "a", "labels": {"app": "web"},
            "annotations": {TWIN_OF: "web", "partywall.dev/twin-of-uid": "u1"},
        },
        "spec": {"nodeName": "one"},
    }));
    let far = Gap { pod: &original, node: &node }.twin(twin);
    assert_eq!(far.data["spec"]["nodeName"], json!("two"));
    assert_eq!(far.metadata.name.as_deref(), Some("web-on-two"));
    let annotations = far.metadata.annotations.unwrap();
    assert_eq!(annotations.get(FAR_TWIN_OF).map(String::as_str), Some("web"));
    assert!(!annotations.contains_key(TWIN_OF), "else it would be taken for the near one");
    assert!(annotations.contains_key("partywall.dev/twin-of-uid"));
}
