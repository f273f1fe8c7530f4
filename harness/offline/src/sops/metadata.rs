//! The `sops` block of a file.

use partywall_core::source::SourceLocation;

use super::error::OpenError;
use super::rule::Rule;
use super::tree::{self, Item};

/// Somebody who may open a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The public key, `age1…`.
    pub key: String,
    /// Where the file names it.
    pub location: SourceLocation,
}

/// A recipient and the data key wrapped for it.
pub(super) struct Wrapped {
    pub(super) recipient: Recipient,
    pub(super) armor: String,
    pub(super) line: u64,
}

pub(super) struct Metadata {
    pub(super) wrapped: Vec<Wrapped>,
    pub(super) rule: Rule,
    /// Empty where there is none.
    pub(super) mac: String,
    /// The line of the MAC; that of the block where there is none.
    pub(super) mac_line: u64,
    pub(super) last_modified: String,
    pub(super) last_modified_line: u64,
    pub(super) mac_only_encrypted: bool,
}

impl Metadata {
    pub(super) fn read(file: &str, documents: &[Item]) -> Result<Self, OpenError> {
        let sops =
            block(documents).ok_or_else(|| OpenError::NotSealed { file: file.to_string() })?;
        if let Some(groups) = sops.get("key_groups").filter(|groups| !groups.items().is_empty()) {
            return Err(OpenError::unsupported(file, groups.line, "a file with key groups"));
        }
        let text = |key: &str| {
            let item = sops.get(key).and_then(|item| Some((item.line, item.text()?)));
            item.ok_or_else(|| {
                OpenError::malformed(file, sops.line, format!("the `sops` block has no `{key}`"))
            })
        };
        // Flux opens a file without one, so that only whoever checks it misses it.
        let mac = sops.get("mac").and_then(|item| Some((item.line, item.text()?)));
        let (mac_line, mac) = mac.unwrap_or((sops.line, ""));
        let (last_modified_line, last_modified) = text("lastmodified")?;
        Ok(Self {
            wrapped: wrapped(file, sops)?,
            rule: Rule::read(file, sops)?,
            mac: mac.to_string(),
            mac_line,
            last_modified: last_modified.to_string(),
            last_modified_line,
            mac_only_encrypted: sops.get("mac_only_encrypted").and_then(Item::text) == Some("True"),
        })
    }
}

/// Every document of a file carries the same block; the first one is read, as SOPS does.
fn block(documents: &[Item]) -> Option<&Item> {
    let sops = documents.first()?.get("sops")?;
    matches!(sops.value, tree::Value::Mapping(_)).then_some(sops)
}

fn wrapped(file: &str, sops: &Item) -> Result<Vec<Wrapped>, OpenError> {
    let Some(age) = sops.get("age") else {
        return Ok(Vec::new());
    };
    let read = |item: &Item| {
        let text = |key: &str| {
            item.get(key).and_then(|item| Some((item.line, item.text()?))).ok_or_else(|| {
                OpenError::malformed(file, item.line, format!("an age recipient has no `{key}`"))
            })
        };
        let (line, armor) = text("enc")?;
        let (key_line, key) = text("recipient")?;
        let location = SourceLocation::new(file, key_line);
        let recipient = Recipient { key: key.to_string(), location };
        Ok(Wrapped { recipient, armor: armor.to_string(), line })
    };
    age.items().iter().map(read).collect()
}

/// Whether a YAML text has a `sops` block at its top.
pub fn is_sealed(text: &str) -> bool {
    // A cheap look first: most files of a layout are not sealed, and need no parsing.
    text.lines().any(|line| line.starts_with("sops:"))
        && tree::documents("", text).is_ok_and(|documents| block(&documents).is_some())
}

/// Who may open a file. Needs no key.
pub fn recipients(file: &str, text: &str) -> Result<Vec<Recipient>, OpenError> {
    let documents = tree::documents(file, text)?;
    let metadata = Metadata::read(file, &documents)?;
    Ok(metadata.wrapped.into_iter().map(|wrapped| wrapped.recipient).collect())
}
