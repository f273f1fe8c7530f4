//! Sealed files against the creation rules of SOPS.

use partywall_core::Layout;
use partywall_core::document::Node;
use partywall_core::event::Defect;
use partywall_core::source::SourceLocation;
use regex::Regex;

use super::decryption::sealed_files;
use super::findings::defect;
use super::rule::{Rule, RuleFor, rule_for};
use super::{ENCRYPTED_REGEX_INCOMPLETE, ENCRYPTED_REGEX_NOT_ANCHORED, RECIPIENT_NOT_IN_RULE};
use crate::secret::{SealedTo, sealed_to};

/// Keys of every object that Flux and Kustomize must be able to read.
const READ_BY_FLUX: [&str; 3] = ["apiVersion", "kind", "metadata"];
/// Keys of a Secret that they must be able to read as well.
const READ_IN_SECRETS: [&str; 3] = ["name", "namespace", "type"];
/// Where a Secret has its values.
const VALUES: [&str; 2] = ["data", "stringData"];

pub(super) fn findings(layout: &Layout) -> Vec<Defect> {
    let mut found: Vec<Defect> = Vec::new();
    for file in sealed_files(layout) {
        match rule_for(layout, file) {
            RuleFor::NoRules => {}
            RuleFor::NoMatch(rules) => {
                let summary = format!(
                    "no creation rule of {rules} is for the sealed file {file}, so nothing says \
                     who may open it; add a rule whose `path_regex` matches it"
                );
                let place = SourceLocation::new(file, 1);
                found.push(defect(RECIPIENT_NOT_IN_RULE, file, place, summary));
            }
            RuleFor::Found(rule) => {
                let recipients = sealed_to(layout, file);
                found.extend(too_many(file, &rule, &recipients));
                found.extend(missing(file, &rule, &recipients));
                let wrong = rule.encrypted_regex.as_ref();
                let wrong = wrong.and_then(|pattern| not_whole(pattern, false));
                found.extend(wrong.filter(|one| found.iter().all(|other| other != one)));
            }
        }
        let pattern = pattern_of(layout, file);
        found.extend(pattern.and_then(|(pattern, is_secret)| not_whole(&pattern, is_secret)));
    }
    found
}

/// A recipient of the file whom the rule does not name.
fn too_many(file: &str, rule: &Rule, recipients: &[SealedTo]) -> Option<Defect> {
    // A rule in a form that is not known here names nobody, and proves nothing.
    if rule.recipients.is_empty() {
        return None;
    }
    let named = |one: &SealedTo| rule.recipients.iter().any(|(name, _)| *name == one.name);
    let extra = recipients.iter().find(|one| !named(one))?;
    let summary = format!(
        "{file} is sealed to {}, whom its creation rule ({}) does not name; run `sops updatekeys \
         {file}` and then `sops rotate --in-place {file}`, or add the recipient to the rule",
        extra.name, rule.location
    );
    Some(defect(RECIPIENT_NOT_IN_RULE, file, extra.location.clone(), summary))
}

/// A recipient of the rule to whom the file is not sealed.
fn missing(file: &str, rule: &Rule, recipients: &[SealedTo]) -> Option<Defect> {
    let has = |name: &String| recipients.iter().any(|one| one.name == *name);
    let (name, place) = rule.recipients.iter().find(|(name, _)| !has(name))?;
    let summary = format!(
        "{file} is not sealed to {name}, whom its creation rule names; run `sops updatekeys \
         {file}`, or take the recipient out of the rule"
    );
    Some(defect(RECIPIENT_NOT_IN_RULE, file, place.clone(), summary))
}

/// What is wrong with a pattern, whoever gives it: it also matches what is around the values, or
/// only one of the two places in which a Secret has them.
fn not_whole((pattern, place): &(String, SourceLocation), is_secret: bool) -> Option<Defect> {
    let regex = Regex::new(pattern).ok()?;
    let is_sealed = |key: &&&str| regex.is_match(key);
    let of_secrets = READ_IN_SECRETS.iter().filter(|_| is_secret);
    if let Some(key) = READ_BY_FLUX.iter().chain(of_secrets).find(is_sealed) {
        let summary = format!(
            "`encrypted_regex: {pattern}` also matches `{key}`, which Flux must be able to read; \
             write `^(data|stringData)$`"
        );
        let file = place.file.clone();
        return Some(defect(ENCRYPTED_REGEX_NOT_ANCHORED, file, place.clone(), summary));
    }
    let left = VALUES.iter().find(|key| !regex.is_match(key))?;
    if !is_secret && VALUES.iter().find(is_sealed).is_none() {
        // It is for files that are no Secrets.
        return None;
    }
    let summary = format!(
        "`encrypted_regex: {pattern}` does not match `{left}`, so that what a Secret holds there \
         stays readable; write `^(data|stringData)$`"
    );
    Some(defect(ENCRYPTED_REGEX_INCOMPLETE, place.file.clone(), place.clone(), summary))
}

/// The pattern by which a file was sealed, and whether it is a Secret.
fn pattern_of(layout: &Layout, file: &str) -> Option<((String, SourceLocation), bool)> {
    let mut documents = layout.documents.iter().filter(|one| one.location.file == file);
    let document = documents.next()?;
    let item = document.root.at(&["sops", "encrypted_regex"])?;
    let Node::Scalar(pattern) = &item.node else { return None };
    let place = SourceLocation::new(file, item.line);
    Some(((pattern.clone(), place), document.kind() == "Secret"))
}

#[cfg(test)]
#[path = "recipients_tests.rs"]
mod tests;
