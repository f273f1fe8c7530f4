//! A policy, with the API's defaults filled in and its rules of validation applied.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use super::address::AddressBlock;
use super::error::{FieldPath, PolicyError, Problem};
use super::labels;
use super::names;
use super::ports::{PortRange, Protocol};
use super::selector::Selector;
use super::spec::{self, Block, NumberOrName, RulePeer, RulePort, Spec};

const API_VERSION: &str = "networking.k8s.io/v1";
const KIND: &str = "NetworkPolicy";
const PORT_MAX: i64 = u16::MAX as i64;

/// Which way a rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// What leaves a pod.
    Egress,
    /// What comes to a pod.
    Ingress,
}

impl Direction {
    /// The key of its rules.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }

    /// The key of a rule's peers.
    pub const fn peers(self) -> &'static str {
        match self {
            Self::Egress => "to",
            Self::Ingress => "from",
        }
    }
}

/// A NetworkPolicy that the API server would accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The namespace of the pods it selects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it says. Tenants have their policies from one template, so equal ones are shared.
    pub terms: Arc<Terms>,
}

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The pods it selects.
    pub pods: Selector,
    /// What it lets out; nothing at all where it does not speak of egress.
    pub egress: Option<Vec<Rule>>,
    /// What it lets in; nothing at all where it does not speak of ingress.
    pub ingress: Option<Vec<Rule>>,
}

impl Deref for Policy {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.terms
    }
}

/// A rule: one of the peers on one of the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// With whom; none listed is everybody.
    pub peers: Vec<Peer>,
    /// On which ports; none listed is all.
    pub ports: Vec<PortRule>,
}

/// The party at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Pods of the policy's own namespace.
    Local {
        /// Which of them.
        pods: Selector,
    },
    /// Pods of namespaces.
    Namespaces {
        /// Which namespaces.
        namespaces: Selector,
        /// Which of their pods.
        pods: Selector,
    },
    /// Whoever has such an address.
    Block(AddressBlock),
}

/// Ports of one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRule {
    /// The protocol.
    pub protocol: Protocol,
    /// Its ports.
    pub ports: PortMatch,
}

/// Which ports of a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortMatch {
    /// These numbers.
    Numbers(PortRange),
    /// What the target's containers call so.
    Named(String),
}

impl Policy {
    /// Read a policy from JSON.
    ///
    /// # Errors
    /// What the API server would refuse, with the field.
    pub fn parse(value: &Value) -> Result<Self, PolicyError> {
        let (namespace, name) = head(value)?;
        let terms = Arc::new(Terms::parse(value.get("spec").unwrap_or(&Value::Null))?);
        Ok(Self { namespace, name, terms })
    }
}

impl Terms {
    fn parse(spec: &Value) -> Result<Self, PolicyError> {
        let at = FieldPath::new(["spec"]);
        let spec: Option<Spec> = spec::read(spec, &at)?;
        let spec = spec.unwrap_or_default();
        let directions = directions(&spec, &at)?;
        let pods =
            labels::selector(spec.pod_selector.unwrap_or_default(), &at.child("podSelector"))?;
        let ingress = spec.ingress.unwrap_or_default().into_iter();
        let ingress = rules(ingress.map(|rule| (rule.from, rule.ports)), Direction::Ingress, &at)?;
        let egress = spec.egress.unwrap_or_default().into_iter();
        let egress = rules(egress.map(|rule| (rule.to, rule.ports)), Direction::Egress, &at)?;
        Ok(Self {
            pods,
            egress: directions.contains(&Direction::Egress).then_some(egress),
            ingress: directions.contains(&Direction::Ingress).then_some(ingress),
        })
    }

    /// Its rules for a direction; `None` where it does not speak of it.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Egress => self.egress.as_deref(),
            Direction::Ingress => self.ingress.as_deref(),
        }
    }
}

/// Reads many policies, and equal specs among them once.
#[derive(Default)]
pub(super) struct PolicyReader {
    known: HashMap<Value, Arc<Terms>>,
}

impl PolicyReader {
    pub(super) fn read(&mut self, value: &Value) -> Result<Policy, PolicyError> {
        let (namespace, name) = head(value)?;
        let spec = value.get("spec").unwrap_or(&Value::Null);
        if let Some(terms) = self.known.get(spec) {
            return Ok(Policy { namespace, name, terms: Arc::clone(terms) });
        }
        let terms = Arc::new(Terms::parse(spec)?);
        self.known.insert(spec.clone(), Arc::clone(&terms));
        Ok(Policy { namespace, name, terms })
    }
}

/// The namespace and name of what is a policy of the API that is evaluated here.
fn head(value: &Value) -> Result<(String, String), PolicyError> {
    require_word(value, "apiVersion", API_VERSION)?;
    require_word(value, "kind", KIND)?;
    let name = metadata(value, "name")?;
    Ok((metadata(value, "namespace")?, name))
}

fn require_word(value: &Value, key: &str, expected: &'static str) -> Result<(), PolicyError> {
    match value.get(key).and_then(Value::as_str) {
        Some(found) if found == expected => Ok(()),
        Some(found) => {
            Err(Problem::NotSupported(found.to_string(), expected).at(FieldPath::new([key])))
        }
        None => Err(Problem::Required.at(FieldPath::new([key]))),
    }
}

fn metadata(value: &Value, key: &str) -> Result<String, PolicyError> {
    let found =
        value.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Value::as_str);
    found
        .filter(|text| !text.is_empty())
        .map(str::to_string)
        .ok_or_else(|| Problem::Required.at(FieldPath::new(["metadata", key])))
}

/// The directions a policy speaks of. Without `policyTypes` it is ingress, and egress where it
/// has such rules.
fn directions(spec: &Spec, at: &FieldPath) -> Result<Vec<Direction>, PolicyError> {
    let types = spec.policy_types.as_deref().unwrap_or_default();
    let at = at.child("policyTypes");
    if types.len() > 2 {
        return Err(Problem::TooManyTypes.at(at));
    }
    if types.is_empty() {
        let has_egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
        let egress = has_egress.then_some(Direction::Egress);
        return Ok(egress.into_iter().chain([Direction::Ingress]).collect());
    }
    let read = |(index, word): (usize, &String)| match word.as_str() {
        "Egress" => Ok(Direction::Egress),
        "Ingress" => Ok(Direction::Ingress),
        _ => Err(Problem::NotSupported(word.clone(), "Ingress or Egress").at(at.child(index))),
    };
    types.iter().enumerate().map(read).collect()
}

type RawRule = (Option<Vec<RulePeer>>, Option<Vec<RulePort>>);

fn rules(
    raw: impl Iterator<Item = RawRule>,
    direction: Direction,
    at: &FieldPath,
) -> Result<Vec<Rule>, PolicyError> {
    let read = |(index, (peers, ports)): (usize, RawRule)| {
        let at = at.child(direction.word()).child(index);
        let peers_at = at.child(direction.peers());
        let peers = peers.unwrap_or_default().into_iter().enumerate();
        let peers = peers.map(|(index, raw)| peer(raw, &peers_at.child(index)));
        let ports_at = at.child("ports");
        let ports = ports.unwrap_or_default().into_iter().enumerate();
        let ports = ports.map(|(index, raw)| port(raw, &ports_at.child(index)));
        Ok(Rule {
            peers: peers.collect::<Result<_, _>>()?,
            ports: ports.collect::<Result<_, _>>()?,
        })
    };
    raw.enumerate().map(read).collect()
}

fn peer(raw: RulePeer, at: &FieldPath) -> Result<Peer, PolicyError> {
    let RulePeer { pod_selector, namespace_selector, ip_block } = raw;
    if let Some(raw) = ip_block {
        if pod_selector.is_some() || namespace_selector.is_some() {
            return Err(Problem::BlockWithSelector.at(at.child("ipBlock")));
        }
        return Ok(Peer::Block(block(&raw, &at.child("ipBlock"))?));
    }
    if pod_selector.is_none() && namespace_selector.is_none() {
        return Err(Problem::EmptyPeer.at(at.clone()));
    }
    let pods = labels::selector(pod_selector.unwrap_or_default(), &at.child("podSelector"))?;
    match namespace_selector {
        None => Ok(Peer::Local { pods }),
        Some(raw) => {
            let namespaces = labels::selector(raw, &at.child("namespaceSelector"))?;
            Ok(Peer::Namespaces { namespaces, pods })
        }
    }
}

fn block(raw: &Block, at: &FieldPath) -> Result<AddressBlock, PolicyError> {
    let cidr = network(&raw.cidr, &at.child("cidr"))?;
    let mut except = Vec::new();
    for (index, text) in raw.except.iter().flatten().enumerate() {
        let at = at.child("except").child(index);
        let part = network(text, &at)?;
        if !cidr.contains(&part) || part.prefix_len() <= cidr.prefix_len() {
            let problem = Problem::ExceptOutside { except: text.clone(), cidr: raw.cidr.clone() };
            return Err(problem.at(at));
        }
        except.push(part);
    }
    Ok(AddressBlock { cidr, except })
}

fn network(text: &str, at: &FieldPath) -> Result<IpNet, PolicyError> {
    let parsed: Result<IpNet, _> = text.parse();
    // Bits after the prefix are allowed and mean nothing.
    parsed
        .map(|network| network.trunc())
        .map_err(|_| Problem::Cidr(text.to_string()).at(at.clone()))
}

fn port(raw: RulePort, at: &FieldPath) -> Result<PortRule, PolicyError> {
    let protocol = match raw.protocol {
        None => Protocol::Tcp,
        Some(word) => Protocol::from_word(&word).ok_or_else(|| {
            Problem::NotSupported(word, "TCP, UDP or SCTP").at(at.child("protocol"))
        })?,
    };
    let end_at = at.child("endPort");
    let ports = match (raw.port, raw.end_port) {
        (None, None) => PortMatch::Numbers(PortRange::every(protocol)),
        (None | Some(NumberOrName::Name(_)), Some(_)) => {
            return Err(Problem::EndWithoutNumber.at(end_at));
        }
        (Some(NumberOrName::Name(name)), None) => {
            if !names::is_port_name(&name) {
                return Err(Problem::PortName(name).at(at.child("port")));
            }
            PortMatch::Named(name)
        }
        (Some(NumberOrName::Number(port)), end) => {
            let first = port_number(port, &at.child("port"))?;
            let last = end.map_or(Ok(first), |end| {
                if end < port {
                    return Err(Problem::EndBeforePort { end, port }.at(end_at.clone()));
                }
                port_number(end, &end_at)
            })?;
            PortMatch::Numbers(PortRange { protocol, first, last })
        }
    };
    Ok(PortRule { protocol, ports })
}

fn port_number(number: i64, at: &FieldPath) -> Result<u16, PolicyError> {
    let within = (1..=PORT_MAX).contains(&number).then(|| u16::try_from(number).ok()).flatten();
    within.ok_or_else(|| Problem::PortNumber(number).at(at.clone()))
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
