//! Many flows in few lines: one mistake in a base opens hundreds.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::source::SourceLocation;

use super::model::Flow;
use super::names::{phrase, split};
use crate::failures::clean_location;
use crate::text::{clean, replace_words};

/// Flows that are one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub from: String,
    pub to: String,
    pub ports: String,
    /// Every line that makes the difference.
    pub places: BTreeSet<SourceLocation>,
    pub because: String,
    /// How many flows it stands for.
    pub count: usize,
}

/// A flow with clean texts.
struct Clean {
    from: String,
    to: String,
    ports: String,
    location: Option<SourceLocation>,
    because: String,
}

impl Clean {
    fn of(flow: &Flow) -> Self {
        let ports: Vec<String> = flow.ports.iter().map(|port| clean(port)).collect();
        let because = flow.because.as_ref();
        Self {
            from: clean(&flow.from),
            to: clean(&flow.to),
            ports: ports.join(", "),
            location: because.map(|blame| clean_location(&blame.location)),
            because: because.map(|blame| clean(&blame.because)).unwrap_or_default(),
        }
    }

    /// The reason without the namespaces that it names.
    fn general(&self) -> String {
        let ((from, _), (to, _)) = (split(&self.from), split(&self.to));
        replace_words(&self.because, |word| match word {
            "" => None,
            word if word == from => Some("<from>"),
            word if word == to => Some("<to>"),
            _ => None,
        })
    }
}

/// Namespaces of client and target.
type Pair<'a> = (&'a str, &'a str);
/// What may stand in one phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Within one namespace.
    Own,
    /// From a namespace, or from something in none; to a namespace, or to something in none.
    Apart { from: bool, to: bool },
}

impl Kind {
    fn of((from, to): Pair<'_>) -> Self {
        match from == to && !from.is_empty() {
            true => Self::Own,
            false => Self::Apart { from: from.is_empty(), to: to.is_empty() },
        }
    }
}

/// Workloads of client and target.
type Works<'a> = BTreeSet<(&'a str, &'a str)>;

/// Flows as lines, in the order of the first of each.
pub(super) fn group<'a>(flows: impl Iterator<Item = &'a Flow>) -> Vec<Group> {
    let all: Vec<Clean> = flows.map(Clean::of).collect();
    let mut alike: BTreeMap<(&str, String), Vec<&Clean>> = BTreeMap::new();
    for flow in &all {
        alike.entry((&flow.ports, flow.general())).or_default().push(flow);
    }
    alike.values().flat_map(|flows| of_one_reason(flows)).collect()
}

/// Flows of the same ports for the same reason.
fn of_one_reason(flows: &[&Clean]) -> Vec<Group> {
    let mut works_of: BTreeMap<Pair<'_>, Works<'_>> = BTreeMap::new();
    for flow in flows {
        let ((from_space, from), (to_space, to)) = (split(&flow.from), split(&flow.to));
        works_of.entry((from_space, to_space)).or_default().insert((from, to));
    }
    let mut pairs_of: BTreeMap<(Kind, Works<'_>), BTreeSet<Pair<'_>>> = BTreeMap::new();
    for (pair, works) in works_of {
        pairs_of.entry((Kind::of(pair), works)).or_default().insert(pair);
    }
    let mut groups = Vec::new();
    for ((kind, works), pairs) in &pairs_of {
        for (from_names, to_names) in blocks(works) {
            for spaces in spaces(pairs, *kind == Kind::Own) {
                groups.push(line(flows, &spaces, &from_names, &to_names));
            }
        }
    }
    groups
}

/// Which namespaces reach which.
enum Spaces<'a> {
    /// Each of them itself.
    Own(BTreeSet<&'a str>),
    /// Each of them every other.
    Others(BTreeSet<&'a str>),
    /// Each of the first every one of the second.
    All(BTreeSet<&'a str>, BTreeSet<&'a str>),
}

impl Spaces<'_> {
    fn contains(&self, from: &str, to: &str) -> bool {
        match self {
            Self::Own(all) => from == to && all.contains(from),
            Self::Others(all) => from != to && all.contains(from) && all.contains(to),
            Self::All(clients, targets) => clients.contains(from) && targets.contains(to),
        }
    }
}

fn spaces<'a>(pairs: &BTreeSet<Pair<'a>>, is_own: bool) -> Vec<Spaces<'a>> {
    let clients: BTreeSet<&str> = pairs.iter().map(|(from, _)| *from).collect();
    let targets: BTreeSet<&str> = pairs.iter().map(|(_, to)| *to).collect();
    if is_own && clients.len() > 1 {
        return vec![Spaces::Own(clients)];
    }
    let is_all_others = clients == targets && pairs.len() == clients.len() * (clients.len() - 1);
    if is_all_others && clients.len() > 1 && !is_own {
        return vec![Spaces::Others(clients)];
    }
    blocks(pairs).into_iter().map(|(clients, targets)| Spaces::All(clients, targets)).collect()
}

/// A relation as few blocks in which everything on the left stands with everything on the right.
fn blocks<'a>(relation: &BTreeSet<Pair<'a>>) -> Vec<(BTreeSet<&'a str>, BTreeSet<&'a str>)> {
    let mut left_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (left, right) in relation {
        left_of.entry(*right).or_default().insert(*left);
    }
    let mut right_of: BTreeMap<BTreeSet<&str>, BTreeSet<&str>> = BTreeMap::new();
    for (right, left) in left_of {
        right_of.entry(left).or_default().insert(right);
    }
    right_of.into_iter().collect()
}

fn line(
    flows: &[&Clean],
    spaces: &Spaces<'_>,
    from_names: &BTreeSet<&str>,
    to_names: &BTreeSet<&str>,
) -> Group {
    let is_member = |flow: &&&Clean| {
        let ((from_space, from), (to_space, to)) = (split(&flow.from), split(&flow.to));
        from_names.contains(from) && to_names.contains(to) && spaces.contains(from_space, to_space)
    };
    let members: Vec<&&Clean> = flows.iter().filter(is_member).collect();
    let names = || to_names.iter().copied().collect::<Vec<&str>>().join(", ");
    let (from, to) = match spaces {
        Spaces::Own(all) => (phrase(all, from_names), format!("{} of its own namespace", names())),
        Spaces::Others(all) => (phrase(all, from_names), format!("{} of each other", names())),
        Spaces::All(clients, targets) => (phrase(clients, from_names), phrase(targets, to_names)),
    };
    let reasons: BTreeSet<&str> = members.iter().map(|flow| flow.because.as_str()).collect();
    let because = match (reasons.len(), members.first()) {
        (1, Some(first)) => first.because.clone(),
        (_, Some(first)) => first.general(),
        _ => String::new(),
    };
    Group {
        from,
        to,
        ports: members.first().map(|flow| flow.ports.clone()).unwrap_or_default(),
        places: members.iter().filter_map(|flow| flow.location.clone()).collect(),
        because,
        count: members.len(),
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
