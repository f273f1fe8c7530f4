//! What NetworkPolicies of `networking.k8s.io/v1` let through, from facts alone: no files, no
//! processes, no cluster.
//!
//! ```text
//! JSON ─► spec ─► Policy ┐
//! NamespaceFacts, PodFacts ┴► Policies ─► decide: one connection, with the rules that decide it
//!                                   └──► matrix: all connections, grouped by equal policies
//! ```
//!
//! Answers are yes, no, or unknown with a [`Doubt`]: what Kubernetes leaves to the network
//! plugin (host network, hairpin, nodes) and what no file says (addresses) is never guessed.
//!
//! A Service is resolved by the caller: policies see the port of the pod.

mod address;
mod answer;
mod class;
mod decide;
mod error;
mod facts;
mod generate;
mod join;
mod labels;
mod matrix;
mod names;
mod peers;
mod pieces;
mod policies;
mod policy;
mod ports;
mod selector;
mod spec;
mod synthetic;
mod world;

pub use address::{Address, AddressBlock};
pub use answer::{Answer, Doubt};
pub use decide::{Decision, Isolation, Place, RuleMatch, RulePlace, Side};
pub use error::{FieldPath, PolicyError, Problem};
pub use facts::{ContainerPort, Labels, NAMESPACE_NAME_LABEL, NamespaceFacts, PodFacts};
pub use generate::generate;
pub use matrix::{Connection, Matrix, PodSet};
pub use policies::{Policies, Refused};
pub use policy::{Direction, Peer, Policy, PortMatch, PortRule, Rule, Terms};
pub use ports::{PortRange, PortSet, Protocol};
pub use selector::{Requirement, Selector};
pub use synthetic::{Synthetic, synthetic};
