//! Which line of the collector or of a store loses or replaces an organisation.

use partywall_core::Layout;
use partywall_core::document::{Document, Item, Node};
use partywall_core::event::Blame;
use partywall_core::probe::Signal;
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
    let is_collector = |document: &&Document| {
        document.root.get("receivers").is_some() && document.root.get("exporters").is_some()
    };
    let mut collectors = layout.documents.iter().filter(is_collector);
    collectors.find_map(|document| {
        let (line, because) = chosen(&document.root).or_else(|| forgotten(&document.root))?;
        let location = SourceLocation::new(document.location.file.clone(), line);
        Some(Blame { location, because })
    })
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
