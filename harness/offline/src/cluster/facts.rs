//! What stands, in the policy evaluator's words.

use partywall_core::port::{Port, Transport};

use super::standing::Standing;
use super::workload::StandingPod;
use crate::netpol::{Address, ContainerPort, NamespaceFacts, PodFacts, Protocol};
use crate::render::{Object, Rendered};

/// What is known of every namespace.
pub(super) fn namespaces(rendered: &Rendered, standing: &Standing) -> Vec<NamespaceFacts> {
    let facts = |object: &Object| NamespaceFacts {
        name: object.name().to_string(),
        labels: object.labels(),
    };
    let around = standing.namespaces.iter();
    let around =
        around.map(|(name, labels)| NamespaceFacts { name: name.clone(), labels: labels.clone() });
    // What the files say of a namespace comes last, and counts.
    around.chain(rendered.of_kind("Namespace").map(facts)).collect()
}

/// A pod as policies see it.
pub(super) fn pod_facts(standing: &StandingPod) -> PodFacts {
    let pod = &standing.pod;
    let name_of = |port: &Port| {
        let named = standing.names.iter().find(|(_, named)| *named == port);
        named.map(|(name, _)| name.clone())
    };
    let port = |port: &Port| ContainerPort {
        name: name_of(port),
        number: port.number,
        protocol: protocol(port.transport),
    };
    PodFacts {
        namespace: pod.name.namespace.clone(),
        name: pod.name.name.clone(),
        labels: pod.labels.clone(),
        ports: pod.declared.iter().map(port).collect(),
        host_network: pod.host_network,
        address: address(&pod.address),
    }
}

/// Offline an address is a name, and only known to be private.
pub(super) fn address(text: &str) -> Address {
    text.parse().map_or(Address::Private, |address| Address::Known(vec![address]))
}

/// A transport in the evaluator's words.
pub(super) const fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
        Transport::Sctp => Protocol::Sctp,
    }
}
