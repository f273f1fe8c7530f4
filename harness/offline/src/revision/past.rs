//! Every text that earlier commits held.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use partywall_core::source::TEXT_BYTES_MAX;

use super::error::RevisionError;
use super::git::{Change, Git};

/// So many commits of the layout are looked at, the newest first.
const COMMITS_MAX: usize = 20_000;
/// So many versions of files are read.
const FILES_MAX: usize = 50_000;
/// So many bytes of them are read.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastFile {
    /// The newest commit that brought it.
    pub commit: String,
    /// Its path, as seen from the layout's root.
    pub path: String,
    /// What it held.
    pub text: String,
}

/// Every version of every text file of a layout, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The versions.
    pub files: Vec<PastFile>,
    /// How many commits were looked at.
    pub commits: usize,
    /// Why not everything was read, where it was not.
    pub cut: Option<String>,
}

/// The texts of a folder in the commits that lead to a revision; without one, in those that lead
/// to `HEAD`, and in every branch and tag that the repository knows.
pub fn past(directory: &Path, revision: Option<&str>) -> Result<Past, RevisionError> {
    let git = Git::new(directory);
    let commit = git.commit(revision.unwrap_or("HEAD"))?;
    let found = git.changes(&commit, revision.is_none(), COMMITS_MAX)?;
    let mut cut = Vec::new();
    if git.is_shallow()? {
        cut.push("the clone is shallow: earlier commits are not in it".to_string());
    }
    if found.commits > COMMITS_MAX {
        cut.push(format!("only the newest {COMMITS_MAX} commits were read"));
    }
    let versions = versions(&found.files);
    let names: BTreeSet<&str> = versions.iter().map(|one| one.object.as_str()).collect();
    let readable = readable(&git, &names, &mut cut)?;
    let texts = git.blobs(&readable.iter().map(String::as_str).collect())?;
    let text = |change: &&Change| {
        let bytes = texts.get(&change.object)?;
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?;
        let (commit, path) = (change.commit.clone(), change.path.clone());
        Some(PastFile { commit, path, text: text.to_string() })
    };
    let files = versions.iter().filter_map(text).collect();
    let cut = (!cut.is_empty()).then(|| cut.join("; "));
    Ok(Past { files, commits: found.commits.min(COMMITS_MAX), cut })
}

/// Each content at each path once.
fn versions(files: &[Change]) -> Vec<&Change> {
    let mut known = BTreeSet::new();
    files.iter().filter(|one| known.insert((&one.object, &one.path))).collect()
}

/// The blobs that are here, and together not too large.
fn readable(
    git: &Git,
    names: &BTreeSet<&str>,
    cut: &mut Vec<String>,
) -> Result<BTreeSet<String>, RevisionError> {
    let sizes: BTreeMap<String, u64> = git.sizes(names)?;
    if sizes.len() < names.len() {
        cut.push(format!("{} versions of files are not in the clone", names.len() - sizes.len()));
    }
    let mut left = BYTES_MAX;
    let mut found = BTreeSet::new();
    let mut large = 0;
    for (name, size) in sizes {
        if usize::try_from(size).is_ok_and(|size| size <= TEXT_BYTES_MAX)
            && size <= left
            && found.len() < FILES_MAX
        {
            left -= size;
            found.insert(name);
        } else {
            large += 1;
        }
    }
    if large > 0 {
        cut.push(format!("{large} versions of files were not read: they are large, or many"));
    }
    Ok(found)
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
