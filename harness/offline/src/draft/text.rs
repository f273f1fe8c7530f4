//! The text of a draft.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use partywall_core::port::Port;

use super::compose::Findings;
use super::endpoints::{At, Endpoint};
use super::flows::Flows;
use super::tenants::Tenant;

const HEAD: &str = "\
# A draft of the contract, written by `partywall init`. It says what is, not what was meant: a run that is judged
# by it never ends in `holds`. Read every part, correct it to what you mean, and remove the key `draft`.
apiVersion: partywall.dev/v1alpha1
kind: Contract
draft: true
";
const TENANTS: &str = "\
# Who is walled off from whom. Is each of them a tenant, and is none forgotten?
";
const PLATFORM: &str = "\
# Every other namespace of the layout. Is each of them the platform's?
";
const ENDPOINTS: &str = "\
# What a tenant could reach, with container ports. Whatever is in no flow is what a tenant must not reach.
";
const FLOWS: &str = "\
# What the policies allow today; everything else is denied. Is each of these meant?
";
const RECORDED: &str = "\
# Left to the cluster's implementation by Kubernetes: shown, and not judged.
recorded: [hairpin, node-to-own-pod]
";

/// The contract as text.
pub(super) fn written(findings: &Findings) -> String {
    let mut text = HEAD.to_string();
    tenants(&mut text, &findings.tenants);
    platform(&mut text, &findings.platform);
    endpoints(&mut text, &findings.endpoints);
    flows(&mut text, findings);
    stores(&mut text, findings);
    text.push_str(RECORDED);
    repositories(&mut text, findings);
    text
}

/// Adds a line. Writing to a text cannot fail.
fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(line);
    text.push('\n');
}

fn tenants(text: &mut String, tenants: &[Tenant]) {
    text.push_str(TENANTS);
    if tenants.is_empty() {
        text.push_str("# Nothing in the layout looks like a tenant: name them, or nothing is judged.\ntenants: []\n");
        return;
    }
    text.push_str("tenants:\n");
    for tenant in tenants {
        line(text, format_args!("  # {}", comment(&tenant.because)));
        line(text, format_args!("  - name: {}", scalar(&tenant.name)));
        line(text, format_args!("    namespaces: {}", list(&tenant.namespaces)));
        line(text, format_args!("    # {}", comment(&tenant.org.because)));
        line(text, format_args!("    org: {}", scalar(&tenant.org.name)));
        let Some(sealed) = &tenant.sealed else { continue };
        line(text, format_args!("    secrets:"));
        line(text, format_args!("      files: {}", list(&sealed.files)));
        line(text, format_args!("      recipients: {}", list(&sealed.recipients)));
        line(text, format_args!("      # {}", comment(&sealed.because)));
        line(text, format_args!("      keySecret: {}", scalar(&sealed.key_secret)));
    }
}

fn platform(text: &mut String, platform: &[String]) {
    text.push_str(PLATFORM);
    line(text, format_args!("platform: {}", list(platform)));
}

fn endpoints(text: &mut String, endpoints: &[Endpoint]) {
    text.push_str(ENDPOINTS);
    text.push_str("endpoints:\n");
    for endpoint in endpoints {
        line(text, format_args!("  # {}", comment(&endpoint.because)));
        let ports: Vec<String> = endpoint.ports.keys().map(Port::to_string).collect();
        let (ports, name) = (ports.join(", "), scalar(&endpoint.name));
        match &endpoint.at {
            At::Pods { namespace, labels } => {
                let (namespace, labels) = (scalar(namespace), mapping(labels));
                line(
                    text,
                    format_args!("  {name}: {{in: {namespace}, pods: {labels}, ports: [{ports}]}}"),
                );
            }
            At::Apiserver { control: false } => {
                line(text, format_args!("  {name}: {{entity: apiserver, ports: [{ports}]}}"));
            }
            At::Apiserver { control: true } => {
                line(
                    text,
                    format_args!(
                        "  {name}: {{entity: apiserver, ports: [{ports}], proof: control}}"
                    ),
                );
            }
            At::Node => {
                line(
                    text,
                    format_args!("  {name}: {{entity: node, ports: [{ports}], proof: control}}"),
                );
            }
        }
    }
}

fn flows(text: &mut String, findings: &Findings) {
    text.push_str(FLOWS);
    let (flows, tenants) = (&findings.flows, &findings.tenants);
    for name in &flows.open {
        let name = comment(name);
        line(
            text,
            format_args!(
                "# No egress policy holds back every pod of {name}: it reaches whatever lets it in."
            ),
        );
    }
    let lines = flow_lines(flows, tenants);
    if lines.is_empty() {
        text.push_str("flows: []\n");
        return;
    }
    text.push_str("flows:\n");
    for (from, to) in lines {
        line(text, format_args!("  - {{from: {}, to: {to}}}", scalar(&from)));
    }
}

/// What all tenants share first, then what some have besides.
fn flow_lines(flows: &Flows, tenants: &[Tenant]) -> Vec<(String, String)> {
    let names: BTreeSet<String> = tenants.iter().map(|tenant| tenant.name.clone()).collect();
    let none = BTreeSet::new();
    let to = |name: &String| flows.to.get(name).unwrap_or(&none);
    let mut shared: Option<BTreeSet<String>> = None;
    for name in &names {
        let own = to(name);
        shared = Some(shared.map_or_else(|| own.clone(), |shared| &shared & own));
    }
    let shared = shared.unwrap_or_default();
    let mut lines = Vec::new();
    let each = || "each-tenant".to_string();
    if !names.is_empty() && flows.among_themselves == names {
        lines.push((each(), "same-tenant".to_string()));
    } else {
        let some = flows.among_themselves.iter();
        lines.extend(some.map(|name| (name.clone(), "same-tenant".to_string())));
    }
    if !shared.is_empty() {
        lines.push((each(), list(&shared)));
    }
    for name in &names {
        let own: BTreeSet<String> = to(name) - &shared;
        if !own.is_empty() {
            lines.push((name.clone(), list(&own)));
        }
    }
    lines
}

fn stores(text: &mut String, findings: &Findings) {
    let Some(stores) = &findings.stores else {
        text.push_str("# telemetry: no Service of the platform is called loki or mimir.\n");
        return;
    };
    let (Some(logs), Some(metrics)) = (&stores.logs, &stores.metrics) else {
        let known = stores.logs.iter().chain(&stores.metrics).map(|one| comment(one));
        let known: Vec<String> = known.collect();
        line(
            text,
            format_args!(
                "# telemetry: only one store was found ({}), and the contract names two:",
                known.join(", ")
            ),
        );
        text.push_str("# telemetry: {logs: NAMESPACE/SERVICE:PORT, metrics: NAMESPACE/SERVICE:PORT, orgFrom: header}\n");
        return;
    };
    text.push_str("# `header` believes the sender; say `receiver` where the way that telemetry comes in decides its organisation.\n");
    let (logs, metrics) = (scalar(logs), scalar(metrics));
    let from = if stores.by_receiver { "receiver" } else { "header" };
    let sources =
        stores.data_sources.as_deref().map(|name| format!(", dataSources: {}", scalar(name)));
    let sources = sources.unwrap_or_default();
    line(
        text,
        format_args!("telemetry: {{logs: {logs}, metrics: {metrics}, orgFrom: {from}{sources}}}"),
    );
}

fn repositories(text: &mut String, findings: &Findings) {
    if findings.repositories.is_empty() {
        return;
    }
    text.push_str(
        "# Which folder stands for which Git repository when the layout is read from files.\n",
    );
    if findings.repositories.iter().any(|repository| repository.path.is_some()) {
        text.push_str("repositories:\n");
    } else {
        text.push_str("repositories: []\n");
    }
    for repository in &findings.repositories {
        let url = scalar(&repository.url);
        match &repository.path {
            Some(path) => line(text, format_args!("  - {{url: {url}, path: {}}}", scalar(path))),
            None => {
                line(
                    text,
                    format_args!(
                        "  # Say where its clone lies ({}):",
                        comment(&repository.because)
                    ),
                );
                line(text, format_args!("  # - {{url: {}, path: ../FOLDER}}", comment(&url)));
            }
        }
    }
}

fn list<'a>(items: impl IntoIterator<Item = &'a String>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| scalar(item)).collect();
    format!("[{}]", items.join(", "))
}

fn mapping(entries: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(key, value)| format!("{}: {}", scalar(key), scalar(value))).collect();
    format!("{{{}}}", entries.join(", "))
}

/// Words that YAML readers take for something else than text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A text that YAML reads as this text, quoted where it has to be.
fn scalar(text: &str) -> String {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '.');
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    // A colon within a word is no separator.
    let port = text
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    let plain = port.map_or(text, |(name, _)| name);
    let number = text.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    let word = WORDS.contains(&text.to_ascii_lowercase().as_str())
        || matches!(text.to_ascii_lowercase().as_str(), ".inf" | ".nan");
    if starts && plain.chars().all(inner) && !number && !word {
        return text.to_string();
    }
    quoted(text)
}

/// A text in double quotes. What is no letter, digit or plain sign is written by its number: YAML
/// readers differ in what they take for the end of a line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A text that ends no comment.
fn comment(text: &str) -> String {
    let plain = |c: char| matches!(c, ' '..='~') || c.is_alphanumeric();
    text.chars().map(|c| if plain(c) { c } else { ' ' }).collect()
}
