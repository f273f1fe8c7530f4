//! Which container of a tenant sends telemetry, and what its own files say of its organisation.

use partywall_core::contract::Tenant;
use partywall_core::document::{Item, Node};
use partywall_core::event::NotJudged;
use partywall_core::inventory::PodName;
use partywall_core::source::SourceLocation;

use super::container::Container;
use super::environment::{Environment, environment};
use super::estate::Telemetry;
use super::headers::ORG;
use super::settings::ENDPOINT;
use crate::landing::overlays;
use crate::render::Rendered;

/// A container with a telemetry endpoint in its environment.
pub(super) struct Sender<'a> {
    pub(super) container: Container<'a>,
    pub(super) pod: PodName,
    pub(super) environment: Environment,
}

/// Every sender of a tenant, in the order in which the live probe looks for one.
pub(super) fn senders<'a>(estate: &Telemetry<'a>, tenant: &Tenant) -> Vec<Sender<'a>> {
    let namespaces = tenant.namespaces.iter();
    let workloads = namespaces.flat_map(|namespace| estate.workloads(namespace));
    let mut found = Vec::new();
    for workload in workloads {
        for container in workload.containers() {
            let environment = environment(estate, &container);
            if environment.contains_key(ENDPOINT) {
                found.push(Sender { pod: workload.pod(), container, environment });
            }
        }
    }
    found.sort_by(|a, b| a.pod.cmp(&b.pod));
    found
}

/// The sender that the live probe would take.
pub(super) fn sender<'a>(estate: &Telemetry<'a>, tenant: &Tenant) -> Result<Sender<'a>, NotJudged> {
    senders(estate, tenant).into_iter().next().ok_or_else(|| NotJudged {
        subject: format!("tenant {}", tenant.name),
        reason: format!(
            "no workload of it has {ENDPOINT} in its environment, so that nothing says where its \
             telemetry goes"
        ),
        location: None,
    })
}

/// The line of a tenant's own files that names this organisation: `tenantId`, else the header
/// written out, else another key that speaks of a tenant or an organisation.
pub(super) fn written_org(
    rendered: &Rendered,
    tenant: &Tenant,
    org: &str,
) -> Option<SourceLocation> {
    let layout = &rendered.sources;
    let folders: Vec<String> =
        tenant.namespaces.iter().flat_map(|namespace| overlays(layout, namespace)).collect();
    let mut found: Vec<(u8, SourceLocation)> = Vec::new();
    for document in &layout.documents {
        let file = &document.location.file;
        let below = |folder: &String| {
            file.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let says = |own: &String| document.namespace() == Some(own);
        if folders.iter().any(below) || tenant.namespaces.iter().any(says) {
            collect(file, &document.root, "", org, &mut found);
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().next().map(|(_, location)| location)
}

fn collect(file: &str, item: &Item, key: &str, org: &str, found: &mut Vec<(u8, SourceLocation)>) {
    match &item.node {
        Node::Mapping(entries) => {
            entries.iter().for_each(|(key, value)| collect(file, value, key, org, found));
        }
        Node::Sequence(items) => items.iter().for_each(|item| collect(file, item, key, org, found)),
        Node::Scalar(text) => {
            if let Some(rank) = rank(key, text, org) {
                found.push((rank, SourceLocation::new(file, item.line)));
            }
        }
        Node::Null => {}
    }
}

/// How surely a scalar is where the organisation is written; lower is surer.
fn rank(key: &str, text: &str, org: &str) -> Option<u8> {
    let lower = key.to_ascii_lowercase();
    let mut pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let in_header =
        pairs.any(|(name, value)| name.trim().eq_ignore_ascii_case(ORG) && value.trim() == org);
    match lower.as_str() {
        "tenantid" | ORG if text == org => Some(0),
        _ if in_header => Some(1),
        _ if text == org && (lower.contains("tenant") || lower.contains("org")) => Some(2),
        _ => None,
    }
}
