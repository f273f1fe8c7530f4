//! The reference layout's shape for any number of tenants, for benchmarks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::address::Address;
use super::facts::{ContainerPort, NamespaceFacts, PodFacts};
use super::ports::Protocol;

/// What a layout would have in a cluster.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// Its namespaces.
    pub namespaces: Vec<NamespaceFacts>,
    /// Its pods.
    pub pods: Vec<PodFacts>,
    /// Its policies.
    pub policies: Vec<Value>,
}

type Workload = (&'static str, &'static [u16]);

const TENANT: [Workload; 4] = [
    ("open-webui", &[8080]),
    ("postgres", &[5432]),
    ("weaviate", &[8080, 50051]),
    ("reranker", &[8000]),
];
const SHARED: [Workload; 3] = [("gateway", &[8000]), ("searxng", &[8080]), ("crawl4ai", &[11235])];
const OBSERVABILITY: [Workload; 3] =
    [("alloy", &[4317, 4318]), ("loki", &[3100]), ("mimir", &[9009])];

/// Tenants of four workloads each, three shared services, a collector with its stores, DNS.
pub fn synthetic(tenants: usize) -> Synthetic {
    let mut made = Synthetic { namespaces: Vec::new(), pods: Vec::new(), policies: Vec::new() };
    platform(&mut made);
    let policies = tenant_policies();
    for number in 0..tenants {
        let name = format!("tenant-{number}");
        add_namespace(&mut made, &name, "tenant", &TENANT);
        for policy in &policies {
            let mut policy = policy.clone();
            policy["metadata"]["namespace"] = json!(name);
            made.policies.push(policy);
        }
    }
    made
}

fn platform(made: &mut Synthetic) {
    add_namespace(made, "shared-services", "shared-services", &SHARED);
    add_namespace(made, "observability", "observability", &OBSERVABILITY);
    for (namespace, app, ports) in [
        ("shared-services", "gateway", json!([{"port": 8000}])),
        ("shared-services", "searxng", json!([{"port": 8080}])),
        ("shared-services", "crawl4ai", json!([{"port": 11235}])),
        ("observability", "alloy", json!([{"port": 4317}, {"port": 4318}])),
    ] {
        let from = json!([{"namespaceSelector": {"matchLabels": {"purpose": "tenant"}}}]);
        let spec = json!({
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": from, "ports": ports}],
        });
        made.policies.push(policy(namespace, &format!("allow-tenants-to-{app}"), &spec));
    }
    for namespace in ["shared-services", "observability"] {
        let spec =
            json!({"policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]});
        made.policies.push(policy(namespace, "allow-internal", &spec));
    }
    let labels = [("k8s-app".to_string(), "kube-dns".to_string())].into();
    let port = |protocol| ContainerPort { name: Some("dns".to_string()), number: 53, protocol };
    made.namespaces
        .push(NamespaceFacts { name: "kube-system".to_string(), labels: BTreeMap::new() });
    made.pods.push(PodFacts {
        namespace: "kube-system".to_string(),
        name: "kube-dns".to_string(),
        labels,
        ports: vec![port(Protocol::Udp), port(Protocol::Tcp)],
        host_network: false,
        address: Address::Private,
    });
}

fn tenant_policies() -> [Value; 2] {
    let to = |key: &str, namespace: &str, (label, app): (&str, &str), ports: Value| {
        let peer = json!({
            "namespaceSelector": {"matchLabels": {key: namespace}},
            "podSelector": {"matchLabels": {label: app}},
        });
        json!({"to": [peer], "ports": ports})
    };
    const NAME: &str = super::facts::NAMESPACE_NAME_LABEL;
    let tcp = |port: u16| json!({"port": port, "protocol": "TCP"});
    let egress = json!([
        {"to": [{"podSelector": {}}]},
        to("purpose", "shared-services", ("app", "gateway"), json!([tcp(8000)])),
        to("purpose", "shared-services", ("app", "searxng"), json!([tcp(8080)])),
        to("purpose", "shared-services", ("app", "crawl4ai"), json!([tcp(11235)])),
        to(NAME, "observability", ("app", "alloy"), json!([tcp(4317), tcp(4318)])),
        to(NAME, "kube-system", ("k8s-app", "kube-dns"),
            json!([{"port": 53, "protocol": "UDP"}, tcp(53)])),
    ]);
    let allow = json!({
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
        "egress": egress,
    });
    let deny = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    [policy("", "default-deny-all", &deny), policy("", "allow-internal-and-shared", &allow)]
}

fn policy(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    })
}

fn add_namespace(made: &mut Synthetic, name: &str, purpose: &str, workloads: &[Workload]) {
    let labels = [("purpose".to_string(), purpose.to_string())].into();
    made.namespaces.push(NamespaceFacts { name: name.to_string(), labels });
    for (app, ports) in workloads {
        let port =
            |number: &u16| ContainerPort { name: None, number: *number, protocol: Protocol::Tcp };
        made.pods.push(PodFacts {
            namespace: name.to_string(),
            name: (*app).to_string(),
            labels: [("app".to_string(), (*app).to_string())].into(),
            ports: ports.iter().map(port).collect(),
            host_network: false,
            address: Address::Private,
        });
    }
}
