//! What was seen, and on what.

use std::collections::BTreeMap;
use std::fmt;

use partywall_offline::netpol::{Decision, NamespaceFacts, Place, PodFacts, Policies, Protocol};
use serde_json::Value;

use super::cases::Case;

/// Namespaces and pods that policies are put over.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// The namespaces, as they stand.
    pub namespaces: Vec<NamespaceFacts>,
    /// The pods, as they stand. Every agent listens on all of `ports`, by TCP and UDP.
    pub pods: Vec<PodFacts>,
    /// The ports that are asked about.
    pub ports: Vec<u16>,
}

/// One question: from a pod to a port of a pod, both by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Square {
    /// Who calls.
    pub from: usize,
    /// Who is called.
    pub to: usize,
    /// How.
    pub protocol: Protocol,
    /// On which port.
    pub port: u16,
}

/// What became of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The target answered.
    Reached,
    /// No answer, and the target's receipts do not have the question.
    Closed,
    /// No answer, although the target's receipts have the question: neither yes nor no.
    Half,
    /// The probe itself, or the reading of receipts, failed.
    Unanswered(String),
}

/// A square whose first answer was not what the evaluator says, and whose second was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// The square.
    pub square: Square,
    /// The first answer.
    pub first: Seen,
    /// Whether the first question went out from a port from which this square was reached in an
    /// earlier round: UDP has no beginning, and a node lets such packets pass as a part of the
    /// flow it still remembers.
    pub is_old_flow: bool,
}

/// Policies that stood at the same time, and what was seen under them.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// The policies.
    pub policies: Vec<Value>,
    /// The last answer of each square that was probed.
    pub seen: BTreeMap<Square, Seen>,
    /// Squares that were asked twice and agreed the second time.
    pub late: Vec<Late>,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Where.
    pub ground: Ground,
    /// The rounds, in their order.
    pub rounds: Vec<Round>,
    /// The rounds of policies by hand, by their places, and what they claim.
    pub cases: Vec<(usize, Case)>,
}

impl Evidence {
    /// Claims that the cluster did not keep, in words; empty where it kept all.
    pub fn broken_claims(&self) -> Vec<String> {
        let broken = self.cases.iter().flat_map(|(round, case)| {
            let seen = self.rounds.get(*round).map(|round| &round.seen);
            case.claims.iter().filter_map(move |(square, is_reached)| {
                let expected = if *is_reached { Seen::Reached } else { Seen::Closed };
                let seen = seen.and_then(|seen| seen.get(square));
                let told = seen.map_or("never asked".to_string(), ToString::to_string);
                let words = self.ground.words(*square);
                (seen != Some(&expected))
                    .then(|| format!("{}: {words}: {told}, and not {expected}", case.name))
            })
        });
        broken.collect()
    }
}

impl Ground {
    /// Put policies over these pods.
    pub fn policies(&self, policies: &[Value]) -> Policies {
        Policies::new(self.namespaces.clone(), self.pods.clone(), policies)
    }

    /// Every ordered pair of pods, a pod with itself included, on every port and protocol.
    pub fn squares(&self) -> Vec<Square> {
        let pods = 0..self.pods.len();
        let pairs = pods.clone().flat_map(|from| pods.clone().map(move |to| (from, to)));
        let ends = pairs.flat_map(|(from, to)| {
            let protocols = [Protocol::Tcp, Protocol::Udp].into_iter();
            protocols.flat_map(move |protocol| {
                self.ports.iter().map(move |port| Square { from, to, protocol, port: *port })
            })
        });
        ends.collect()
    }

    /// A square in words.
    pub fn words(&self, square: Square) -> String {
        let name = |place: usize| match self.pods.get(place) {
            Some(pod) => format!("{}/{}", pod.namespace, pod.name),
            None => format!("pod {place}"),
        };
        let Square { from, to, protocol, port } = square;
        format!("{} to {} {port}/{protocol}", name(from), name(to))
    }
}

impl Square {
    /// What the evaluator says.
    pub fn decide(self, policies: &Policies) -> Decision {
        policies.decide(Place::Pod(self.from), Place::Pod(self.to), self.protocol, self.port)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reached => write!(formatter, "reached"),
            Self::Closed => write!(formatter, "not reached"),
            Self::Half => write!(formatter, "arrived, but was not answered"),
            Self::Unanswered(detail) => write!(formatter, "no answer: {detail}"),
        }
    }
}
