//! What the tenants' pods may reach, as the policies read.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::event::NotJudged;
use partywall_core::port::Port;

use super::endpoints::{At, COLLECTOR, Endpoint};
use super::namespaces::Namespaces;
use super::reading::{Party, Pod, Policies};
use super::tenants::Tenant;
use super::workloads::Workloads;
use crate::render::Rendered;

/// A port that nobody names: where it is open, all are.
const ANY: Port = Port::tcp(1);

/// Who may go where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flows {
    /// Tenants whose pods reach each other.
    pub(super) among_themselves: BTreeSet<String>,
    /// Names of endpoints by tenant.
    pub(super) to: BTreeMap<String, BTreeSet<String>>,
    /// Tenants whose pods no egress policy holds back.
    pub(super) open: BTreeSet<String>,
}

/// Labels of pods and of their namespaces.
type Labels = BTreeMap<String, String>;

/// A tenant's pods, one of every kind.
type Pods<'a> = Vec<(&'a str, &'a Labels, Labels)>;

/// Who may go where, and the endpoints cut so that each is allowed as a whole or not at all.
pub(super) fn flows(
    rendered: &Rendered,
    namespaces: &Namespaces,
    workloads: &Workloads<'_>,
    tenants: &[Tenant],
    endpoints: Vec<Endpoint>,
    notes: &mut Vec<NotJudged>,
) -> (Vec<Endpoint>, Flows) {
    let policies = Policies::of(rendered);
    let mut flows = Flows::default();
    let mut allowed: BTreeMap<(usize, Port), BTreeSet<String>> = BTreeMap::new();
    for tenant in tenants {
        let pods = pods(tenant, namespaces, workloads);
        if reach_each_other(&policies, &pods) {
            flows.among_themselves.insert(tenant.name.clone());
        }
        if pods.iter().any(|pod| is_open(&policies, pod)) {
            flows.open.insert(tenant.name.clone());
        }
        for (index, endpoint) in endpoints.iter().enumerate() {
            for port in endpoint.ports.keys() {
                if pods.iter().any(|pod| reaches(&policies, namespaces, pod, endpoint, *port)) {
                    allowed.entry((index, *port)).or_default().insert(tenant.name.clone());
                }
            }
        }
    }
    unjudged(rendered, notes);
    let cut = cut(endpoints, &allowed, &mut flows);
    (cut, flows)
}

/// One pod of each workload; where none is rendered, a pod without labels, which the policies over
/// all pods select.
fn pods<'a>(tenant: &'a Tenant, namespaces: &'a Namespaces, workloads: &Workloads<'_>) -> Pods<'a> {
    let mut pods = Vec::new();
    for name in &tenant.namespaces {
        let Some(namespace) = namespaces.0.get(name) else { continue };
        let own = workloads.in_namespace(name).filter(|workload| !workload.host_network);
        let mut labels: BTreeSet<Labels> = own.map(|workload| workload.labels.clone()).collect();
        if labels.is_empty() {
            labels.insert(Labels::new());
        }
        pods.extend(labels.into_iter().map(|labels| (name.as_str(), &namespace.labels, labels)));
    }
    pods
}

fn party<'a>(
    pod: &'a (&'a str, &'a Labels, Labels),
    ports: &'a BTreeMap<Port, Option<String>>,
) -> Party<'a> {
    let (namespace, namespace_labels, labels) = pod;
    Party { pod: Some(Pod { namespace, namespace_labels, labels }), ports }
}

fn reach_each_other(policies: &Policies<'_>, pods: &Pods<'_>) -> bool {
    let none = BTreeMap::new();
    pods.iter()
        .all(|from| pods.iter().all(|to| policies.allow(party(from, &none), party(to, &none), ANY)))
}

/// Whether a pod may go out to what no policy names.
fn is_open(policies: &Policies<'_>, pod: &(&str, &Labels, Labels)) -> bool {
    let none = BTreeMap::new();
    policies.allow(party(pod, &none), Party { pod: None, ports: &none }, ANY)
}

fn reaches(
    policies: &Policies<'_>,
    namespaces: &Namespaces,
    from: &(&str, &Labels, Labels),
    endpoint: &Endpoint,
    port: Port,
) -> bool {
    let none = BTreeMap::new();
    let from = party(from, &none);
    let pod = match &endpoint.at {
        At::Pods { namespace, labels } => {
            let Some(place) = namespaces.0.get(namespace) else { return false };
            Some(Pod { namespace, namespace_labels: &place.labels, labels })
        }
        At::Apiserver { .. } | At::Node => None,
    };
    policies.allow(from, Party { pod, ports: &endpoint.ports }, port)
}

/// An endpoint of which a tenant may reach some ports becomes several.
fn cut(
    endpoints: Vec<Endpoint>,
    allowed: &BTreeMap<(usize, Port), BTreeSet<String>>,
    flows: &mut Flows,
) -> Vec<Endpoint> {
    let mut names: BTreeSet<String> =
        endpoints.iter().map(|endpoint| endpoint.name.clone()).collect();
    let mut all = Vec::new();
    for (index, endpoint) in endpoints.into_iter().enumerate() {
        let mut parts: BTreeMap<BTreeSet<String>, BTreeMap<Port, Option<String>>> = BTreeMap::new();
        for (port, name) in &endpoint.ports {
            let tenants = allowed.get(&(index, *port)).cloned().unwrap_or_default();
            parts.entry(tenants).or_default().insert(*port, name.clone());
        }
        // The part that most tenants reach keeps the name.
        let mut parts: Vec<_> = parts.into_iter().collect();
        parts.sort_by_key(|(tenants, _)| std::cmp::Reverse(tenants.len()));
        // A collector of which each part is one tenant's has receivers, and they its name.
        let is_apart = endpoint.name == COLLECTOR
            && parts.len() > 1
            && parts.iter().all(|(tenants, _)| tenants.len() == 1);
        for (position, (tenants, ports)) in parts.into_iter().enumerate() {
            let mut part = Endpoint { ports, ..endpoint.clone() };
            if let Some(tenant) = tenants.first().filter(|_| is_apart) {
                part.name = free(format!("{}-{tenant}", endpoint.name), &names);
                names.insert(part.name.clone());
            } else if position > 0 {
                let port = part.ports.keys().next().map_or(0, |port| port.number);
                part.name = free(format!("{}-{port}", endpoint.name), &names);
                names.insert(part.name.clone());
            }
            for tenant in tenants {
                flows.to.entry(tenant).or_default().insert(part.name.clone());
            }
            all.push(part);
        }
    }
    all
}

fn free(name: String, taken: &BTreeSet<String>) -> String {
    if !taken.contains(&name) {
        return name;
    }
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    numbered.filter(|name| !taken.contains(name)).take(1).collect()
}

/// Policies that are not read here.
fn unjudged(rendered: &Rendered, notes: &mut Vec<NotJudged>) {
    for object in &rendered.objects {
        let group = object.api_version().split('/').next().unwrap_or_default();
        let other = matches!(
            group,
            "cilium.io"
                | "projectcalico.org"
                | "crd.projectcalico.org"
                | "policy.networking.k8s.io"
        );
        if other && object.kind().contains("NetworkPolicy") {
            notes.push(NotJudged {
                subject: object.label(),
                reason: "this kind of policy is not read, so that the flows of the draft do not \
                         follow it"
                    .to_string(),
                location: Some(object.origin.clone()),
            });
        }
    }
}
