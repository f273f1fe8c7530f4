//! From the host of a URL to the Service, the workload and the container behind it.

use std::collections::BTreeMap;

use partywall_core::event::NotJudged;
use partywall_core::observation::Outcome;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::container::{Container, Workload, not_judged};
use super::estate::Telemetry;
use crate::render::Object;

/// A Service may point at another name this many times.
const ALIASES_MAX: usize = 4;

/// The parts of a URL that decide where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Url {
    /// Read `http://host:port/path`; a scheme may be missing, as gRPC's endpoints allow.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let authority = rest.split('/').next()?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        (!host.is_empty()).then(|| Self { host: host.to_string(), port })
    }
}

/// An address without the password that may stand in it.
pub(super) fn shown(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..].find('/').map_or(text.len(), |at| start + at);
    match text[start..end].rfind('@') {
        Some(at) => format!("{}***{}", &text[..start], &text[start + at..]),
        None => text.to_string(),
    }
}

/// What stands behind a Service's port.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) service: &'a Object,
    pub(super) workload: Workload<'a>,
    pub(super) container: Container<'a>,
    /// The Service's port.
    pub(super) port: u16,
    /// The container's port.
    pub(super) target: u16,
}

/// Where a host leads.
pub(super) enum Found<'a> {
    At(Place<'a>),
    /// Nowhere: how the connection would end, why, and where that is written, if not where the
    /// address is.
    Nowhere(Outcome, String, Option<SourceLocation>),
}

/// Follow a host and port as a pod of `from` would.
pub(super) fn follow<'a>(
    estate: &Telemetry<'a>,
    from: &str,
    url: &Url,
) -> Result<Found<'a>, NotJudged> {
    let mut host = url.host.clone();
    for _ in 0..ALIASES_MAX {
        let (name, namespace) = split(estate, from, &host)?;
        let Some(service) = estate.find("Service", &namespace, &name) else {
            return missing(estate, &namespace, &name);
        };
        match service.text(&["spec", "externalName"]) {
            Some(alias) if service.text(&["spec", "type"]) == Some("ExternalName") => {
                host = alias.to_string();
            }
            _ => return behind(estate, service, url.port),
        }
    }
    Err(outside(&host, "its Services point at each other"))
}

/// Service and namespace of a host, by the search list that every pod has.
fn split(estate: &Telemetry<'_>, from: &str, host: &str) -> Result<(String, String), NotJudged> {
    let host = host.trim_end_matches('.');
    let bare = host.strip_suffix(".cluster.local").unwrap_or(host);
    let labels: Vec<&str> = bare.split('.').collect();
    match labels.as_slice() {
        [name] => Ok((name.to_string(), from.to_string())),
        [name, namespace, "svc"] => Ok((name.to_string(), namespace.to_string())),
        [name, namespace] if estate.find("Service", namespace, name).is_some() => {
            Ok((name.to_string(), namespace.to_string()))
        }
        [name, namespace] if !estate.workloads(namespace).is_empty() => {
            Ok((name.to_string(), namespace.to_string()))
        }
        _ => Err(outside(host, "it is no Service of the layout")),
    }
}

fn outside(host: &str, reason: &str) -> NotJudged {
    NotJudged {
        subject: format!("telemetry endpoint {host}"),
        reason: format!("{reason}: what happens there is not in the files"),
        location: None,
    }
}

/// A Service that is in no file resolves nowhere, unless it could be in what was not rendered.
fn missing<'a>(
    estate: &Telemetry<'a>,
    namespace: &str,
    name: &str,
) -> Result<Found<'a>, NotJudged> {
    let reason = format!("there is no Service {namespace}/{name}");
    match estate.rendered.not_judged.first() {
        None => Ok(Found::Nowhere(Outcome::Unresolved, reason, None)),
        Some(unknown) => Err(NotJudged {
            subject: format!("Service {namespace}/{name}"),
            reason: format!("it is not in the files; it may be in {}", unknown.subject),
            location: unknown.location.clone(),
        }),
    }
}

fn behind<'a>(
    estate: &Telemetry<'a>,
    service: &'a Object,
    port: u16,
) -> Result<Found<'a>, NotJudged> {
    let nowhere = |reason, location| Ok(Found::Nowhere(Outcome::Dropped, reason, location));
    let ports = service.at(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    let is_asked = |entry: &&Value| {
        entry["port"] == port && matches!(entry["protocol"].as_str(), None | Some("TCP"))
    };
    let Some(entry) = ports.into_iter().find(is_asked) else {
        return nowhere(format!("{} has no port {port}/TCP", service.label()), None);
    };
    let selector = service.text_map(&["spec", "selector"]);
    if selector.is_empty() {
        return Err(not_judged(service, "it has no selector, so that its pods are unknown"));
    }
    let all = estate.workloads(service.namespace());
    let selected: Vec<Workload<'_>> =
        all.iter().filter(|workload| matches(&selector, &workload.labels())).copied().collect();
    match selected.as_slice() {
        [] => {
            let selector = estate.rendered.locate(service, &["spec", "selector"]);
            nowhere(format!("no pod stands behind {}", service.label()), Some(selector))
        }
        [workload] => Ok(inside(service, *workload, port, &entry["targetPort"])),
        several => {
            let names: Vec<&str> = several.iter().map(|one| one.object.name()).collect();
            let names = names.join(", ");
            Err(not_judged(service, format!("several workloads stand behind it: {names}")))
        }
    }
}

fn matches(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The container that has the port: the one that declares it, else the only one or the first.
fn inside<'a>(service: &'a Object, workload: Workload<'a>, port: u16, target: &Value) -> Found<'a> {
    let containers = workload.containers();
    let named = |container: &Container<'_>| match target {
        Value::String(name) => container.named_port(name),
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        _ => Some(port),
    };
    let owner = containers.iter().find_map(|container| {
        let target = named(container)?;
        container.declares(target).then_some((*container, target))
    });
    let first = || containers.first().and_then(|first| Some((*first, named(first)?)));
    match owner.or_else(first) {
        Some((container, target)) => {
            Found::At(Place { service, workload, container, port, target })
        }
        None => {
            let reason = format!("{} has no port {target}", workload.object.label());
            Found::Nowhere(Outcome::Dropped, reason, Some(service.origin.clone()))
        }
    }
}
