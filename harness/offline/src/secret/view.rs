//! What a sealed file looks like in the cluster, opened and not: hashes, never values.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::document::{Item, Node};
use sha2::{Digest, Sha256};

use crate::sops::{self, Identities, OpenError};

/// Value path to hash.
pub(super) type Hashes = BTreeMap<String, String>;

/// A file's values as the cluster would show them.
pub(super) struct View {
    /// Once it is opened.
    pub(super) opened: Hashes,
    /// As long as it is sealed.
    pub(super) sealed: Hashes,
}

/// The values of a file. Without a key that opens it, the hash of an opened value is a stand-in:
/// it is made of the sealed text, and differs from the hash of the sealed text itself.
pub(super) fn view(layout: &Layout, file: &str, key: Option<&str>) -> View {
    let text = layout.files.get(file).map(String::as_str).unwrap_or_default();
    let sealed = leaves(layout, file, |text| sha256(text.as_bytes()));
    let stand_in = || leaves(layout, file, |text| sha256(format!("opened: {text}").as_bytes()));
    let opened = key.and_then(|key| {
        let opened = sops::open(file, text, &Identities::parse(key).ok()?).ok()?;
        let paths = opened.leaf_hashes().into_iter();
        Some(paths.map(|(path, hash)| (path.replace('.', "/"), hash)).collect())
    });
    View { opened: opened.unwrap_or_else(stand_in), sealed }
}

/// Whether Flux opens a file with a key.
pub(super) fn flux_opens(file: &str, text: &str, key: &str) -> Result<(), OpenError> {
    sops::flux_opens(file, text, &Identities::parse(key)?)
}

/// The hash of a text.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every scalar of a file by its path, without those of the `sops` block.
fn leaves(layout: &Layout, file: &str, hash: impl Fn(&str) -> String) -> Hashes {
    let mut found = Hashes::new();
    let documents = layout.documents.iter().filter(|document| document.location.file == file);
    for (index, document) in documents.enumerate() {
        let begin = if index == 0 { String::new() } else { format!("{index}#") };
        for (key, item) in document.root.entries(&[]) {
            if key != "sops" {
                walk(item, format!("{begin}{key}"), &hash, &mut found);
            }
        }
    }
    found
}

fn walk(item: &Item, path: String, hash: &impl Fn(&str) -> String, found: &mut Hashes) {
    match &item.node {
        Node::Null => {}
        Node::Scalar(text) => {
            found.insert(path, hash(text));
        }
        Node::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{path}/{index}"), hash, found);
            }
        }
        Node::Mapping(entries) => {
            for (key, item) in entries {
                walk(item, format!("{path}/{key}"), hash, found);
            }
        }
    }
}
