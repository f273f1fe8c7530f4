//! The creation rules of SOPS.

use partywall_core::Layout;
use partywall_core::document::{Item, Node};
use partywall_core::layout::folder_of;
use partywall_core::source::SourceLocation;
use regex::Regex;

/// The file with the rules. SOPS takes the nearest one above a file.
const RULES: &str = ".sops.yaml";

/// Keys of a rule that list recipients, separated by commas.
const LISTS: [&str; 6] = ["age", "pgp", "kms", "gcp_kms", "azure_keyvault", "hc_vault_transit_uri"];

/// The rule by which SOPS would seal a file.
pub(crate) struct Rule {
    /// Where it begins.
    pub(crate) location: SourceLocation,
    /// Whom it names, and where.
    pub(crate) recipients: Vec<(String, SourceLocation)>,
    /// What it seals, where it says so.
    pub(crate) encrypted_regex: Option<(String, SourceLocation)>,
}

/// What the rules say of a file.
pub(crate) enum RuleFor {
    /// There are no rules above the file.
    NoRules,
    /// There are, in this file, and none is for it.
    NoMatch(String),
    /// The first that is.
    Found(Rule),
}

/// The rule for a file: the first that matches, as SOPS reads them.
pub(crate) fn rule_for(layout: &Layout, file: &str) -> RuleFor {
    let mut folder = folder_of(file);
    loop {
        let path = if folder.is_empty() { RULES.to_string() } else { format!("{folder}/{RULES}") };
        if let Some(found) = layout.documents.iter().find(|one| one.location.file == path) {
            // A pattern is matched against the path as seen from the rules' own folder.
            let relative = file.strip_prefix(folder).unwrap_or(file).trim_start_matches('/');
            let rules = found.root.items(&["creation_rules"]);
            return match rules.iter().find(|one| applies(one, relative)) {
                Some(found) => RuleFor::Found(rule(&path, found)),
                None => RuleFor::NoMatch(path),
            };
        }
        if folder.is_empty() {
            return RuleFor::NoRules;
        }
        folder = folder_of(folder);
    }
}

fn applies(rule: &Item, file: &str) -> bool {
    match rule.text(&["path_regex"]) {
        None | Some("") => true,
        Some(pattern) => Regex::new(pattern).is_ok_and(|regex| regex.is_match(file)),
    }
}

fn rule(path: &str, item: &Item) -> Rule {
    let place = |line: u64| SourceLocation::new(path, line);
    let mut recipients = Vec::new();
    for key in LISTS {
        let Some(list) = item.get(key) else { continue };
        for (text, line) in texts(list) {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            recipients.extend(names.map(|name| (name.to_string(), place(line))));
        }
    }
    for group in item.items(&["key_groups"]) {
        for (service, list) in group.entries(&[]) {
            let named = list.items(&[]).iter().filter_map(|one| group_name(service, one));
            recipients.extend(named.map(|(name, line)| (name, place(line))));
        }
    }
    for (name, _) in &mut recipients {
        // An AWS key may be followed by the role that uses it.
        if name.starts_with("arn:")
            && let Some((key, _)) = name.split_once('+')
        {
            *name = key.to_string();
        }
    }
    let regex = item.get("encrypted_regex").and_then(|regex| match &regex.node {
        Node::Scalar(text) => Some((text.clone(), place(regex.line))),
        _ => None,
    });
    Rule { location: place(item.line), recipients, encrypted_regex: regex }
}

/// A scalar, or the scalars of a list.
fn texts(item: &Item) -> Vec<(&str, u64)> {
    match &item.node {
        Node::Scalar(text) => vec![(text.as_str(), item.line)],
        Node::Sequence(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A recipient in a key group: a text, or a mapping with the key's address.
fn group_name(service: &str, item: &Item) -> Option<(String, u64)> {
    if let Node::Scalar(text) = &item.node {
        return Some((text.clone(), item.line));
    }
    let text = |key: &str| item.text(&[key]).unwrap_or_default();
    let name = match service {
        "azure_keyvault" => {
            format!("{}/keys/{}/{}", text("vaultUrl"), text("key"), text("version"))
        }
        _ => item.text(&["resource_id"]).or_else(|| item.text(&["arn"]))?.to_string(),
    };
    Some((name, item.line))
}
