//! Which line decides a tenant's organisation.

use partywall_core::Layout;
use partywall_core::contract::Tenant;
use partywall_core::document::{Item, Node};
use partywall_core::event::Blame;
use partywall_core::source::SourceLocation;

use super::pipeline;
use crate::landing::overlays;

/// The key in a chart's values from which the organisation's header is rendered.
const TENANT_ID: &str = "tenantId";
/// The header itself, where a layout writes it out.
const HEADER: &str = "X-Scope-OrgID";

/// The line that sends a tenant's telemetry to an organisation: a collector's for another
/// receiver than the tenant's, a wrong one of its own, then a
/// collector that does not pass on what it was sent, a store without tenancy, and at last the
/// tenant's own right one.
pub fn org(layout: &Layout, tenant: &Tenant) -> Option<Blame> {
    if let Some(mapped) = pipeline::mapped(layout, tenant) {
        return Some(mapped);
    }
    let (wrong, right): (Vec<_>, Vec<_>) =
        own(layout, tenant).into_iter().partition(|one| one.org != tenant.org);
    let (name, org) = (&tenant.name, &tenant.org);
    if let Some(wrong) = wrong.into_iter().next() {
        let because = format!(
            "{name} sends as `{}`; the contract says its organisation is `{org}`",
            wrong.org
        );
        return Some(Blame { location: wrong.location, because });
    }
    let because = format!(
        "{name}'s organisation is set here, as the contract says; the cause lies after it: in the \
         chart's header, the collector or the store"
    );
    let passed_on = pipeline::collector(layout).or_else(|| pipeline::single_tenant(layout));
    let right = right.into_iter().next();
    passed_on.or_else(|| right.map(|right| Blame { location: right.location, because }))
}

/// Every line of a tenant's own files that names an organisation.
fn own(layout: &Layout, tenant: &Tenant) -> Vec<Found> {
    let mut found = Vec::new();
    let folders: Vec<String> =
        tenant.namespaces.iter().flat_map(|namespace| overlays(layout, namespace)).collect();
    for document in &layout.documents {
        let file = &document.location.file;
        let in_overlay = folders.iter().any(|folder| file.starts_with(&format!("{folder}/")));
        if in_overlay || tenant.namespaces.iter().any(|own| layout.namespace_of(document) == own) {
            collect(file, &document.root, &mut found);
        }
    }
    found
}

struct Found {
    location: SourceLocation,
    org: String,
}

fn collect(file: &str, item: &Item, found: &mut Vec<Found>) {
    match &item.node {
        Node::Mapping(entries) => {
            for (key, value) in entries {
                match &value.node {
                    Node::Scalar(org) if key == TENANT_ID || key.eq_ignore_ascii_case(HEADER) => {
                        let location = SourceLocation::new(file, value.line);
                        found.push(Found { location, org: org.clone() });
                    }
                    _ => collect(file, value, found),
                }
            }
        }
        Node::Sequence(items) => items.iter().for_each(|item| collect(file, item, found)),
        Node::Scalar(text) => {
            if let Some(org) = header_value(text) {
                let location = SourceLocation::new(file, item.line);
                found.push(Found { location, org: org.to_string() });
            }
        }
        Node::Null => {}
    }
}

/// `customer-a` of `X-Scope-OrgID=customer-a,other=1`.
fn header_value(text: &str) -> Option<&str> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case(HEADER));
    named.next().map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::wrong(
        "openWebui:\n  config:\n    telemetry:\n      tenantId: customer-b\n",
        "c/a/values.yaml:4 customer-a sends as `customer-b`; the contract says its organisation is `customer-a`"
    )]
    #[case::header(
        "tenantId: customer-a\nextraEnv:\n- name: H\n  value: X-Scope-OrgID=other,x=1\n",
        "c/a/values.yaml:4 customer-a sends as `other`; the contract says its organisation is `customer-a`"
    )]
    #[case::right(
        "tenantId: customer-a\n",
        "c/a/values.yaml:1 customer-a's organisation is set here, as the contract says; the cause lies after it: in the chart's header, the collector or the store"
    )]
    #[case::nowhere("other: 1\n", "none")]
    fn names_the_line(#[case] values: &str, #[case] expected: &str) {
        let files = [
            ("c/a/kustomization.yaml", "namespace: customer-a\n"),
            ("c/a/values.yaml", values),
            ("c/b/kustomization.yaml", "namespace: customer-b\n"),
            ("c/b/values.yaml", "tenantId: customer-b\n"),
        ];
        let files = files.map(|(path, text)| (path.to_string(), text.to_string())).into();
        let layout = Layout::new(files).unwrap();
        let tenant = Tenant {
            name: "customer-a".to_string(),
            namespaces: vec!["customer-a".to_string()],
            org: "customer-a".to_string(),
            secrets: None,
        };
        let said = org(&layout, &tenant)
            .map_or("none".to_string(), |blame| format!("{} {}", blame.location, blame.because));
        assert_eq!(said, expected);
    }
}
