//! What of the platform can be reached, by name.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::event::NotJudged;
use partywall_core::port::Port;
use serde_json::Value;

use super::namespaces::{FLUX, KUBE_SYSTEM};
use super::workloads::{Workload, Workloads, transport};
use crate::render::{Object, Rendered};

/// The port at which OpenTelemetry's collectors are spoken to.
const OTLP: Port = Port::tcp(4317);

/// What it is called.
pub(super) const COLLECTOR: &str = "collector";

/// A named target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) at: At,
    /// Container ports, and their names.
    pub(super) ports: BTreeMap<Port, Option<String>>,
    /// Why it is here.
    pub(super) because: String,
}

/// Pods, or what is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    Pods { namespace: String, labels: BTreeMap<String, String> },
    Apiserver { control: bool },
    Node,
}

/// Everything of the platform that has a port, and what every cluster has.
pub(super) fn endpoints(
    rendered: &Rendered,
    workloads: &Workloads<'_>,
    platform: &[String],
    notes: &mut Vec<NotJudged>,
) -> Vec<Endpoint> {
    let mut found = Found::default();
    for service in rendered.of_kind("Service") {
        if platform.iter().any(|name| name == service.namespace()) {
            found.service(service, workloads, notes);
        }
    }
    for workload in &workloads.0 {
        if platform.iter().any(|name| name == workload.object.namespace()) {
            found.workload(workload, notes);
        }
    }
    if !found.is_in(KUBE_SYSTEM, "k8s-app", "kube-dns") {
        found.assume(
            "dns",
            KUBE_SYSTEM,
            ("k8s-app", "kube-dns"),
            &[(Port::udp(53), "dns"), (Port::tcp(53), "dns-tcp")],
        );
    }
    if !found.is_in(FLUX, "app", "source-controller") {
        let port = [(Port::tcp(9090), "http")];
        found.assume("artifacts", FLUX, ("app", "source-controller"), &port);
    }
    found.entities();
    found.endpoints
}

#[derive(Default)]
struct Found {
    endpoints: Vec<Endpoint>,
    names: BTreeSet<String>,
}

impl Found {
    fn service(&mut self, service: &Object, workloads: &Workloads<'_>, notes: &mut Vec<NotJudged>) {
        let labels = service.text_map(&["spec", "selector"]);
        if labels.is_empty() {
            notes.push(left_out(service, "it selects no pods"));
            return;
        }
        let behind: Vec<&Workload<'_>> = workloads
            .in_namespace(service.namespace())
            .filter(|workload| labels.iter().all(|(k, v)| workload.labels.get(k) == Some(v)))
            .collect();
        let listed = service.at(&["spec", "ports"]).and_then(Value::as_array);
        let mut ports = BTreeMap::new();
        for port in listed.into_iter().flatten() {
            match target(port, &behind) {
                Some(port) => drop(ports.insert(port, name_of(port, &behind))),
                None => {
                    let about = port["name"].as_str().map(str::to_string);
                    let about = about.unwrap_or_else(|| port["port"].to_string());
                    notes.push(left_out(
                        service,
                        &format!("the container port behind `{about}` is not known"),
                    ));
                }
            }
        }
        // A receiver may listen elsewhere than where its Service is spoken to.
        let is_otlp = |port: &Value| port["port"].as_u64() == Some(OTLP.number.into());
        let is_collector = listed.into_iter().flatten().any(is_otlp) || ports.contains_key(&OTLP);
        let at = At::Pods { namespace: service.namespace().to_string(), labels };
        let because = format!("{} ({})", service.label(), service.origin);
        self.add(at, ports, (service.name(), is_collector), because);
    }

    /// Pods with ports that no Service stands before.
    fn workload(&mut self, workload: &Workload<'_>, notes: &mut Vec<NotJudged>) {
        let object = workload.object;
        let known = self.endpoints.iter().filter(|endpoint| match &endpoint.at {
            At::Pods { namespace, labels } => {
                namespace == object.namespace()
                    && labels.iter().all(|(k, v)| workload.labels.get(k) == Some(v))
            }
            At::Apiserver { .. } | At::Node => false,
        });
        let known: BTreeSet<Port> =
            known.flat_map(|endpoint| endpoint.ports.keys().copied()).collect();
        let ports = workload.ports.iter().filter(|(port, _)| !known.contains(port));
        let ports: BTreeMap<Port, Option<String>> =
            ports.map(|(p, name)| (*p, name.clone())).collect();
        if ports.is_empty() {
            return;
        }
        if workload.host_network {
            notes.push(left_out(object, "its pods are on the network of their nodes"));
            return;
        }
        let chosen = object.text_map(&["spec", "selector", "matchLabels"]);
        let labels = if chosen.is_empty() { workload.labels.clone() } else { chosen };
        if labels.is_empty() {
            notes.push(left_out(object, "its pods have no labels to be named by"));
            return;
        }
        let at = At::Pods { namespace: object.namespace().to_string(), labels };
        let is_collector = ports.contains_key(&OTLP);
        let because = format!("{} ({})", object.label(), object.origin);
        self.add(at, ports, (object.name(), is_collector), because);
    }

    fn add(
        &mut self,
        at: At,
        ports: BTreeMap<Port, Option<String>>,
        (fallback, is_collector): (&str, bool),
        because: String,
    ) {
        if ports.is_empty() {
            return;
        }
        if let Some(known) = self.endpoints.iter_mut().find(|endpoint| endpoint.at == at) {
            known.ports.extend(ports);
            return;
        }
        let name = self.name(&at, is_collector, fallback);
        self.endpoints.push(Endpoint { name, at, ports, because });
    }

    /// A short name that nothing else has.
    fn name(&mut self, at: &At, is_collector: bool, fallback: &str) -> String {
        let mut wanted = Vec::new();
        if is_collector {
            wanted.push(COLLECTOR.to_string());
        }
        if let At::Pods { namespace, labels } = at {
            let known = ["app", "app.kubernetes.io/name", "k8s-app"];
            let known =
                known.iter().find_map(|key| labels.get(*key)).filter(|name| !name.is_empty());
            wanted.extend(known.cloned());
            wanted.push(fallback.to_string());
            wanted.push(format!("{namespace}-{fallback}"));
        }
        let numbered = (2..).map(|number| format!("{fallback}-{number}"));
        let mut free = wanted.into_iter().chain(numbered).filter(|name| {
            !matches!(name.as_str(), "" | "same-tenant" | "each-tenant")
                && !self.names.contains(name)
        });
        let name = free.next().unwrap_or_default();
        self.names.insert(name.clone());
        name
    }

    fn is_in(&self, place: &str, key: &str, value: &str) -> bool {
        self.endpoints.iter().any(|endpoint| match &endpoint.at {
            At::Pods { namespace, labels } => {
                namespace == place && labels.get(key).is_some_and(|known| known == value)
            }
            At::Apiserver { .. } | At::Node => false,
        })
    }

    fn assume(&mut self, name: &str, place: &str, label: (&str, &str), ports: &[(Port, &str)]) {
        let labels = BTreeMap::from([(label.0.to_string(), label.1.to_string())]);
        let ports = ports.iter().map(|(port, name)| (*port, Some((*name).to_string())));
        self.names.insert(name.to_string());
        self.endpoints.push(Endpoint {
            name: name.to_string(),
            at: At::Pods { namespace: place.to_string(), labels },
            ports: ports.collect(),
            because: "no file of the layout describes it: taken to be there".to_string(),
        });
    }

    fn entities(&mut self) {
        let because = "every cluster has it".to_string();
        let known = [
            ("apiserver", At::Apiserver { control: false }, &[6443][..]),
            ("etcd", At::Apiserver { control: true }, &[2379, 2380]),
            ("kubelet", At::Node, &[10250]),
        ];
        for (name, at, ports) in known {
            let ports = ports.iter().map(|number| (Port::tcp(*number), None)).collect();
            let name = if self.names.contains(name) {
                format!("cluster-{name}")
            } else {
                name.to_string()
            };
            self.names.insert(name.clone());
            self.endpoints.push(Endpoint { name, at, ports, because: because.clone() });
        }
    }
}

/// The container port that a Service's port leads to.
fn target(port: &Value, behind: &[&Workload<'_>]) -> Option<Port> {
    let transport = transport(port["protocol"].as_str())?;
    let number = match &port["targetPort"] {
        Value::Null => u16::try_from(port["port"].as_u64()?).ok()?,
        Value::Number(number) => u16::try_from(number.as_u64()?).ok()?,
        Value::String(name) => {
            let ports = behind.iter().flat_map(|workload| &workload.ports);
            let mut named = ports.filter(|(known, called)| {
                called.as_deref() == Some(name) && known.transport == transport
            });
            named.next()?.0.number
        }
        _ => return None,
    };
    (number > 0).then_some(Port { number, transport })
}

fn name_of(port: Port, behind: &[&Workload<'_>]) -> Option<String> {
    behind.iter().find_map(|workload| workload.ports.get(&port).cloned().flatten())
}

fn left_out(object: &Object, reason: &str) -> NotJudged {
    NotJudged {
        subject: object.label(),
        reason: format!("{reason}: the draft names no endpoint for it"),
        location: Some(object.origin.clone()),
    }
}
