//! Files of private age keys.

use std::fs;
use std::path::{Path, PathBuf};

use partywall_core::source::LoadError;

use crate::sops::Identities;

/// How the names of key files end; Flux reads no others.
const ENDING: &str = "agekey";

/// Name and text of every key file of a folder, in the order of names.
pub(crate) fn texts(folder: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let failed = |path: &Path, error: &std::io::Error| {
        let message = format!("failed to read the keys: {error}");
        LoadError::at(&path.to_string_lossy(), 1, message)
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
        let path = entry.map_err(|error| failed(folder, &error))?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        Ok((path.to_string_lossy().into_owned(), text))
    };
    paths.into_iter().map(read).collect()
}

/// The private keys of a file's text, by their public halves. A message holds no key.
pub(super) fn keys(name: &str, text: &str) -> Result<Vec<(String, String)>, LoadError> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let identity = Identities::parse(line).map_err(|_| {
            LoadError::at(name, index as u64 + 1, "the line is not a private age key")
                .with_hint("a key file holds lines of `AGE-SECRET-KEY-1…`, and comments with `#`")
        })?;
        keys.extend(identity.recipients().into_iter().map(|public| (public, line.to_string())));
    }
    Ok(keys)
}
