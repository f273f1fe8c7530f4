//! Whether a rotation is done.

use std::collections::BTreeSet;

use partywall_core::Layout;
use partywall_core::source::SourceLocation;

use super::error::RotateError;
use super::model::{CONTRACT, Rotation};
use crate::sops::{Identities, OpenError, open};

/// Something that is not as it must be after a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub location: SourceLocation,
    /// What.
    pub message: String,
}

/// What is left to do: the files open with the new key and not with the old one, and files,
/// rules and contract name the same recipients. Without the old key, that it opens nothing is
/// told by the recipients alone.
pub fn verify(
    layout: &Layout,
    rotation: &Rotation,
    new: &Identities,
    old: Option<&Identities>,
) -> Result<Vec<Finding>, RotateError> {
    let mut findings = Vec::new();
    let names = |named: &[(String, SourceLocation)]| -> BTreeSet<String> {
        named.iter().map(|(name, _)| name.clone()).collect()
    };
    let contract = names(&rotation.contract);
    for sealed in &rotation.files {
        let text = layout.files.get(&sealed.file).map(String::as_str).unwrap_or_default();
        let place = sealed.recipients.first().map(|(_, place)| place.clone());
        let place = place.unwrap_or_else(|| SourceLocation::new(&sealed.file, 1));
        let mut found = |location: &SourceLocation, message: String| {
            findings.push(Finding { location: location.clone(), message });
        };
        if let Err(error) = open(&sealed.file, text, new) {
            found(&place, format!("the new key does not open the file: {error}"));
        }
        if let Some((_, at)) = sealed.recipients.iter().find(|(name, _)| *name == rotation.old) {
            found(at, "the file is still sealed to the old key".to_string());
        }
        match old.map(|old| open(&sealed.file, text, old)) {
            None | Some(Err(OpenError::NoMatchingKey { .. })) => {}
            Some(Ok(_)) => found(&place, "the old key still opens the file".to_string()),
            Some(Err(error)) => found(&place, format!("with the old key: {error}")),
        }
        let own = names(&sealed.recipients);
        if own != contract {
            let at = rotation.contract.first().map(|(_, place)| place.clone());
            let at = at.unwrap_or_else(|| SourceLocation::new(CONTRACT, 1));
            let message = format!("the contract names other recipients than {}", sealed.file);
            found(&at, message);
        }
        if let Some((_, at)) = sealed.rule.first()
            && names(&sealed.rule) != own
        {
            found(at, format!("the rule names other recipients than {}", sealed.file));
        }
    }
    Ok(findings)
}
