//! Which tenants' keys open which files.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::observation::FileOpening;
use partywall_core::source::SourceLocation;

use super::error::OpenError;
use super::identity::Identities;
use super::open::{count, flux_opens, readable_leaves};
use super::tree;

/// Try every tenant's key (the text of its key file) on every one of these files, as Flux does:
/// what was changed after it was sealed still opens.
pub fn openings(
    layout: &Layout,
    files: &[String],
    keys: &BTreeMap<String, String>,
) -> Vec<FileOpening> {
    let parsed: Vec<(&String, Result<Identities, OpenError>)> =
        keys.iter().map(|(tenant, text)| (tenant, Identities::parse(text))).collect();
    files.iter().map(|file| opening(layout, file, &parsed)).collect()
}

type Keys<'a> = [(&'a String, Result<Identities, OpenError>)];

fn opening(layout: &Layout, file: &str, keys: &Keys<'_>) -> FileOpening {
    let mut opening = FileOpening {
        file: file.to_string(),
        opened_by: Vec::new(),
        refused: BTreeMap::new(),
        readable: Vec::new(),
        sealed: 0,
        strangers: Vec::new(),
    };
    let Some(text) = layout.files.get(file) else {
        let absent = "the layout has no such file".to_string();
        opening.refused = keys.iter().map(|(name, _)| (name.to_string(), absent.clone())).collect();
        return opening;
    };
    for (tenant, identities) in keys {
        let opened = identities.as_ref().map_err(Clone::clone);
        match opened.and_then(|identities| flux_opens(file, text, identities)) {
            Ok(()) => opening.opened_by.push(tenant.to_string()),
            Err(error) => {
                opening.refused.insert(tenant.to_string(), error.to_string());
            }
        }
    }
    (opening.readable, opening.sealed) = content(file, text);
    opening
}

/// What can be read in a file, and how many values are sealed. In a file that is not sealed at
/// all everything can be read.
fn content(file: &str, text: &str) -> (Vec<SourceLocation>, usize) {
    let Ok(documents) = tree::documents(file, text) else {
        return (vec![SourceLocation::new(file, 1)], 0);
    };
    let (everything, sealed) = count(file, &documents);
    (readable_leaves(file, text).unwrap_or(everything), sealed)
}
