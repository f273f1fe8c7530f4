//! Opening a file, and finding what in it is readable without.

use partywall_core::source::SourceLocation;
use sha2::{Digest, Sha256, Sha512};

use super::cipher::{self, DataKey, ValueError};
use super::error::OpenError;
use super::identity::Identities;
use super::metadata::Metadata;
use super::opened::{Opened, OpenedLeaf, path_name};
use super::tree::{self, Item, Leaf};

/// What was changed where the MAC of a whole file does not fit.
const WHOLE: &str = "the file";

/// Open a file with any of these keys, and check that it is what was sealed.
pub fn open(file: &str, text: &str, identities: &Identities) -> Result<Opened, OpenError> {
    let documents = tree::documents(file, text)?;
    let metadata = Metadata::read(file, &documents)?;
    let key = cipher::data_key(file, &metadata, identities)?;
    let mut opening =
        Opening { file, metadata: &metadata, key, hash: Sha512::new(), leaves: Vec::new() };
    if metadata.mac_only_encrypted {
        // SOPS begins with a constant where only sealed values count, so that the two kinds of
        // code always differ. The constant is the SHA-256 of its name.
        opening.hash.update(Sha256::digest("sops"));
    }
    for (index, document) in documents.iter().enumerate() {
        tree::leaves(document, &mut |leaf| opening.leaf(index, &leaf))?;
    }
    opening.check_mac()?;
    Ok(Opened::new(opening.leaves))
}

/// Whether Flux opens a file with any of these keys. It does not look at the MAC of the whole.
pub fn flux_opens(file: &str, text: &str, identities: &Identities) -> Result<(), OpenError> {
    match open(file, text, identities) {
        Ok(_) | Err(OpenError::BadMac { what: WHOLE, .. } | OpenError::MacMissing { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Where a file has its MAC.
pub(crate) fn mac_place(file: &str, text: &str) -> Result<SourceLocation, OpenError> {
    let documents = tree::documents(file, text)?;
    let metadata = Metadata::read(file, &documents)?;
    let location = SourceLocation::new(file, metadata.mac_line);
    if metadata.mac.is_empty() { Err(OpenError::MacMissing { location }) } else { Ok(location) }
}

/// Places of values that the file's own rule wants sealed and that anybody can read.
pub fn readable_leaves(file: &str, text: &str) -> Result<Vec<SourceLocation>, OpenError> {
    let documents = tree::documents(file, text)?;
    let metadata = Metadata::read(file, &documents)?;
    let mut readable = Vec::new();
    for document in &documents {
        tree::leaves(document, &mut |leaf: Leaf<'_>| {
            if metadata.rule.seals(leaf.keys) && is_readable(&leaf) {
                readable.push(SourceLocation::new(file, leaf.line));
            }
            Ok::<(), OpenError>(())
        })?;
    }
    Ok(readable)
}

/// The first readable value of a text, whatever a rule says.
pub(crate) fn first_value(file: &str, text: &str) -> Option<SourceLocation> {
    let documents = tree::documents(file, text).ok()?;
    count(file, &documents).0.into_iter().next()
}

/// Every readable value of a text, whatever a rule says, and how many values are sealed.
pub(super) fn count(file: &str, documents: &[Item]) -> (Vec<SourceLocation>, usize) {
    let (mut readable, mut sealed) = (Vec::new(), 0);
    for document in documents {
        let visited = tree::leaves(document, &mut |leaf: Leaf<'_>| {
            if leaf.is_text && cipher::looks_sealed(leaf.text) {
                sealed += 1;
            } else if is_readable(&leaf) {
                readable.push(SourceLocation::new(file, leaf.line));
            }
            Ok::<(), std::convert::Infallible>(())
        });
        match visited {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }
    (readable, sealed)
}

/// An empty text stays empty when SOPS seals it, and tells nothing.
fn is_readable(leaf: &Leaf<'_>) -> bool {
    let sealed = leaf.is_text && cipher::looks_sealed(leaf.text);
    !sealed && !leaf.text.is_empty()
}

struct Opening<'a> {
    file: &'a str,
    metadata: &'a Metadata,
    key: DataKey,
    hash: Sha512,
    leaves: Vec<OpenedLeaf>,
}

impl Opening<'_> {
    fn leaf(&mut self, document: usize, leaf: &Leaf<'_>) -> Result<(), OpenError> {
        let seals = self.metadata.rule.seals(leaf.keys);
        let (text, sealed) = if seals && !(leaf.is_text && leaf.text.is_empty()) {
            let opened = self.value(leaf)?;
            if opened.is_comment {
                return Ok(());
            }
            (opened.text, true)
        } else {
            (leaf.text.to_string(), false)
        };
        if seals || !self.metadata.mac_only_encrypted {
            self.hash.update(text.as_bytes());
        }
        let path = path_name(document, leaf.path);
        self.leaves.push(OpenedLeaf::new(path, text, sealed));
        Ok(())
    }

    fn value(&self, leaf: &Leaf<'_>) -> Result<cipher::OpenedValue, OpenError> {
        let malformed = |message: &str| OpenError::malformed(self.file, leaf.line, message);
        if !leaf.is_text {
            return Err(malformed("a value that should be sealed is readable"));
        }
        let place = format!("{}:", leaf.keys.join(":"));
        cipher::value(&self.key, &place, leaf.text).map_err(|error| match error {
            ValueError::NotSealed => malformed("a value that should be sealed is readable"),
            ValueError::Malformed(what) => malformed(&format!("the sealed value {what}")),
            ValueError::Refused => OpenError::BadMac {
                location: SourceLocation::new(self.file, leaf.line),
                what: "the value",
            },
        })
    }

    fn check_mac(&mut self) -> Result<(), OpenError> {
        let line = self.metadata.mac_line;
        if self.metadata.mac.is_empty() {
            let location = SourceLocation::new(self.file, line);
            return Err(OpenError::MacMissing { location });
        }
        let bad = OpenError::BadMac { location: SourceLocation::new(self.file, line), what: WHOLE };
        let sealed = cipher::value(&self.key, &self.metadata.last_modified, &self.metadata.mac);
        let expected = match sealed {
            Ok(value) => value.text,
            Err(ValueError::Refused) => return Err(bad),
            Err(_) => {
                return Err(OpenError::malformed(self.file, line, "`mac` is not a sealed value"));
            }
        };
        let hash = std::mem::take(&mut self.hash).finalize();
        let seen: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        if seen == expected { Ok(()) } else { Err(bad) }
    }
}
