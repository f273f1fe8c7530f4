//! What is said of a change, in the order in which it matters, once for text and Markdown.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::event::{Blame, Defect};
use partywall_core::source::SourceLocation;

use super::group::{Group, group};
use super::model::{Change, Flow};
use super::names::each_of;
use crate::failures::{clean_defect, clean_location};
use crate::not_judged::grouped;
use crate::text::{clean, counted, replace_words};

/// Entries of one kind.
pub(super) struct Section {
    pub title: &'static str,
    /// Whether it takes the layout away from its contract.
    pub is_bad: bool,
    pub entries: Vec<Entry>,
}

/// One line, where it comes from, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub text: String,
    pub places: Vec<SourceLocation>,
    pub because: String,
}

/// The sections that are not empty: first what the contract does not foresee.
pub(super) fn sections(change: &Change) -> Vec<Section> {
    let opened = |contracted| flows(&change.opened, contracted);
    let closed = |contracted| flows(&change.closed, contracted);
    let secrets = |contracted| of_secrets(change, contracted);
    let orgs = |contracted| of_orgs(change, contracted);
    let added = change.defects_added.iter().map(defect).collect();
    let removed = change.defects_removed.iter().map(defect).collect();
    let all = [
        ("opens what the contract does not allow", true, opened(false)),
        ("closes what the contract promises", true, closed(true)),
        ("secrets that are not kept as the contract has it", true, secrets(false)),
        ("telemetry that arrives where the contract does not have it", true, orgs(false)),
        ("new defects of the layout", true, added),
        ("opens, as the contract allows", false, opened(true)),
        ("closes what the contract does not allow", false, closed(false)),
        ("secrets, as the contract has it", false, secrets(true)),
        ("telemetry, as the contract has it", false, orgs(true)),
        ("defects that are gone", false, removed),
        ("not judged, so nothing is known of its change", true, unknown(change)),
    ];
    let section = |(title, is_bad, entries)| Section { title, is_bad, entries };
    all.into_iter().map(section).filter(|section| !section.entries.is_empty()).collect()
}

/// What the change comes to, in one line.
pub(super) fn headline(change: &Change) -> String {
    let revisions = clean(&format!("{}..{}", change.base, change.head));
    let unknown = counted(change.not_judged.len(), "part");
    if change.is_empty() {
        return match change.not_judged.len() {
            0 => format!(
                "{revisions}: nothing changes: flows, secrets, organisations and defects are as they were"
            ),
            _ => {
                format!("{revisions}: nothing changes in what is judged, but {unknown} not judged")
            }
        };
    }
    let foreign = change.opened.iter().filter(|flow| !flow.contracted).count();
    let mut opened = format!("opens {}", counted(change.opened.len(), "flow"));
    if foreign > 0 {
        opened.push_str(&format!(" ({foreign} against the contract)"));
    }
    let parts = [
        (change.opened.len(), opened),
        (change.closed.len(), format!("closes {}", counted(change.closed.len(), "flow"))),
        (change.secrets.len(), counted(change.secrets.len(), "secret")),
        (change.orgs.len(), counted(change.orgs.len(), "organisation")),
        (change.defects_added.len(), counted(change.defects_added.len(), "new defect")),
        (change.defects_removed.len(), counted(change.defects_removed.len(), "mended defect")),
        (change.not_judged.len(), format!("{unknown} not judged")),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text);
    format!("{revisions}: {}", parts.collect::<Vec<_>>().join(", "))
}

fn flows(all: &[Flow], contracted: bool) -> Vec<Entry> {
    let entry = |group: Group| {
        let ports = match group.ports.as_str() {
            "" => "every port",
            ports => ports,
        };
        let count = match group.count {
            1 => String::new(),
            count => format!(" ({})", counted(count, "flow")),
        };
        Entry {
            text: format!("{} → {} on {ports}{count}", group.from, group.to),
            places: group.places.into_iter().collect(),
            because: group.because,
        }
    };
    let of_kind = all.iter().filter(|flow| flow.contracted == contracted);
    group(of_kind).into_iter().map(entry).collect()
}

/// What changed for one tenant, with its name taken out, so that others can be the same.
struct OfTenant {
    tenant: String,
    text: String,
    general: String,
    because: Option<Blame>,
}

impl OfTenant {
    fn new(tenant: &str, text: &str, because: Option<&Blame>) -> Self {
        let (tenant, text) = (clean(tenant), clean(text));
        let general = replace_words(&text, |word| (word == tenant).then_some("<tenant>"));
        Self { tenant, text, general, because: because.cloned() }
    }
}

fn of_secrets(change: &Change, contracted: bool) -> Vec<Entry> {
    let of_kind = change.secrets.iter().filter(|secret| secret.contracted == contracted);
    by_tenant(of_kind.map(|secret| {
        let states = states(secret.before.as_deref(), secret.after.as_deref());
        let text = format!("{}: {states}", secret.subject);
        OfTenant::new(&secret.tenant, &text, secret.because.as_ref())
    }))
}

fn of_orgs(change: &Change, contracted: bool) -> Vec<Entry> {
    let of_kind = change.orgs.iter().filter(|org| org.contracted == contracted);
    by_tenant(of_kind.map(|org| {
        let name = |org: Option<&str>| org.map(|org| format!("org {org}"));
        let (before, after) = (name(org.before.as_deref()), name(org.after.as_deref()));
        let states = states(before.as_deref(), after.as_deref());
        let text = format!("{}: {states}", org.signal);
        OfTenant::new(&org.tenant, &text, org.because.as_ref())
    }))
}

fn states(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (None, Some(after)) => format!("new: {after}"),
        (Some(before), None) => format!("gone: {before}"),
        _ => format!("{} → {}", before.unwrap_or_default(), after.unwrap_or_default()),
    }
}

fn by_tenant(all: impl Iterator<Item = OfTenant>) -> Vec<Entry> {
    let mut alike: BTreeMap<(String, String), Vec<OfTenant>> = BTreeMap::new();
    for item in all {
        let because = item.because.as_ref().map(|blame| clean(&blame.because));
        let because = replace_words(&because.unwrap_or_default(), |word| {
            (word == item.tenant).then_some("<tenant>")
        });
        alike.entry((item.general.clone(), because)).or_default().push(item);
    }
    let entry = |((general, because), items): ((String, String), Vec<OfTenant>)| {
        let tenants: BTreeSet<&str> = items.iter().map(|item| item.tenant.as_str()).collect();
        let blames = || items.iter().filter_map(|item| item.because.as_ref());
        let places: BTreeSet<SourceLocation> =
            blames().map(|blame| clean_location(&blame.location)).collect();
        let (text, because) = match (tenants.len(), items.first()) {
            (1, Some(only)) => {
                (only.text.clone(), blames().next().map(|blame| clean(&blame.because)))
            }
            _ => (general, Some(because)),
        };
        Entry {
            text: format!("{}: {text}", each_of(&tenants)),
            places: places.into_iter().collect(),
            because: because.unwrap_or_default(),
        }
    };
    alike.into_iter().map(entry).collect()
}

fn defect(defect: &Defect) -> Entry {
    let defect = clean_defect(defect);
    Entry {
        text: format!("{}: {}", defect.name, defect.object),
        places: defect.location.into_iter().collect(),
        because: defect.summary,
    }
}

fn unknown(change: &Change) -> Vec<Entry> {
    let groups = grouped(change.not_judged.iter()).into_iter();
    let entry = |group: Vec<partywall_core::event::NotJudged>| {
        let subjects: BTreeSet<&str> = group.iter().map(|item| item.subject.as_str()).collect();
        Entry {
            text: each_of(&subjects),
            places: group.iter().filter_map(|item| item.location.clone()).collect(),
            because: group.first().map(|item| item.reason.clone()).unwrap_or_default(),
        }
    };
    groups.map(entry).collect()
}
