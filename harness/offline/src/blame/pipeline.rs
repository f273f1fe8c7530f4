//! Which line of the collector or of a store loses or replaces an organisation.

use std::collections::BTreeSet;

use partywall_core::Layout;
use partywall_core::contract::Tenant;
use partywall_core::document::{Document, Item, Node};
use partywall_core::event::Blame;
use partywall_core::probe::{Forge, Signal};
use partywall_core::source::SourceLocation;

const HEADER: &str = "x-scope-orgid";

/// The switch of each store that makes it ask for an organisation.
const SWITCHES: [(Signal, &str); 2] =
    [(Signal::Log, "auth_enabled"), (Signal::Metric, "multitenancy_enabled")];

/// The line that makes a store answer without an organisation.
pub fn tenancy(layout: &Layout, store: Signal) -> Option<Blame> {
    let (_, switch) = SWITCHES.iter().find(|(signal, _)| *signal == store)?;
    layout.documents.iter().find_map(|document| switched_off(document, switch))
}

/// The line that lets a store be read as several organisations at once.
pub fn federation(layout: &Layout, store: Signal) -> Option<Blame> {
    let path: &[&str] = match store {
        Signal::Log => &["querier", "multi_tenant_queries_enabled"],
        Signal::Metric => &["tenant_federation", "enabled"],
    };
    let switched_on = |document: &Document| {
        let item = document.root.at(path)?;
        (item.node == Node::Scalar("true".to_string())).then(|| Blame {
            location: SourceLocation::new(document.location.file.clone(), item.line),
            because: format!(
                "`{}: true` lets whoever asks read several organisations at once",
                path.join(".")
            ),
        })
    };
    tenancy(layout, store).or_else(|| layout.documents.iter().find_map(switched_on))
}

/// Either store without tenancy: everything it takes is in one organisation.
pub(super) fn single_tenant(layout: &Layout) -> Option<Blame> {
    SWITCHES.iter().find_map(|(store, _)| tenancy(layout, *store))
}

fn switched_off(document: &Document, switch: &str) -> Option<Blame> {
    let item = document.root.get(switch)?;
    (item.node == Node::Scalar("false".to_string())).then(|| Blame {
        location: SourceLocation::new(document.location.file.clone(), item.line),
        because: format!("`{switch}: false` puts everything into one organisation and asks nobody"),
    })
}

/// A collector that sends under an organisation of its own choice, or forgets its clients'.
pub(super) fn collector(layout: &Layout) -> Option<Blame> {
    in_collectors(layout, &|root| {
        // One that has an organisation for each of several receivers chooses none for all.
        if orgs(root) > 1 {
            return None;
        }
        chosen(root).or_else(|| forgotten(root))
    })
}

/// Whether a collector of the layout has several organisations of its own, as one that gives each
/// tenant a receiver does.
pub(crate) fn fixes_several_orgs(layout: &Layout) -> bool {
    let several = |root: &Item| (orgs(root) > 1).then(|| (root.line, String::new()));
    in_collectors(layout, &several).is_some()
}

fn orgs(root: &Item) -> usize {
    fixed(root).map(|(_, org, _)| org).collect::<BTreeSet<_>>().len()
}

/// A pipeline for this tenant, by its name or its receiver's, that sends as another.
pub(super) fn mapped(layout: &Layout, tenant: &Tenant) -> Option<Blame> {
    in_collectors(layout, &|root| {
        let pipelines = root.entries(&["service", "pipelines"]).iter();
        let names = |list: &[Item]| {
            let names = list.iter().filter_map(|item| match &item.node {
                Node::Scalar(name) => Some(name.clone()),
                _ => None,
            });
            names.collect::<Vec<String>>()
        };
        let is_own = |name: &str| name.split('/').any(|part| part == tenant.name);
        let mut own = pipelines.filter(|(name, pipeline)| {
            is_own(name) || names(pipeline.items(&["receivers"])).iter().any(|name| is_own(name))
        });
        own.find_map(|(_, pipeline)| {
            let exporters = names(pipeline.items(&["exporters"]));
            let mut of_pipeline =
                fixed(root).filter(|(id, ..)| exporters.iter().any(|one| one == id));
            let (_, org, line) = of_pipeline.find(|(_, org, _)| *org != tenant.org)?;
            Some((line, format!("the collector sends what is {}'s as `{org}`", tenant.name)))
        })
    })
}

/// A store that asks nobody, or a collector that believes what its clients write; for what names
/// nobody, the organisation that it has for such.
pub fn believed(layout: &Layout, forge: Forge) -> Option<Blame> {
    let by_default = in_collectors(layout, &|root| {
        let line = line_of(root, &|key, value| key == "default_value" && !value.is_empty())?;
        Some((line, "the collector has an organisation for what names none".to_string()))
    });
    let passed_on = in_collectors(layout, &|root| {
        let line = line_of(root, &|key, value| {
            key == "from_context" && value.eq_ignore_ascii_case(HEADER)
        })?;
        Some((line, format!("the collector passes on its client's `{HEADER}`, and so believes it")))
    });
    let at_the_collector = if forge.names_another() { passed_on } else { by_default };
    single_tenant(layout).or(at_the_collector)
}

fn in_collectors(layout: &Layout, find: &dyn Fn(&Item) -> Option<Line>) -> Option<Blame> {
    let is_collector = |document: &&Document| {
        document.root.get("receivers").is_some() && document.root.get("exporters").is_some()
    };
    let mut collectors = layout.documents.iter().filter(is_collector);
    collectors.find_map(|document| {
        let (line, because) = find(&document.root)?;
        let location = SourceLocation::new(document.location.file.clone(), line);
        Some(Blame { location, because })
    })
}

/// Exporters with an organisation of their own: name, organisation, line.
fn fixed(root: &Item) -> impl Iterator<Item = (&str, &str, u64)> {
    root.entries(&["exporters"]).iter().flat_map(|(id, exporter)| {
        exporter.entries(&["headers"]).iter().filter_map(|(key, value)| match &value.node {
            Node::Scalar(org) if key.eq_ignore_ascii_case(HEADER) => {
                Some((id.as_str(), org.as_str(), value.line))
            }
            _ => None,
        })
    })
}

/// The first line with such a key and value.
fn line_of(item: &Item, is_it: &dyn Fn(&str, &str) -> bool) -> Option<u64> {
    match &item.node {
        Node::Mapping(entries) => entries.iter().find_map(|(key, value)| match &value.node {
            Node::Scalar(text) if is_it(key, text) => Some(value.line),
            _ => line_of(value, is_it),
        }),
        Node::Sequence(items) => items.iter().find_map(|item| line_of(item, is_it)),
        Node::Scalar(_) | Node::Null => None,
    }
}

type Line = (u64, String);

/// A `headers_setter` entry, or an exporter's header, with a fixed organisation.
fn chosen(item: &Item) -> Option<Line> {
    match &item.node {
        Node::Mapping(entries) => {
            let is_header = item.text(&["key"]).is_some_and(|key| key.eq_ignore_ascii_case(HEADER));
            let fixed = |key: &str, what: &str| {
                let value = item.get(key).filter(|_| is_header)?;
                let org = item.text(&[key])?;
                Some((value.line, format!("the collector sends {what} as `{org}`")))
            };
            let written = entries.iter().find_map(|(key, value)| match &value.node {
                Node::Scalar(org) if key.eq_ignore_ascii_case(HEADER) => {
                    Some((value.line, format!("the collector sends everything as `{org}`")))
                }
                _ => None,
            });
            fixed("value", "everything that passes here")
                .or_else(|| fixed("default_value", "what has lost its organisation"))
                .or(written)
                .or_else(|| entries.iter().find_map(|(_, value)| chosen(value)))
        }
        Node::Sequence(items) => items.iter().find_map(chosen),
        Node::Scalar(_) | Node::Null => None,
    }
}

/// A receiver that does not keep its clients' headers.
fn forgotten(root: &Item) -> Option<Line> {
    for (_, receiver) in root.entries(&["receivers"]) {
        for (protocol, settings) in receiver.entries(&["protocols"]) {
            if settings.text(&["include_metadata"]) != Some("true") {
                let because = format!(
                    "`{protocol}` lacks `include_metadata: true`, so the organisation's header is lost"
                );
                return Some((settings.line, because));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const RECEIVER: &str = "exporters: {}\nreceivers:\n  otlp:\n    protocols:\n      grpc:\n        endpoint: x\n        include_metadata: true\n";

    fn layout(text: &str) -> Layout {
        Layout::new([("c.yaml".to_string(), text.to_string())].into()).unwrap()
    }

    #[rstest]
    #[case::fixed(
        "extensions:\n  headers_setter:\n    headers:\n    - key: X-Scope-OrgID\n      value: a\n",
        "c.yaml:12 the collector sends everything that passes here as `a`"
    )]
    #[case::fallback(
        "e:\n  headers:\n  - key: x-scope-orgid\n    from_context: x\n    default_value: all\n",
        "c.yaml:12 the collector sends what has lost its organisation as `all`"
    )]
    #[case::exporter(
        "e:\n  headers:\n    X-Scope-OrgID: a\n",
        "c.yaml:10 the collector sends everything as `a`"
    )]
    #[case::passed_on("e:\n  headers:\n  - key: x-scope-orgid\n    from_context: x\n", "none")]
    fn names_the_line(#[case] more: &str, #[case] expected: &str) {
        let blame = collector(&layout(&format!("{RECEIVER}{more}")));
        let said =
            blame.map_or("none".to_string(), |one| format!("{} {}", one.location, one.because));
        assert_eq!(said, expected);
    }

    const SETTER: &str = "e:\n  headers:\n  - key: x-scope-orgid\n    from_context: X-Scope-OrgID\n    default_value: a\n";
    const MAPPED: &str = "service:\n  pipelines:\n    logs/a:\n      receivers: [otlp/a]\n      exporters: [o/a]\n    logs/b:\n      receivers: [otlp/b]\n      exporters: [o/b]\nreceivers: {}\nexporters:\n  o/a:\n    headers: {X-Scope-OrgID: a}\n  o/b:\n    headers: {X-Scope-OrgID: b}\n";

    #[rstest]
    #[case::right(MAPPED, "none")]
    #[case::swapped(
        &MAPPED.replace("exporters: [o/a]", "exporters: [o/b]"),
        "c.yaml:14 the collector sends what is a's as `b`"
    )]
    #[case::wrong(
        &MAPPED.replace("OrgID: a", "OrgID: c"),
        "c.yaml:12 the collector sends what is a's as `c`"
    )]
    fn a_wrong_mapping_is_named(#[case] text: &str, #[case] expected: &str) {
        let tenant = Tenant {
            name: "a".to_string(),
            namespaces: vec!["a".to_string()],
            org: "a".to_string(),
            secrets: None,
        };
        let said = mapped(&layout(text), &tenant)
            .map_or("none".to_string(), |one| format!("{} {}", one.location, one.because));
        assert_eq!(said, expected);
        assert_eq!(collector(&layout(MAPPED)), None);
        assert_eq!(believed(&layout(MAPPED), Forge::Other), None);
    }

    #[rstest]
    #[case::collector(Forge::Other, SETTER, Some(11))]
    #[case::nobody(Forge::Missing, SETTER, Some(12))]
    #[case::store(Forge::TwoValues, "---\nauth_enabled: false\n", Some(9))]
    #[case::nothing(Forge::Empty, "", None)]
    fn what_believes_a_client_is_named(
        #[case] forge: Forge,
        #[case] more: &str,
        #[case] line: Option<u64>,
    ) {
        let blame = believed(&layout(&format!("{RECEIVER}{more}")), forge);
        assert_eq!(blame.map(|blame| blame.location.line), line);
    }

    #[test]
    fn a_receiver_that_forgets_is_named() {
        let text = RECEIVER.replace("include_metadata: true", "include_metadata: false");
        assert_eq!(collector(&layout(&text)).unwrap().location.line, 6);
    }

    #[rstest]
    #[case("auth_enabled: false\n", Signal::Log, true)]
    #[case("auth_enabled: true\n", Signal::Log, false)]
    #[case("multitenancy_enabled: false\n", Signal::Metric, true)]
    #[case("auth_enabled: false\n", Signal::Metric, false)]
    fn a_store_without_tenancy_is_named(
        #[case] text: &str,
        #[case] store: Signal,
        #[case] expected: bool,
    ) {
        assert_eq!(tenancy(&layout(text), store).is_some(), expected);
    }
}
