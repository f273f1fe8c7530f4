//! Secrets that are kept in another way: who can open each file, what in it is readable, and
//! whether and with which key Flux opens it.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::contract::{Contract, Tenant};
use partywall_core::event::Blame;
use partywall_core::layout::is_yaml;
use partywall_core::source::SourceLocation;

use super::end::{Both, End};
use super::model::SecretChange;
use crate::scan::readable_secrets;
use crate::secret::{SealedTo, carried, sealed_to};
use crate::sops::is_sealed;
use crate::wiring::Kustomization;

/// Whose a file is that is no tenant's.
const PLATFORM: &str = "platform";
/// How much of a key tells it from every other.
const KEY_START: usize = 14;
const KEY_END: usize = 6;

/// How one subject is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Keeping {
    tenant: String,
    /// In words, for people; equal words are no change.
    words: String,
    /// Whether the contract has it so.
    contracted: bool,
    /// What stands behind the words, with its lines.
    parts: Vec<(String, SourceLocation)>,
}

/// Every secret of both ends, compared.
pub(super) fn secrets(ends: Both<&End<'_>>) -> Vec<SecretChange> {
    let contracts = ends.map(|end| end.cluster.contract());
    let found = ends.map(|end| {
        let mut found = files(end, contracts);
        found.extend(openers(end, contracts));
        found
    });
    let subjects: BTreeSet<&String> = found.base.keys().chain(found.head.keys()).collect();
    let change = |subject: &String| {
        let Both { base, head } = found.as_ref().map(|all| all.get(subject));
        let words = |one: Option<&Keeping>| one.map(|one| one.words.clone());
        if words(base) == words(head) {
            return None;
        }
        let tenant = head.or(base)?.tenant.clone();
        let contracted = match head {
            Some(head) => head.contracted,
            None => is_dropped(contracts.head, subject),
        };
        Some(SecretChange {
            tenant,
            subject: subject.clone(),
            before: words(base),
            after: words(head),
            contracted,
            because: because(base, head),
        })
    };
    subjects.into_iter().filter_map(change).collect()
}

/// Whether the contract does not count on a file that is gone.
fn is_dropped(contract: &Contract, subject: &str) -> bool {
    let mut listed = contract.tenants.iter().filter_map(|tenant| tenant.secrets.as_ref());
    !listed.any(|secrets| secrets.files.iter().any(|file| file == subject))
}

/// A part that is new, else one that is gone.
fn because(base: Option<&Keeping>, head: Option<&Keeping>) -> Option<Blame> {
    let parts = |one: Option<&Keeping>| one.map(|one| one.parts.clone()).unwrap_or_default();
    let (before, after) = (parts(base), parts(head));
    let missing =
        |of: &[(String, SourceLocation)], text: &String| !of.iter().any(|(other, _)| other == text);
    let new = after.iter().find(|(text, _)| missing(&before, text));
    if let Some((text, place)) = new {
        return Some(Blame { location: place.clone(), because: text.clone() });
    }
    let (text, place) = before.iter().find(|(text, _)| missing(&after, text))?;
    let because = format!("before the change, and not after it: {text}");
    Some(Blame { location: place.clone(), because })
}

/// Files that are sealed, that a contract names, or in which a secret is readable.
fn files(end: &End<'_>, contracts: Both<&Contract>) -> BTreeMap<String, Keeping> {
    let contract = end.cluster.contract();
    let mut readable: BTreeMap<String, Vec<(String, SourceLocation)>> = BTreeMap::new();
    for (place, what) in readable_secrets(end.layout) {
        readable.entry(place.file.clone()).or_default().push((what, place));
    }
    let sealed = end.layout.files.iter().filter(|(file, text)| is_yaml(file) && is_sealed(text));
    let mut names: BTreeSet<&str> = sealed.map(|(file, _)| file.as_str()).collect();
    let listed = contract.tenants.iter().filter_map(|tenant| tenant.secrets.as_ref());
    let listed = listed.flat_map(|secrets| secrets.files.iter().map(String::as_str));
    names.extend(listed.filter(|file| end.layout.files.contains_key(*file)));
    names.extend(readable.keys().map(String::as_str));
    let keeping = |file: &str| {
        let findings = readable.get(file).cloned().unwrap_or_default();
        (file.to_string(), of_file(end, contracts, file, findings))
    };
    names.into_iter().map(keeping).collect()
}

fn of_file(
    end: &End<'_>,
    contracts: Both<&Contract>,
    file: &str,
    findings: Vec<(String, SourceLocation)>,
) -> Keeping {
    let recipients = sealed_to(end.layout, file);
    let owner = owner(contracts, file);
    let mut words: BTreeSet<String> = BTreeSet::new();
    words.extend(recipients.iter().map(|one| named(contracts, &one.name)));
    let mut text = match words.is_empty() {
        true => "not sealed".to_string(),
        false => format!("opened by {}", words.into_iter().collect::<Vec<_>>().join(" and ")),
    };
    for (what, count) in counted(&findings) {
        let times = if count == 1 { String::new() } else { format!(" ({count} times)") };
        text.push_str(&format!(", with {what}{times}"));
    }
    let part = |one: &SealedTo| (format!("{} can open it", one.name), one.location.clone());
    let mut parts: Vec<(String, SourceLocation)> = recipients.iter().map(part).collect();
    if parts.is_empty() {
        parts.push(("it is not sealed".to_string(), SourceLocation::new(file, 1)));
    }
    // A second finding of a kind is a part of its own.
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (what, place) in findings {
        let count = seen.entry(what.clone()).or_default();
        *count += 1;
        let number = if *count == 1 { String::new() } else { format!(" (number {count})") };
        parts.insert(0, (format!("{what}{number} stands here"), place));
    }
    let contracted = seen.is_empty() && is_as_contracted(end, file, &recipients);
    let tenant = owner.unwrap_or_else(|| PLATFORM.to_string());
    Keeping { tenant, words: text, contracted, parts }
}

/// Whether a file is sealed to those whom the contract lists, and to nobody else. Of a file that
/// it does not list it says nothing.
fn is_as_contracted(end: &End<'_>, file: &str, recipients: &[SealedTo]) -> bool {
    let found: BTreeSet<&str> = recipients.iter().map(|one| one.name.as_str()).collect();
    let tenants = end.cluster.contract().tenants.iter();
    let mut listing = tenants.filter_map(|tenant| tenant.secrets.as_ref());
    let Some(secrets) = listing.find(|secrets| secrets.files.iter().any(|one| one == file)) else {
        return true;
    };
    found == secrets.recipients.iter().map(String::as_str).collect()
}

fn counted(findings: &[(String, SourceLocation)]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for (what, _) in findings {
        *counts.entry(what.as_str()).or_default() += 1;
    }
    counts
}

/// The tenant whose contract lists a file, or whose name or namespace is one of its folders.
fn owner(contracts: Both<&Contract>, file: &str) -> Option<String> {
    let tenants = || [contracts.head, contracts.base].into_iter().flat_map(|one| &one.tenants);
    let lists = |tenant: &&Tenant| {
        let secrets = tenant.secrets.as_ref();
        secrets.is_some_and(|secrets| secrets.files.iter().any(|one| one == file))
    };
    let is_in = |tenant: &&Tenant| {
        let mut folders = file.split('/');
        folders.any(|part| part == tenant.name || tenant.namespaces.iter().any(|own| own == part))
    };
    let found = tenants().find(lists).or_else(|| tenants().find(is_in));
    found.map(|tenant| tenant.name.clone())
}

/// A recipient for people: short, and with those who list it.
fn named(contracts: Both<&Contract>, key: &str) -> String {
    let short = match key.len() > KEY_START + KEY_END + 8 && key.is_ascii() {
        true => format!("{}…{}", &key[..KEY_START], &key[key.len() - KEY_END..]),
        false => key.to_string(),
    };
    let lists = |tenant: &&Tenant| {
        let secrets = tenant.secrets.as_ref();
        secrets.is_some_and(|secrets| secrets.recipients.iter().any(|one| one == key))
    };
    let tenants = [contracts.base, contracts.head].into_iter().flat_map(|one| &one.tenants);
    let owners: BTreeSet<&str> = tenants.filter(lists).map(|tenant| tenant.name.as_str()).collect();
    match owners.is_empty() {
        true => format!("{short} (in no tenant's contract)"),
        false => format!("{short} ({})", owners.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// The Kustomizations that take in sealed files, and how they open them.
fn openers(end: &End<'_>, contracts: Both<&Contract>) -> BTreeMap<String, Keeping> {
    let (layout, rendered) = (end.layout, end.cluster.rendered());
    let sealed = layout.files.iter().filter(|(file, text)| is_yaml(file) && is_sealed(text));
    let files: Vec<&str> = sealed.map(|(file, _)| file.as_str()).collect();
    let mut found: BTreeMap<String, Keeping> = BTreeMap::new();
    for one in carried(layout, rendered, &files, |_| true) {
        let Some(kustomization) = Kustomization::of(rendered, one.object) else { continue };
        let label = kustomization.label();
        if found.contains_key(&label) {
            continue;
        }
        let secret = kustomization.key_secret();
        let words = match (kustomization.decrypts(), &secret) {
            (true, Some(secret)) => format!("opens its files with Secret {secret}"),
            (true, None) => "opens its files without a Secret of its own".to_string(),
            (false, _) => "does not open its files".to_string(),
        };
        let tenant = owner(contracts, one.file);
        let known = tenant.as_ref().and_then(|name| end.cluster.contract().tenant(name));
        let expected = known.and_then(|tenant| tenant.secrets.as_ref());
        let contracted = kustomization.decrypts()
            && expected.is_none_or(|secrets| Some(&secrets.key_secret) == secret.as_ref());
        let path: &[&str] = if kustomization.decrypts() {
            &["spec", "decryption", "secretRef", "name"]
        } else {
            &["spec"]
        };
        let place = rendered.locate(kustomization.0, path);
        let parts = vec![(format!("{label} {words}"), place)];
        let tenant = tenant.unwrap_or_else(|| PLATFORM.to_string());
        found.insert(label, Keeping { tenant, words, contracted, parts });
    }
    found
}
