//! What there is: namespaces and pods, as policies see them.

use std::collections::BTreeMap;

use super::address::Address;
use super::ports::Protocol;

/// The label that the API server puts on every namespace. No file can override it.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Labels by key.
pub type Labels = BTreeMap<String, String>;

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Its name.
    pub name: String,
    /// Its labels; the one with its name need not be among them.
    pub labels: Labels,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The ports its containers declare.
    pub ports: Vec<ContainerPort>,
    /// Whether it has its node's address: then policies do not select it.
    pub host_network: bool,
    /// Its addresses.
    pub address: Address,
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerPort {
    /// The name policies may use, if it has one.
    pub name: Option<String>,
    /// Its number.
    pub number: u16,
    /// Its protocol.
    pub protocol: Protocol,
}
