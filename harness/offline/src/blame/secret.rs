//! Which line gives a secret to somebody who should not have it.

use partywall_core::Layout;
use partywall_core::contract::Tenant;
use partywall_core::document::{Document, Item, Node};
use partywall_core::event::Blame;
use partywall_core::layout::is_yaml;
use partywall_core::source::SourceLocation;
use regex::Regex;

use crate::scan::join;
use crate::sops::{self, Recipient};

/// The file with the creation rules of SOPS.
const RULES: &str = ".sops.yaml";

/// The line of a tenant's sealed files that breaks the promise: a readable value, a recipient
/// whom the contract does not list, a recipient who is missing, a key shared with a file of
/// somebody else, or a Kustomization that does not open it.
pub fn secret(layout: &Layout, tenant: &Tenant) -> Option<Blame> {
    let secrets = tenant.secrets.as_ref()?;
    let mut files = secrets.files.iter().filter_map(|file| Some((file, layout.files.get(file)?)));
    files.find_map(|(file, text)| {
        let recipients = match sops::recipients(file, text) {
            Ok(recipients) => recipients,
            Err(error) => return Some(unreadable(layout, tenant, file, &error)),
        };
        readable(file, text)
            .or_else(|| foreign(layout, tenant, file, &recipients))
            .or_else(|| missing(layout, tenant, file, &recipients))
            .or_else(|| shared(layout, tenant, &recipients))
            .or_else(|| not_opened(layout, tenant, file))
    })
}

/// The Kustomization of Flux that takes the file in and does not open it, or not with the key
/// that the contract names.
fn not_opened(layout: &Layout, tenant: &Tenant, file: &str) -> Option<Blame> {
    let takes_in = |document: &&Document| {
        let path = document.root.text(&["spec", "path"]).map(|path| join("", path));
        document.kind() == "Kustomization"
            && path.is_some_and(|path| {
                file.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'))
            })
    };
    let kustomization = layout.documents.iter().find(takes_in)?;
    let name = kustomization.name();
    let key = ["spec", "decryption", "secretRef", "name"];
    let expected = tenant.secrets.as_ref()?.key_secret.rsplit('/').next()?;
    let (location, because) = match kustomization.root.text(&key) {
        None => (
            kustomization.locate(&["spec"]),
            format!("Kustomization {name} has no `decryption`, so {file} stays sealed"),
        ),
        Some(other) if other != expected => (
            kustomization.locate(&key),
            format!(
                "Kustomization {name} opens {file} with `{other}`, the contract says `{expected}`"
            ),
        ),
        Some(_) => return None,
    };
    Some(Blame { location, because })
}

fn unreadable(layout: &Layout, tenant: &Tenant, file: &str, error: &sops::OpenError) -> Blame {
    let location = SourceLocation::new(file, 1);
    let name = &tenant.name;
    let rule =
        rule_for(layout, file).map_or(String::new(), |rule| format!(" (rule: {})", place_of(rule)));
    let because = match error {
        sops::OpenError::NotSealed { .. } => {
            format!("the file of {name} is not sealed; run `sops encrypt --in-place {file}`{rule}")
        }
        other => format!("the file of {name} cannot be judged: {other}{rule}"),
    };
    Blame { location, because }
}

fn readable(file: &str, text: &str) -> Option<Blame> {
    let location = sops::readable_leaves(file, text).ok()?.into_iter().next()?;
    let because = format!("this value is not sealed; run `sops encrypt --in-place {file}`");
    Some(Blame { location, because })
}

fn foreign(
    layout: &Layout,
    tenant: &Tenant,
    file: &str,
    recipients: &[Recipient],
) -> Option<Blame> {
    let own = &tenant.secrets.as_ref()?.recipients;
    let foreign = recipients.iter().find(|recipient| !own.contains(&recipient.key))?;
    let rule = rule_for(layout, file).filter(|rule| names(rule, &foreign.key));
    let rule = rule.map_or(String::new(), |rule| format!("correct {}, then ", place_of(rule)));
    let (key, name) = (&foreign.key, &tenant.name);
    let because = format!(
        "sealed to {key}, which the contract does not list for {name}; {rule}run `sops updatekeys \
         {file}` and `sops rotate --in-place {file}`"
    );
    Some(Blame { location: foreign.location.clone(), because })
}

fn missing(
    layout: &Layout,
    tenant: &Tenant,
    file: &str,
    recipients: &[Recipient],
) -> Option<Blame> {
    let own = &tenant.secrets.as_ref()?.recipients;
    let absent =
        own.iter().find(|key| recipients.iter().all(|recipient| recipient.key != **key))?;
    let location = rule_for(layout, file).map_or_else(|| SourceLocation::new(file, 1), place_of);
    let name = &tenant.name;
    let because = format!("{file} is not sealed to {absent}, which the contract lists for {name}");
    Some(Blame { location, because })
}

/// One key for files of different folders: whoever has it opens both.
fn shared(layout: &Layout, tenant: &Tenant, recipients: &[Recipient]) -> Option<Blame> {
    let own_files = &tenant.secrets.as_ref()?.files;
    for (other, text) in &layout.files {
        if own_files.contains(other) || !is_yaml(other) || !sops::is_sealed(text) {
            continue;
        }
        let Ok(others) = sops::recipients(other, text) else {
            continue;
        };
        let both = recipients.iter().find(|own| others.iter().any(|one| one.key == own.key));
        if let Some(both) = both {
            let because =
                format!("the same key, {}, opens {other}; give each tenant its own", both.key);
            return Some(Blame { location: both.location.clone(), because });
        }
    }
    None
}

/// The creation rule that applies to a file: the first that matches, as SOPS reads them.
fn rule_for<'a>(layout: &'a Layout, file: &str) -> Option<&'a Item> {
    let document = layout.documents.iter().find(|one| one.location.file == RULES)?;
    document.root.items(&["creation_rules"]).iter().find(|rule| {
        let pattern = rule.text(&["path_regex"]).unwrap_or_default();
        Regex::new(pattern).is_ok_and(|regex| regex.is_match(file))
    })
}

/// Where a rule names its recipients.
fn place_of(rule: &Item) -> SourceLocation {
    SourceLocation::new(RULES, rule.at(&["age"]).map_or(rule.line, |age| age.line))
}

/// Whether a key stands anywhere in a rule.
fn names(item: &Item, key: &str) -> bool {
    match &item.node {
        Node::Scalar(text) => text.contains(key),
        Node::Sequence(items) => items.iter().any(|item| names(item, key)),
        Node::Mapping(entries) => entries.iter().any(|(_, item)| names(item, key)),
        Node::Null => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_core::contract::Secrets;

    const TYPES: &str = include_str!("../../tests/data/types.yaml");
    const TWO: &str = include_str!("../../tests/data/two-recipients.yaml");
    const OWNER: &str = "age1zh0cykdpdlvxe2hca0czk5j2fagqj4phkyda0v2wxfgy0gnvq30qdzae63";
    const OTHER: &str = "age1wnwl2ahlwptg4al685qchrxz258l39nudkh7cyqsd2q4krhdzu5q5ect25";

    fn said(files: &[(&str, &str)], recipients: &[&str]) -> String {
        let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
        let tenant = Tenant {
            name: "customer-a".to_string(),
            namespaces: vec!["a".to_string()],
            org: "a".to_string(),
            secrets: Some(Secrets {
                files: vec!["c/a/secrets.yaml".to_string()],
                recipients: recipients.iter().map(ToString::to_string).collect(),
                key_secret: "flux-system/k".to_string(),
            }),
        };
        secret(&Layout::new(files).unwrap(), &tenant)
            .map_or("none".to_string(), |blame| format!("{} {}", blame.location, blame.because))
    }

    fn rules() -> String {
        format!(
            "creation_rules:\n  - path_regex: b/secrets\n    age: x\n  - path_regex: secrets\\.yaml$\n    age: {OWNER},{OTHER}\n"
        )
    }

    #[test]
    fn names_what_is_wrong_with_a_sealed_file() {
        let rules = rules();
        let two = [(".sops.yaml", rules.as_str()), ("c/a/secrets.yaml", TWO)];
        insta::assert_snapshot!("foreign", said(&two, &[OWNER]));
        let one = [(".sops.yaml", rules.as_str()), ("c/a/secrets.yaml", TYPES)];
        insta::assert_snapshot!("missing", said(&one, &[OWNER, OTHER]));
        let shared = [("c/a/secrets.yaml", TYPES), ("c/b/secrets.yaml", TWO)];
        insta::assert_snapshot!("shared", said(&shared, &[OWNER]));
        let plain = [("c/a/secrets.yaml", "password: readable\n")];
        insta::assert_snapshot!("plain", said(&plain, &[OWNER]));
        let leaf = TYPES.replace("empty: \"\"", "empty: readable");
        insta::assert_snapshot!("leaf", said(&[("c/a/secrets.yaml", &leaf)], &[OWNER]));
    }

    #[test]
    fn a_file_as_the_contract_says_has_no_blame() {
        assert_eq!(said(&[("c/a/secrets.yaml", TYPES)], &[OWNER]), "none");
    }
}
