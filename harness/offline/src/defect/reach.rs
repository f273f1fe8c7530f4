//! Flows that the contract allows and the cluster denied.

use partywall_core::document::Item;
use partywall_core::event::Defect;
use partywall_core::{Contract, Layout, Port};

use super::{CONTRACTED_PORT_DENIED, DNS_DENIED, DNS_OVER_TCP_DENIED, TELEMETRY_CANNOT_LEAVE};
use crate::blame::missing_egress;

/// The ports on which OTLP is spoken.
const OTLP: [Port; 2] = [Port::tcp(4317), Port::tcp(4318)];

/// An allowed flow that was seen denied.
#[derive(Clone, Copy, Debug)]
pub struct Violation<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The namespace of the tenant's pod.
    pub namespace: &'a str,
    /// The target: an endpoint of the contract, or `namespace/workload`.
    pub endpoint: &'a str,
    /// The port.
    pub port: Port,
}

/// The defect that a denied flow shows, with the line that would have to allow it.
pub fn of_violation(layout: &Layout, contract: &Contract, violation: &Violation<'_>) -> Defect {
    let Violation { tenant, namespace, endpoint, port } = *violation;
    let (name, summary) = match port {
        port if is_otlp(layout, port) => (
            TELEMETRY_CANNOT_LEAVE,
            format!("{tenant}'s telemetry cannot leave: {endpoint} does not answer it on {port}"),
        ),
        Port { number: 53, .. } if port == Port::tcp(53) => (
            DNS_OVER_TCP_DENIED,
            format!("{tenant} cannot ask DNS over TCP, which long answers need"),
        ),
        Port { number: 53, .. } => {
            (DNS_DENIED, format!("{tenant} cannot ask DNS: no name resolves"))
        }
        port => (
            CONTRACTED_PORT_DENIED,
            format!("{tenant} cannot reach {endpoint} on {port}, which the contract allows"),
        ),
    };
    let blame = missing_egress(layout, contract, tenant, namespace, port, endpoint);
    let (location, message) = match blame {
        Some(blame) => (Some(blame.location), blame.because),
        None => (None, "nothing in the layout's policies explains it".to_string()),
    };
    Defect {
        name: name.to_string(),
        summary,
        object: format!("tenant {tenant} ({namespace}) to {endpoint} {port}"),
        message,
        location,
        behind: None,
    }
}

/// Whether OTLP is spoken on a container port: by its number, or because a Service that is spoken
/// to on such a port leads there.
fn is_otlp(layout: &Layout, port: Port) -> bool {
    let number = |item: &Item, key: &str| item.text(&[key]).and_then(|text| text.parse().ok());
    let leads_there = |item: &Item| {
        let spoken = number(item, "port").map(Port::tcp);
        let target = number(item, "targetPort").map(Port::tcp);
        spoken.is_some_and(|spoken| OTLP.contains(&spoken)) && target == Some(port)
    };
    let services = layout.documents.iter().filter(|document| document.kind() == "Service");
    let mut ports = services.flat_map(|service| service.root.items(&["spec", "ports"]));
    OTLP.contains(&port) || ports.any(leads_there)
}
