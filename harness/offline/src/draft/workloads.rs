//! Pods that the rendered workloads would have, as far as a draft needs them.

use std::collections::BTreeMap;

use partywall_core::port::{Port, Transport};
use serde_json::Value;

use crate::render::{Object, Rendered};

/// The pods of a workload.
#[derive(Clone, Debug)]
pub(super) struct Workload<'a> {
    pub(super) object: &'a Object,
    pub(super) labels: BTreeMap<String, String>,
    /// Declared container ports, and their names.
    pub(super) ports: BTreeMap<Port, Option<String>>,
    pub(super) environment: Vec<(&'a str, &'a str)>,
    pub(super) host_network: bool,
}

/// Workloads in the order in which they were rendered.
#[derive(Clone, Debug, Default)]
pub(super) struct Workloads<'a>(pub(super) Vec<Workload<'a>>);

impl<'a> Workloads<'a> {
    pub(super) fn of(rendered: &'a Rendered) -> Self {
        Self(rendered.objects.iter().filter_map(workload).collect())
    }

    pub(super) fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Workload<'a>> {
        self.0.iter().filter(move |workload| workload.object.namespace() == namespace)
    }
}

fn workload(object: &Object) -> Option<Workload<'_>> {
    let template = object.pod_template()?;
    let labels = template["metadata"]["labels"].as_object().into_iter().flatten();
    let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string())));
    let spec = &template["spec"];
    let list = |value: &'_ Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let containers = || {
        ["containers", "initContainers"]
            .into_iter()
            .filter_map(|key| spec[key].as_array())
            .flatten()
    };
    let declared = containers().flat_map(|container| list(container, "ports"));
    let environment = containers()
        .filter_map(|container| container["env"].as_array())
        .flatten()
        .filter_map(|entry| Some((entry["name"].as_str()?, entry["value"].as_str()?)));
    Some(Workload {
        object,
        labels: labels.collect(),
        ports: declared.filter_map(|port| declared_port(&port)).collect(),
        environment: environment.collect(),
        host_network: spec["hostNetwork"].as_bool().unwrap_or(false),
    })
}

fn declared_port(port: &Value) -> Option<(Port, Option<String>)> {
    let number =
        u16::try_from(port["containerPort"].as_u64()?).ok().filter(|number| *number > 0)?;
    let transport = transport(port["protocol"].as_str())?;
    Some((Port { number, transport }, port["name"].as_str().map(str::to_string)))
}

/// A protocol as objects name it.
pub(super) fn transport(protocol: Option<&str>) -> Option<Transport> {
    match protocol {
        None | Some("TCP") => Some(Transport::Tcp),
        Some("UDP") => Some(Transport::Udp),
        Some("SCTP") => Some(Transport::Sctp),
        Some(_) => None,
    }
}
