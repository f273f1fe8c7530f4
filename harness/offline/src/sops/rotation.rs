//! Rotating what a file is sealed with: recipients come and go, and the data key is made anew.
//!
//! Only sealed text goes in and comes out. Every line that says nothing of keys stays where it is,
//! and a file that was changed after it was sealed is refused: a rotation must not make it whole.

use std::collections::BTreeSet;

use age::x25519;
use regex::Regex;
use sha2::{Digest, Sha256, Sha512};

use super::cipher::{self, DataKey, ValueError};
use super::error::OpenError;
use super::identity::Identities;
use super::metadata::Metadata;
use super::open::open;
use super::rotation_lines::Lines;
use super::tree::{self, Item, Leaf};

/// The file with one more recipient of the same data key: what `sops updatekeys` does, which leaves
/// the time of the last change as it is.
pub fn with_recipient(
    file: &str,
    text: &str,
    identities: &Identities,
    recipient: &str,
) -> Result<String, OpenError> {
    let before = open(file, text, identities)?.leaf_hashes();
    let document = only_document(file, text)?;
    let metadata = Metadata::read(file, std::slice::from_ref(&document))?;
    if metadata.wrapped.iter().any(|wrapped| wrapped.recipient.key == recipient) {
        return Ok(text.to_string());
    }
    let key = cipher::data_key(file, &metadata, identities)?;
    let armor = wrapped(file, &key, recipient)?;
    let mut lines = Lines::new(file, text);
    let items = lines.recipients(&metadata)?;
    let last = items.last().ok_or_else(|| no_recipients(file))?;
    lines.insert_after(last, recipient, &armor);
    checked(file, lines.text(), identities, &before)
}

/// The file without one of its recipients. Whoever kept the data key still opens it: make a new
/// one before.
pub fn without_recipient(file: &str, text: &str, recipient: &str) -> Result<String, OpenError> {
    let document = only_document(file, text)?;
    let metadata = Metadata::read(file, std::slice::from_ref(&document))?;
    let keys: Vec<&str> =
        metadata.wrapped.iter().map(|wrapped| wrapped.recipient.key.as_str()).collect();
    let Some(place) = keys.iter().position(|key| *key == recipient) else {
        return Ok(text.to_string());
    };
    if keys.len() == 1 {
        let message = "its only recipient cannot be taken away: nobody could open it".to_string();
        let line = metadata.wrapped[place].recipient.location.line;
        return Err(OpenError::malformed(file, line, message));
    }
    let mut lines = Lines::new(file, text);
    let items = lines.recipients(&metadata)?;
    lines.remove(&items[place]);
    let new = lines.text();
    let left = super::metadata::recipients(file, &new)?;
    let is_right = left.len() + 1 == keys.len() && left.iter().all(|one| one.key != recipient);
    if is_right { Ok(new) } else { Err(unreadable(file)) }
}

/// The file under a data key of its own making, for the same recipients: what `sops rotate` does.
/// The MAC is sealed to the time of the change, which is now.
pub fn with_new_data_key(
    file: &str,
    text: &str,
    identities: &Identities,
) -> Result<String, OpenError> {
    let before = open(file, text, identities)?.leaf_hashes();
    let new = sealed_anew(file, text, identities, None)?;
    checked(file, new, identities, &before)
}

/// The file under a new data key with one value changed, by its path: `secrets.token`.
pub fn with_value(
    file: &str,
    text: &str,
    identities: &Identities,
    path: &str,
    value: &str,
) -> Result<String, OpenError> {
    let mut before = open(file, text, identities)?.leaf_hashes();
    let hash = Sha256::digest(value).iter().map(|byte| format!("{byte:02x}")).collect();
    if before.insert(path.to_string(), hash).is_none() {
        return Err(OpenError::malformed(file, 1, format!("there is no value `{path}`")));
    }
    let new = sealed_anew(file, text, identities, Some((path, value)))?;
    checked(file, new, identities, &before)
}

/// What comes out must open with the same keys and hold what went in.
fn checked(
    file: &str,
    new: String,
    identities: &Identities,
    expected: &std::collections::BTreeMap<String, String>,
) -> Result<String, OpenError> {
    match open(file, &new, identities) {
        Ok(opened) if opened.leaf_hashes() == *expected => Ok(new),
        _ => Err(unreadable(file)),
    }
}

/// As sops writes it: to the second, in UTC.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn unreadable(file: &str) -> OpenError {
    let message = "its `sops` block is not laid out as SOPS writes it, so that it cannot be \
                   rotated here";
    OpenError::malformed(file, 1, message)
}

fn no_recipients(file: &str) -> OpenError {
    OpenError::malformed(file, 1, "the file has no age recipient to rotate")
}

fn only_document(file: &str, text: &str) -> Result<Item, OpenError> {
    let mut documents = tree::documents(file, text)?;
    match (documents.pop(), documents.first()) {
        (Some(one), None) => Ok(one),
        (Some(more), Some(_)) => {
            Err(OpenError::unsupported(file, more.line, "rotating a file of several documents"))
        }
        (None, _) => Err(OpenError::NotSealed { file: file.to_string() }),
    }
}

fn wrapped(file: &str, key: &DataKey, recipient: &str) -> Result<String, OpenError> {
    let parsed: x25519::Recipient = recipient.parse().map_err(|reason| {
        OpenError::malformed(file, 1, format!("the recipient {recipient} is no age key: {reason}"))
    })?;
    let failed = |error: std::io::Error| OpenError::malformed(file, 1, error.to_string());
    cipher::wrapped(key, &parsed).map_err(failed)
}

fn sealed_anew(
    file: &str,
    text: &str,
    identities: &Identities,
    change: Option<(&str, &str)>,
) -> Result<String, OpenError> {
    let document = only_document(file, text)?;
    let metadata = Metadata::read(file, std::slice::from_ref(&document))?;
    refuse_other_services(file, &document)?;
    let old = cipher::data_key(file, &metadata, identities)?;
    let new = DataKey::fresh()?;
    let mut sealing = Sealing {
        file,
        metadata: &metadata,
        old: &old,
        new: &new,
        change,
        now: now(),
        hash: Sha512::new(),
        tokens: Vec::new(),
        places: BTreeSet::from([":".to_string()]),
    };
    if metadata.mac_only_encrypted {
        sealing.hash.update(Sha256::digest("sops"));
    }
    tree::leaves(&document, &mut |leaf| sealing.leaf(&leaf))?;
    sealing.comments(text)?;
    sealing.mac()?;
    let mut lines = Lines::new(file, &sealing.replaced(text)?);
    lines.modified(&metadata, &sealing.now)?;
    // From the last to the first, so that the places of the others stay.
    let items = lines.recipients(&metadata)?;
    for (item, one) in items.iter().zip(&metadata.wrapped).rev() {
        let armor = wrapped(file, &new, &one.recipient.key)?;
        lines.replace(item, &one.recipient.key, &armor);
    }
    Ok(lines.text())
}

/// Key services that are asked over the network, or by another program.
const SERVICES: [&str; 5] = ["kms", "gcp_kms", "azure_kv", "hc_vault", "pgp"];

/// A new data key would lock out whoever opens the file by another service: it cannot be wrapped
/// for them here.
fn refuse_other_services(file: &str, document: &Item) -> Result<(), OpenError> {
    let of_service = |name: &&str| document.get("sops").and_then(|sops| sops.get(name));
    let mut used = SERVICES.iter().filter_map(of_service);
    match used.find(|list| !list.items().is_empty()) {
        Some(list) => {
            let feature = "a new data key beside recipients of another key service";
            Err(OpenError::unsupported(file, list.line, feature))
        }
        None => Ok(()),
    }
}

struct Sealing<'a> {
    file: &'a str,
    metadata: &'a Metadata,
    old: &'a DataKey,
    new: &'a DataKey,
    change: Option<(&'a str, &'a str)>,
    /// The time of the change.
    now: String,
    hash: Sha512,
    /// What stands in the file, and what will.
    tokens: Vec<(String, String)>,
    /// Every place to which a comment may be sealed.
    places: BTreeSet<String>,
}

impl Sealing<'_> {
    fn leaf(&mut self, leaf: &Leaf<'_>) -> Result<(), OpenError> {
        for depth in 1..=leaf.keys.len() {
            self.places.insert(format!("{}:", leaf.keys[..depth].join(":")));
        }
        let seals = self.metadata.rule.seals(leaf.keys);
        let mut plain = leaf.text.to_string();
        if seals && leaf.is_text && !leaf.text.is_empty() {
            let place = format!("{}:", leaf.keys.join(":"));
            let opened = self.opened(&place, leaf.text, leaf.line)?;
            let is_changed = self.change.filter(|(path, _)| *path == leaf.path.join("."));
            let text = is_changed.map_or(opened.text, |(_, value)| value.to_string());
            self.token(&place, leaf.text, &text)?;
            if opened.is_comment {
                return Ok(());
            }
            plain = text;
        }
        if seals || !self.metadata.mac_only_encrypted {
            self.hash.update(plain.as_bytes());
        }
        Ok(())
    }

    fn opened(
        &self,
        place: &str,
        token: &str,
        line: u64,
    ) -> Result<cipher::OpenedValue, OpenError> {
        cipher::value(self.old, place, token).map_err(|error| {
            let what = match error {
                ValueError::NotSealed => "a value that should be sealed is readable",
                ValueError::Malformed(_) => "a sealed value is broken",
                ValueError::Refused => "a sealed value was moved or changed",
            };
            OpenError::malformed(self.file, line, what)
        })
    }

    fn token(&mut self, place: &str, token: &str, plain: &str) -> Result<(), OpenError> {
        let new = cipher::sealed(self.new, place, token, plain)?;
        self.tokens.push((token.to_string(), new));
        Ok(())
    }

    /// Comments are sealed to the mapping that they stand in, which the reader of YAML does not
    /// tell: every place of the file is tried.
    fn comments(&mut self, text: &str) -> Result<(), OpenError> {
        let sealed = Regex::new(r"ENC\[AES256_GCM,[^\]\s]*,type:comment\]").ok();
        for (index, line) in text.lines().enumerate() {
            for found in sealed.iter().flat_map(|sealed| sealed.find_iter(line)) {
                let token = found.as_str();
                if self.tokens.iter().any(|(known, _)| known == token) {
                    continue;
                }
                let mut opened = self.places.iter().filter_map(|place| {
                    let value = cipher::value(self.old, place, token).ok()?;
                    Some((place.clone(), value.text))
                });
                let what = "a sealed comment of an unknown place";
                let (place, plain) = opened
                    .next()
                    .ok_or_else(|| OpenError::unsupported(self.file, index as u64 + 1, what))?;
                self.token(&place, token, &plain)?;
            }
        }
        Ok(())
    }

    fn mac(&mut self) -> Result<(), OpenError> {
        let hash = std::mem::take(&mut self.hash).finalize();
        let plain: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        let (place, token) = (self.now.clone(), self.metadata.mac.clone());
        self.token(&place, &token, &plain)
    }

    fn replaced(&self, text: &str) -> Result<String, OpenError> {
        let mut new = text.to_string();
        for (from, to) in &self.tokens {
            if new.matches(from.as_str()).count() != 1 {
                return Err(unreadable(self.file));
            }
            new = new.replace(from.as_str(), to);
        }
        Ok(new)
    }
}
