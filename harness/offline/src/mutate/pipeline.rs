//! Telemetry: under whose organisation it is sent, carried on, and kept.

use partywall_core::Layout;
use partywall_core::contract::{OrgSource, Telemetry, Tenant};
use partywall_core::document::Document;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::catalogue::{METADATA_DROPPED, ORG_FIXED, ORG_SWAPPED, Operator, TENANCY_OFF};
use super::ground::{Ground, named, one};
use super::model::Generated;
use super::text::{Change, Text};
use crate::landing::overlays;

/// The key in a chart's values from which the organisation's header is rendered.
const TENANT_ID: &str = "tenantId";
/// The header itself.
const HEADER: &str = "X-Scope-OrgID";
/// The switch of each store that makes it ask for an organisation.
const SWITCHES: [&str; 2] = ["auth_enabled", "multitenancy_enabled"];

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    if ground.contract.telemetry.is_none() {
        return mutants;
    }
    // Where receivers decide, what a tenant writes into its header moves nothing.
    let by_header = |stores: &Telemetry| stores.org_from == OrgSource::Header;
    if ground.contract.telemetry.as_ref().is_some_and(by_header) {
        for tenant in &ground.contract.tenants {
            mutants.extend(swapped(ground, tenant));
        }
    }
    for document in &ground.layout.documents {
        let root = &document.root;
        if root.get("receivers").is_some() && root.get("exporters").is_some() {
            mutants.extend(collector(ground, document));
        }
        for switch in SWITCHES.iter().filter(|switch| root.text(&[switch]) == Some("true")) {
            let said = format!("`{switch}` of {} is off", document.location.file);
            let change = Change::Set(Value::Bool(false));
            mutants.extend(changed(ground, document, TENANCY_OFF, (&[*switch], &change), said));
        }
    }
    mutants
}

/// Every line of a tenant's own files that names its organisation.
fn swapped(ground: &Ground<'_>, tenant: &Tenant) -> Vec<Generated> {
    let Some(other) = ground.others(&tenant.name).next() else { return Vec::new() };
    let Some(org) = ground.contract.tenant(other).map(|other| other.org.clone()) else {
        return Vec::new();
    };
    let mut mutants = Vec::new();
    for document in own(ground.layout, tenant) {
        let Some((text, place)) = opened(ground, document) else { continue };
        let Some(value) = text.value(place) else { continue };
        let is_org = |key: &str, value: &Value| {
            (key == TENANT_ID || key.eq_ignore_ascii_case(HEADER))
                && value.as_str() == Some(tenant.org.as_str())
        };
        for path in paths(value, &is_org) {
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            let said = format!("{} sends as {org}", tenant.name);
            let change = Change::Set(Value::String(org.clone()));
            let part = (&steps[..], &change);
            let mutant = changed(ground, document, ORG_SWAPPED, part, said);
            let name = named(ORG_SWAPPED, &tenant.name, &steps.join("."));
            let about = vec![tenant.name.clone()];
            mutants.extend(mutant.map(|mutant| Generated { name, about, ..mutant }));
        }
    }
    mutants
}

/// Documents in a tenant's folders, and those that land in its namespaces.
fn own<'a>(layout: &'a Layout, tenant: &Tenant) -> Vec<&'a Document> {
    let folders: Vec<String> =
        tenant.namespaces.iter().flat_map(|namespace| overlays(layout, namespace)).collect();
    let is_own = |document: &&Document| {
        let file = &document.location.file;
        folders.iter().any(|folder| file.starts_with(&format!("{folder}/")))
            || tenant.namespaces.iter().any(|own| layout.namespace_of(document) == own)
    };
    layout.documents.iter().filter(is_own).collect()
}

/// What carries the organisation through the collector, each piece for itself.
fn collector(ground: &Ground<'_>, document: &Document) -> Vec<Generated> {
    let Some((text, place)) = opened(ground, document) else { return Vec::new() };
    let Some(value) = text.value(place) else { return Vec::new() };
    let file = &document.location.file;
    let mut mutants = Vec::new();
    for path in paths(value, &|key, value| key == "include_metadata" && *value == true) {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let said = format!("{file} does not keep the headers of its clients");
        let change = Change::Set(Value::Bool(false));
        let part = (&steps[..], &change);
        mutants.extend(changed(ground, document, METADATA_DROPPED, part, said));
    }
    for path in paths(value, &|key, _| key == "metadata_keys") {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let said = format!("{file} puts organisations into one batch");
        let part = (&steps[..], &Change::Remove);
        mutants.extend(changed(ground, document, METADATA_DROPPED, part, said));
    }
    mutants.extend(fixed(ground, document, value));
    for tenant in &ground.contract.tenants {
        mutants.extend(mapped(ground, document, value, tenant));
    }
    mutants
}

/// Every exporter that has a tenant's organisation fixed, with another's.
fn mapped(
    ground: &Ground<'_>,
    document: &Document,
    value: &Value,
    tenant: &Tenant,
) -> Vec<Generated> {
    let other = ground.others(&tenant.name).next().and_then(|name| ground.contract.tenant(name));
    let Some(org) = other.map(|other| other.org.clone()) else { return Vec::new() };
    let is_org = |key: &str, value: &Value| {
        key.eq_ignore_ascii_case(HEADER) && value.as_str() == Some(tenant.org.as_str())
    };
    let mut mutants = Vec::new();
    for path in paths(value, &is_org) {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let said = format!("the collector sends what is {}'s as {org}", tenant.name);
        let change = Change::Set(Value::String(org.clone()));
        let mutant = changed(ground, document, ORG_SWAPPED, (&steps, &change), said);
        let about = vec![tenant.name.clone()];
        mutants.extend(mutant.map(|mutant| Generated { about, ..mutant }));
    }
    mutants
}

/// The header by a fixed organisation in place of the sender's.
fn fixed(ground: &Ground<'_>, document: &Document, value: &Value) -> Vec<Generated> {
    let Some(tenant) = ground.contract.tenants.first() else { return Vec::new() };
    let is_header = |_: &str, value: &Value| {
        let key = value["key"].as_str().unwrap_or_default();
        key.eq_ignore_ascii_case(HEADER) && value["from_context"].is_string()
    };
    let mut mutants = Vec::new();
    for path in paths(value, &is_header) {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let action = path.iter().try_fold(value, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => value.get(step),
        });
        let mut header = action.cloned().unwrap_or_default();
        if let Some(entries) = header.as_object_mut() {
            entries.shift_remove("from_context");
            entries.insert("value".to_string(), Value::String(tenant.org.clone()));
        }
        let said = format!("{} sends everything as {}", document.location.file, tenant.org);
        let change = Change::Set(header);
        mutants.extend(changed(ground, document, ORG_FIXED, (&steps, &change), said));
    }
    mutants
}

fn opened(ground: &Ground<'_>, document: &Document) -> Option<(Text, usize)> {
    let text = ground.text(&document.location.file)?;
    let place = text.document_at(document.location.line)?;
    Some((text, place))
}

fn changed(
    ground: &Ground<'_>,
    document: &Document,
    operator: &'static Operator,
    (path, change): (&[&str], &Change),
    said: String,
) -> Option<Generated> {
    let (text, place) = opened(ground, document)?;
    let changed = text.change(place, path, change);
    let file = &document.location.file;
    let name = file.rsplit('/').next().unwrap_or(file);
    let name = name.trim_end_matches(".yaml").trim_end_matches(".yml");
    Some(Generated {
        name: named(operator, name, &path.join(".").replace('/', "-")),
        operator,
        change: said,
        location: SourceLocation::new(file, changed.as_ref().map_or(1, |one| one.line)),
        about: Vec::new(),
        files: changed.map(|changed| one(file, changed.text)),
    })
}

/// The paths of what is as asked for; an item of a list has its place as key.
fn paths(value: &Value, is_it: &dyn Fn(&str, &Value) -> bool) -> Vec<Vec<String>> {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        if is_it(&key, value) {
            found.push(vec![key.clone()]);
        }
        for below in paths(value, is_it) {
            found.push(std::iter::once(key.clone()).chain(below).collect());
        }
    }
    found
}
