//! What came out of a file. It is compared by hash and never printed.

use std::collections::BTreeMap;
use std::fmt;

use age::secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::error::OpenError;
use super::tree::{self, Leaf};

/// One value.
pub(super) struct OpenedLeaf {
    path: String,
    text: SecretString,
    sealed: bool,
}

impl OpenedLeaf {
    pub(super) fn new(path: String, text: String, sealed: bool) -> Self {
        Self { path, text: text.into(), sealed }
    }
}

/// A file that was opened. It prints no value.
pub struct Opened {
    leaves: Vec<OpenedLeaf>,
}

impl Opened {
    pub(super) fn new(leaves: Vec<OpenedLeaf>) -> Self {
        Self { leaves }
    }

    /// How many values were sealed.
    pub fn sealed(&self) -> usize {
        self.leaves.iter().filter(|leaf| leaf.sealed).count()
    }

    /// SHA-256 of every value, by its path: `postgres.password`, `list.0.token`.
    pub fn leaf_hashes(&self) -> BTreeMap<String, String> {
        self.leaves
            .iter()
            .map(|leaf| (leaf.path.clone(), hex(&Sha256::digest(leaf.text.expose_secret()))))
            .collect()
    }

    /// SHA-256 of every entry at the top, over the paths and values in it. It does not depend
    /// on how the YAML is laid out, so it can be compared with [`plain_hashes`] of a Secret
    /// that Flux decrypted and wrote anew.
    pub fn entry_hashes(&self) -> BTreeMap<String, String> {
        let mut entries = Entries::default();
        for leaf in &self.leaves {
            entries.add(&leaf.path, leaf.text.expose_secret());
        }
        entries.finish()
    }

    /// The sealed values themselves, for a caller that must cut them out of logs. Values shorter
    /// than `shortest` are left out: cutting `1` out of a log would only spoil it.
    pub fn texts_to_cut(&self, shortest: usize) -> Vec<SecretString> {
        let sealed = self.leaves.iter().filter(|leaf| leaf.sealed);
        let long = sealed.filter(|leaf| leaf.text.expose_secret().len() >= shortest);
        long.map(|leaf| leaf.text.clone()).collect()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.leaves.iter().map(|leaf| (&leaf.path, "***"));
        formatter.debug_map().entries(paths).finish()
    }
}

/// What [`Opened::entry_hashes`] says, of a YAML text that is not sealed.
pub fn plain_hashes(file: &str, text: &str) -> Result<BTreeMap<String, String>, OpenError> {
    let mut entries = Entries::default();
    for (index, document) in tree::documents(file, text)?.iter().enumerate() {
        tree::leaves(document, &mut |leaf: Leaf<'_>| {
            entries.add(&path_name(index, leaf.path), leaf.text);
            Ok::<(), OpenError>(())
        })?;
    }
    Ok(entries.finish())
}

/// A path for people; those of later documents of a file begin with the document's number.
pub(super) fn path_name(document: usize, path: &[String]) -> String {
    let path = path.join(".");
    if document == 0 { path } else { format!("{document}#{path}") }
}

/// Running hashes, one for each entry at the top.
#[derive(Default)]
struct Entries(BTreeMap<String, BTreeMap<String, [u8; 32]>>);

impl Entries {
    fn add(&mut self, path: &str, text: &str) {
        let entry = path.split('.').next().unwrap_or_default().to_string();
        let digest = Sha256::digest(text).into();
        self.0.entry(entry).or_default().insert(path.to_string(), digest);
    }

    /// Sorted by path, because a writer of YAML may order keys as it likes.
    fn finish(self) -> BTreeMap<String, String> {
        let combine = |leaves: BTreeMap<String, [u8; 32]>| {
            let mut hash = Sha256::new();
            for (path, digest) in leaves {
                hash.update((path.len() as u64).to_be_bytes());
                hash.update(path.as_bytes());
                hash.update(digest);
            }
            hex(&hash.finalize())
        };
        self.0.into_iter().map(|(entry, leaves)| (entry, combine(leaves))).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
