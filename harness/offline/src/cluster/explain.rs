//! Why one workload reaches another or does not, line by line.

use std::net::IpAddr;

use partywall_core::contract::Contract;
use partywall_core::port::Port;
use partywall_core::source::SourceLocation;

use super::reach::Destination;
use super::standing::Standing;
use super::walls::{Answer, Place, Walls};

/// Why one connection passes or does not.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The client: `customer-a/open-webui`.
    pub from: String,
    /// The target.
    pub to: String,
    /// Its port, as policies see it.
    pub port: Port,
    /// `allowed`, `denied` or `not told by the files`.
    pub verdict: &'static str,
    /// Why, in one line.
    pub because: String,
    /// Egress of the client, then ingress of the target.
    pub sides: Vec<ExplainedSide>,
}

/// What one side says.
#[derive(Clone, Debug, Default)]
pub struct ExplainedSide {
    /// `egress of customer-a/open-webui: allowed`.
    pub title: String,
    /// Its rules that matter, with their lines.
    pub lines: Vec<ExplainedLine>,
}

/// One rule or default.
#[derive(Clone, Debug)]
pub struct ExplainedLine {
    /// Where it stands; none for a default of Kubernetes.
    pub location: Option<SourceLocation>,
    /// What it does.
    pub text: String,
}

/// What a word of the command line names.
pub(super) struct Named {
    pub(super) label: String,
    pub(super) place: Place,
}

/// The pods behind a name: `namespace/workload`, a namespace, a tenant, or an endpoint of the
/// contract. Replicas are alike, and the first stands for all.
fn pods(standing: &Standing, contract: &Contract, name: &str) -> Vec<Named> {
    let endpoint = contract.endpoints.get(name);
    let namespaces = contract.tenant(name).map(|tenant| tenant.namespaces.clone());
    let mut found: Vec<Named> = Vec::new();
    for (index, one) in standing.pods.iter().enumerate() {
        let pod = &one.pod;
        let label = format!("{}/{}", pod.name.namespace, pod.workload);
        let fits = label == name
            || pod.name.to_string() == name
            || pod.name.namespace == name
            || namespaces.as_ref().is_some_and(|own| own.contains(&pod.name.namespace))
            || endpoint.is_some_and(|one| one.selects(&pod.name.namespace, &pod.labels));
        if fits && !found.iter().any(|other| other.label == label) {
            found.push(Named { label, place: Place::Pod(index) });
        }
    }
    found
}

/// A target with the port that was asked for, if one was.
pub(super) fn split_port(text: &str) -> Result<(&str, Option<Port>), String> {
    // An IPv6 address is full of colons; with a port it stands in brackets.
    if text.parse::<IpAddr>().is_ok() {
        return Ok((text, None));
    }
    let Some((name, port)) = text.rsplit_once(':') else { return Ok((text, None)) };
    let port = if port.contains('/') { port.to_string() } else { format!("{port}/TCP") };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    port.parse().map(|port| (name, Some(port)))
}

/// Everything that is asked by two words.
pub(super) fn explain(
    standing: &Standing,
    walls: &Walls,
    contract: &Contract,
    (from, to): (&str, &str),
) -> Result<Vec<Explained>, String> {
    let unknown = |name: &str| {
        format!(
            "`{name}` is no workload, namespace, tenant or endpoint of this layout\nhint: write \
             NAMESPACE/WORKLOAD, as in customer-a/open-webui"
        )
    };
    let clients = pods(standing, contract, from);
    if clients.is_empty() {
        return Err(unknown(from));
    }
    let (name, port) = split_port(to)?;
    let targets = targets(standing, contract, name, port)?;
    if targets.is_empty() {
        return Err(unknown(name));
    }
    let mut all = Vec::new();
    for client in &clients {
        for (label, destination) in &targets {
            if destination.place == client.place && from != name {
                continue;
            }
            all.push(one(walls, client, label, *destination));
        }
    }
    Ok(all)
}

fn one(walls: &Walls, client: &Named, to: &str, destination: Destination) -> Explained {
    let ruling = walls.rule(client.place, destination.place, destination.port);
    let (verdict, because) = match &ruling.answer {
        Answer::Yes => ("allowed", ruling.summary.clone()),
        Answer::No => ("denied", ruling.summary.clone()),
        Answer::Unknown(reason) => ("not told by the files", reason.clone()),
    };
    Explained {
        from: client.label.clone(),
        to: to.to_string(),
        port: destination.port,
        verdict,
        because,
        sides: walls.explain(client.place, destination.place, destination.port),
    }
}

fn targets(
    standing: &Standing,
    contract: &Contract,
    name: &str,
    port: Option<Port>,
) -> Result<Vec<(String, Destination)>, String> {
    if let Ok(address) = name.parse::<IpAddr>() {
        let port = port.ok_or_else(|| format!("an address needs a port: `{name}:443`"))?;
        return Ok(vec![(name.to_string(), Destination { place: Place::Address(address), port })]);
    }
    let mut found = Vec::new();
    if let Some(entity) = contract.endpoints.get(name).filter(|one| one.entity.is_some()) {
        let ports = port.map_or_else(|| entity.ports.clone(), |port| vec![port]);
        let nodes = 0..standing.nodes.len().min(1);
        found.extend(nodes.flat_map(|node| {
            let at = move |port| Destination { place: Place::Node(node), port };
            ports.clone().into_iter().map(move |port| (name.to_string(), at(port)))
        }));
    }
    for target in pods(standing, contract, name) {
        let Place::Pod(index) = target.place else { continue };
        let pod = &standing.pods[index].pod;
        let ports =
            port.map_or_else(|| [pod.declared.clone(), pod.decoys.clone()].concat(), |p| vec![p]);
        let at = |port| (target.label.clone(), Destination { place: target.place, port });
        found.extend(ports.into_iter().map(at));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a/b:8000", "a/b", Some(Port::tcp(8000)))]
    #[case("a/b:53/UDP", "a/b", Some(Port::udp(53)))]
    #[case("a/b", "a/b", None)]
    #[case("10.0.0.1:443", "10.0.0.1", Some(Port::tcp(443)))]
    #[case("fd00::1", "fd00::1", None)]
    #[case("[fd00::1]:443", "fd00::1", Some(Port::tcp(443)))]
    fn reads_a_target(#[case] text: &str, #[case] name: &str, #[case] port: Option<Port>) {
        assert_eq!(split_port(text), Ok((name, port)));
    }
}
