//! Organisations of tenants, and the stores that keep them apart.

use std::collections::BTreeSet;

use partywall_core::data_source::data_sources;
use partywall_core::document::{Item, Node, documents};
use partywall_core::event::NotJudged;

use super::tenants::Tenant;
use super::workloads::Workloads;
use crate::blame::fixes_several_orgs;
use crate::render::{Object, Rendered};
use crate::telemetry::texts_of;

/// What OpenTelemetry's exporters send along.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// What the stores tell tenants apart by.
const ORG_HEADER: &str = "X-Scope-OrgID";

/// An organisation, and where it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Org {
    pub(super) name: String,
    pub(super) because: String,
}

/// `namespace/service:port` of each store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stores {
    pub(super) logs: Option<String>,
    pub(super) metrics: Option<String>,
    /// Whether a collector has an organisation for each of several receivers.
    pub(super) by_receiver: bool,
    /// The namespace in which Grafana is given data sources that lead to a store.
    pub(super) data_sources: Option<String>,
}

/// The organisation of a tenant.
pub(super) fn org(
    rendered: &Rendered,
    workloads: &Workloads<'_>,
    tenant: &Tenant,
    notes: &mut Vec<NotJudged>,
) -> Org {
    let sent = sent(workloads, tenant);
    let written = written(rendered, tenant);
    let (found, because) = match (sent.is_empty(), written.is_empty()) {
        (false, _) => (sent, format!("{HEADERS} of its workloads")),
        (true, false) => (written, "`tenantId` of its values".to_string()),
        (true, true) => {
            let because = "no workload says its organisation: this is its own name".to_string();
            return Org { name: tenant.name.clone(), because };
        }
    };
    if found.len() > 1 {
        let all: Vec<&str> = found.iter().map(String::as_str).collect();
        notes.push(NotJudged {
            subject: format!("tenant {}", tenant.name),
            reason: format!("its workloads name several organisations: {}", all.join(", ")),
            location: None,
        });
    }
    Org { name: found.into_iter().next().unwrap_or_default(), because }
}

fn sent(workloads: &Workloads<'_>, tenant: &Tenant) -> BTreeSet<String> {
    let own = tenant.namespaces.iter().flat_map(|name| workloads.in_namespace(name));
    let headers = own.flat_map(|workload| workload.environment.clone());
    let headers = headers.filter(|(name, _)| *name == HEADERS);
    let pairs = headers.flat_map(|(_, value)| value.split(','));
    let orgs = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case(ORG_HEADER).then(|| value.trim().to_string())
    });
    orgs.filter(|org| !org.is_empty()).collect()
}

/// What the values say, where the chart cannot be had.
fn written(rendered: &Rendered, tenant: &Tenant) -> BTreeSet<String> {
    let maps =
        rendered.of_kind("ConfigMap").filter(|map| tenant.namespaces.contains(map.namespace()));
    let texts = maps.flat_map(|map| map.text_map(&["data"]).into_values());
    let parsed = texts
        .filter(|text| text.contains("tenantId"))
        .filter_map(|text| documents("values", &text).ok());
    let mut found = BTreeSet::new();
    parsed.flatten().for_each(|document| collect(&document.root, &mut found));
    found
}

fn collect(item: &Item, found: &mut BTreeSet<String>) {
    match &item.node {
        Node::Mapping(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value.text(&[])) {
                    ("tenantId", Some(text)) if !text.is_empty() => {
                        found.insert(text.to_string());
                    }
                    _ => collect(value, found),
                }
            }
        }
        Node::Sequence(items) => items.iter().for_each(|item| collect(item, found)),
        Node::Scalar(_) | Node::Null => {}
    }
}

/// The stores among the platform's Services; none where there is neither.
pub(super) fn stores(rendered: &Rendered, platform: &[String]) -> Option<Stores> {
    let store = |names: &[&str], usual: u64| {
        let services: Vec<&Object> = rendered
            .of_kind("Service")
            .filter(|service| platform.iter().any(|name| name == service.namespace()))
            .collect();
        let service = names.iter().find_map(|name| services.iter().find(|s| s.name() == *name))?;
        let ports: Vec<u64> = service
            .at(&["spec", "ports"])?
            .as_array()?
            .iter()
            .filter_map(|port| port["port"].as_u64())
            .collect();
        let port = ports.iter().find(|port| **port == usual).or(ports.first())?;
        Some(format!("{}/{}:{port}", service.namespace(), service.name()))
    };
    let logs = store(&["loki", "loki-gateway", "loki-distributor"], 3100);
    let metrics = store(&["mimir", "mimir-nginx", "mimir-gateway", "mimir-distributor"], 9009);
    let known: Vec<&String> = logs.iter().chain(&metrics).collect();
    let data_sources = provisioned(rendered, platform, &known);
    (!known.is_empty()).then(|| Stores {
        logs: logs.clone(),
        metrics: metrics.clone(),
        by_receiver: fixes_several_orgs(&rendered.sources),
        data_sources,
    })
}

/// The namespace of the platform that has data sources for one of these stores.
fn provisioned(rendered: &Rendered, platform: &[String], stores: &[&String]) -> Option<String> {
    let objects = ["ConfigMap", "Secret"].into_iter().flat_map(|kind| rendered.of_kind(kind));
    let mut objects = objects.filter(|one| platform.iter().any(|name| name == one.namespace()));
    let leads = |object: &&Object| {
        let texts = texts_of(object).into_iter().filter_map(|given| given.text);
        texts
            .flat_map(|text| data_sources(&object.label(), &text))
            .any(|source| stores.iter().any(|store| source.leads_to(object.namespace(), store)))
    };
    objects.find(leads).map(|object| object.namespace().to_string())
}
