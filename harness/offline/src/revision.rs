//! Reading a layout out of a Git revision, without touching the working tree or the index.

mod error;
mod git;
mod past;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use partywall_core::Layout;

pub use error::RevisionError;
pub use past::{Past, PastFile, past};

use crate::load::folder_files;
use git::Git;

/// A layout as it was committed.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its files, read leniently; a submodule is named in [`Layout::unread`].
    pub layout: Layout,
    /// The full name of the commit.
    pub commit: String,
}

/// Read a layout's folder at a revision of the Git repository that it is in.
pub fn git_revision(directory: &Path, revision: &str) -> Result<Revision, RevisionError> {
    let git = Git::new(directory);
    let commit = git.commit(revision)?;
    let prefix = git.prefix()?;
    let found = tree::read(&git, &commit, &prefix)?;
    let mut layout = Layout::lenient(found.files);
    layout.unread.extend(found.unread);
    Ok(Revision { layout, commit })
}

/// The text files of another folder, by its path relative to the layout's: at the same revision
/// where it lies in the same Git repository, and from the working tree where it does not. Files of
/// submodules are not among them.
pub fn git_revision_of_other(
    directory: &Path,
    relative: &str,
    revision: &str,
) -> Result<BTreeMap<String, String>, RevisionError> {
    let git = Git::new(directory);
    let commit = git.commit(revision)?;
    let Some(prefix) = inside(&git.prefix()?, relative) else {
        return Ok(folder_files(&directory.join(relative))?);
    };
    let mut found = tree::read(&git, &commit, &prefix)?;
    found.unread.retain(|error| !tree::is_submodule(error));
    if found.unread.is_empty() { Ok(found.files) } else { Err(found.unread.swap_remove(0).into()) }
}

/// The path in the repository that `relative` means at `prefix`; none if it lies outside.
fn inside(prefix: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
#[path = "revision_tests.rs"]
mod tests;
