//! Flows by the line that allows them.

use std::collections::BTreeMap;

use partywall_core::event::Defect;
use partywall_core::source::SourceLocation;

use super::findings::UNCONTRACTED_FLOW;
use crate::cluster::{OfflineCluster, Walls};
use crate::netpol::{PortSet, RuleMatch};

/// So many flows of a line are named beside the first, and the others counted.
const NAMED_MAX: usize = 3;

/// The line that allows a flow, and what stands there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opening {
    location: Option<SourceLocation>,
    /// `NetworkPolicy customer-a/allow-internal`.
    object: String,
    /// `this egress rule allows`.
    words: String,
}

impl Opening {
    /// A rule.
    pub(super) fn rule(walls: &Walls, rule: &RuleMatch) -> Self {
        let label = walls.policy(rule.place.policy).map_or("", |(label, _)| label);
        let words = format!("this {} rule allows", rule.place.direction.word());
        Self { location: walls.line(rule), object: label.to_string(), words }
    }

    /// A rule whose hole the other end's wall hides.
    pub(super) fn hidden(walls: &Walls, rule: &RuleMatch) -> Self {
        let words = format!(
            "only the other end's wall hides that this {} rule allows",
            rule.place.direction.word()
        );
        Self { words, ..Self::rule(walls, rule) }
    }

    /// A workload that no policy closes.
    pub(super) fn unprotected(cluster: &OfflineCluster<'_>, namespace: &str, name: &str) -> Self {
        let mut objects = cluster.rendered().objects.iter();
        let written = objects.find(|object| {
            object.namespace() == namespace
                && object.name() == name
                && object.pod_template().is_some()
        });
        Self {
            location: written.map(|object| object.origin.clone()),
            object: format!("{namespace}/{name}"),
            words: "no NetworkPolicy closes".to_string(),
        }
    }
}

/// The two ends of a flow, for people; those with addresses are named first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends {
    pub(super) are_pods: bool,
    pub(super) from: String,
    pub(super) to: String,
}

/// Flows with their ports.
type Flows = BTreeMap<Ends, PortSet>;

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<Opening, Flows>,
}

impl Ledger {
    /// Add a flow.
    pub(super) fn add(&mut self, opening: Opening, ends: Ends, ports: &PortSet) {
        let flows = self.entries.entry(opening).or_default();
        let known = flows.entry(ends).or_default();
        *known = known.union(ports);
    }

    /// Whether a line is in it already.
    pub(super) fn knows(&self, opening: &Opening) -> bool {
        let mut known = self.entries.keys();
        known.any(|one| {
            one.location == opening.location
                && one.object == opening.object
                && one.words != opening.words
        })
    }

    /// One for each line.
    pub(super) fn defects(self) -> Vec<Defect> {
        let defect = |(opening, flows): (Opening, Flows)| Defect {
            name: UNCONTRACTED_FLOW.to_string(),
            summary: format!(
                "{} what the contract does not list, {}: narrow the policy, or list the flow if it \
                 is meant",
                opening.words,
                first(&flows)
            ),
            object: opening.object,
            message: others(&flows),
            location: opening.location,
            behind: None,
        };
        self.entries.into_iter().map(defect).collect()
    }
}

/// `a/web to b/web on 9999/TCP`.
fn flow((ends, ports): (&Ends, &PortSet)) -> String {
    format!("{} to {} on {ports}", ends.from, ends.to)
}

fn first(flows: &Flows) -> String {
    flows.iter().next().map(flow).unwrap_or_default()
}

/// `also a/web to b/web on 9999/TCP; and 2 more`; nothing where the first is all.
fn others(flows: &Flows) -> String {
    let mut words: Vec<String> = flows.iter().skip(1).take(NAMED_MAX).map(flow).collect();
    if words.is_empty() {
        return String::new();
    }
    let left = flows.len().saturating_sub(1 + NAMED_MAX);
    if left > 0 {
        words.push(format!("and {left} more"));
    }
    format!("also {}", words.join("; "))
}
