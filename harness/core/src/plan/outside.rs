//! Targets beyond the cluster's pods: a metadata service, name servers, the world.

use super::targets::Aim;
use crate::inventory::{Beyond, Inventory, NAME_SERVER_PORTS, Outside};
use crate::port::{Port, Transport};
use crate::probe::{By, Speak, Target};
use crate::scenario::{Family, Party, Ports, Reach};
use crate::verdict::ProofLevel;

/// The addresses outside that a question is about, port by port.
pub(super) fn aims_outside(question: &Reach, inventory: &Inventory) -> Vec<Aim> {
    let is_asked = |outside: &&Outside| match question.to {
        Party::Metadata => outside.beyond == Beyond::Metadata,
        Party::Outside | Party::NameServers => outside.beyond == Beyond::World,
        _ => false,
    };
    let of_family =
        |outside: &&Outside| outside.address.contains(':') == (question.family == Family::Ipv6);
    let asked = inventory.outside.iter().filter(is_asked).filter(of_family);
    asked.flat_map(|outside| aims_at(question, outside)).collect()
}

fn aims_at(question: &Reach, outside: &Outside) -> Vec<Aim> {
    let is_wanted = |port: &&Port| {
        let of_party = match question.to {
            Party::NameServers => NAME_SERVER_PORTS.contains(&port.number),
            _ => true,
        };
        // No contract names an address outside, so that none of its ports is contracted.
        let of_ports = match &question.ports {
            Ports::Uncontracted | Ports::Listening => true,
            Ports::Contracted => false,
            Ports::These(ports) => ports.contains(port),
        };
        of_party && of_ports && question.transports.contains(&port.transport)
    };
    outside.ports.iter().filter(is_wanted).map(|port| aim_at(outside, *port)).collect()
}

fn aim_at(outside: &Outside, port: Port) -> Aim {
    let target = Target {
        label: outside.label.clone(),
        by: By::Pod,
        address: outside.address.clone(),
        port,
        speak: speak_names(port),
        servers: outside.servers.clone(),
    };
    Aim {
        target,
        pod: None,
        proof: ProofLevel::Receipt,
        container_port: port.number,
        column: outside.label.clone(),
        control_on: None,
        unproven: None,
    }
}

/// What is said to an agent that stands in for a name server: on its port a question, so that a
/// network plugin which reads DNS sees one.
pub(super) const fn speak_names(port: Port) -> Speak {
    match (port.number, port.transport) {
        (53, Transport::Tcp | Transport::Udp) => Speak::Lookup,
        _ => Speak::Nonce,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{PodName, stand_ins};
    use crate::scenario::{Question, load_scenario};
    use rstest::rstest;

    fn question(reach: &str) -> Reach {
        let controls = "[client-reaches-allowed, allowed-client-reaches, receipt]";
        let text = format!(
            "claim: x\nbecause: y\nfor: each-tenant\nprobe:\n  reach: {reach}\nexpect: denied\n\
             controls: {controls}\n"
        );
        match load_scenario("world/x.yaml", &text).unwrap().probe {
            Question::Reach(reach) => reach,
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::metadata("{from: \"{tenant}\", to: metadata, ports: listening}", false, 2 * 4 * 2)]
    #[case::world("{from: \"{tenant}\", to: outside, ports: listening}", false, 4 * 2)]
    #[case::over_sctp(
        "{from: \"{tenant}\", to: outside, ports: listening, transports: [SCTP]}",
        true,
        4
    )]
    #[case::no_sctp(
        "{from: \"{tenant}\", to: outside, ports: listening, transports: [SCTP]}",
        false,
        0
    )]
    #[case::names("{from: \"{tenant}\", to: name-servers, ports: listening}", false, 3 * 2)]
    #[case::these("{from: \"{tenant}\", to: outside, ports: {these: [443/TCP]}}", false, 1)]
    #[case::nothing_is_contracted("{from: \"{tenant}\", to: outside, ports: contracted}", false, 0)]
    #[case::over_ipv6(
        "{from: \"{tenant}\", to: metadata, ports: listening, family: ipv6}",
        false,
        4 * 2
    )]
    #[case::others("{from: \"{tenant}\", to: nodes}", false, 0)]
    fn aims_are_the_ports_of_addresses(
        #[case] reach: &str,
        #[case] over_sctp: bool,
        #[case] expected: usize,
    ) {
        let server = PodName::new("partywall-open", "outside-node");
        let outside = stand_ins(std::slice::from_ref(&server), over_sctp, true);
        let inventory = Inventory { outside, ..Inventory::default() };
        let aims = aims_outside(&question(reach), &inventory);
        assert_eq!(aims.len(), expected);
        assert!(aims.iter().all(|aim| aim.target.servers == [server.clone()]));
        assert!(aims.iter().all(|aim| aim.proof == ProofLevel::Receipt));
    }

    #[test]
    fn a_name_server_is_asked_for_names() {
        assert_eq!(speak_names(Port::udp(53)), Speak::Lookup);
        assert_eq!(speak_names(Port::tcp(853)), Speak::Nonce);
        assert_eq!(speak_names(Port::sctp(53)), Speak::Nonce);
    }
}
