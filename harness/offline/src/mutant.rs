//! Mutants: small patches to a layout, each of which breaks one promise.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partywall_core::source::{LoadError, load};
use partywall_tool::{Tool, ToolError};
use serde::Deserialize;
use thiserror::Error;

/// The file that describes a mutant, in a folder of its own.
pub const MUTANT_FILE: &str = "mutant.yaml";

const API_VERSION: &str = "partywall.dev/v1alpha1";
const KIND: &str = "Mutant";

/// How long `git apply` may take; patches are a few lines.
const APPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// A patch that breaks one promise, and what must be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mutant {
    /// `partywall.dev/v1alpha1`.
    pub api_version: String,
    /// `Mutant`.
    pub kind: String,
    /// The promise that it breaks, for people.
    pub promise: String,
    /// The layout that is changed: a folder's path relative to the mutant's own.
    pub layout: String,
    /// The patch: a file beside `mutant.yaml`.
    pub patch: String,
    /// Whether the patch was committed and the next commit took it back: what is judged is the
    /// layout as it is, with that commit behind it.
    #[serde(default)]
    pub taken_back: bool,
    /// What a run on it must say.
    pub expect: Expectation,
    /// The folder's name: `01-telemetry-org`.
    #[serde(skip)]
    pub name: String,
    /// The folder.
    #[serde(skip)]
    pub dir: PathBuf,
}

/// What kills a mutant: a run that is red for this reason and no other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Expectation {
    /// The exit code.
    pub exit: u8,
    /// The topic of the scenario that goes red: `reach`, `isolation`, `secrets`, `telemetry`; or
    /// the scenario alone, where its topic takes long: `attempts::own_policies`.
    pub question: String,
    /// The trial, without the backend in front: `reach::undeclared_ports::customer_a`; none where
    /// a finding alone tells.
    #[serde(default)]
    pub trial: String,
    /// The finding of the files that tells, with or without a trial that goes red.
    #[serde(default)]
    pub finding: Option<String>,
    /// Whether the files alone can tell, so that no cluster is asked.
    #[serde(default)]
    pub only_files: bool,
    /// Cells that go red, as `row -> column` or the beginning of it; any cell where none is
    /// listed.
    #[serde(default)]
    pub cells: Vec<String>,
    /// A part of the reason that is given.
    pub reason: String,
    /// How many nodes it takes for the hole to be one.
    #[serde(default = "one_node")]
    pub nodes: u8,
}

const fn one_node() -> u8 {
    1
}

/// Why a mutant could not be used.
#[derive(Debug, Error)]
pub enum MutantError {
    /// `mutant.yaml` is malformed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file or folder could not be read or written.
    #[error("{}: failed to {action}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried: `read`, `copy`.
        action: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The patch does not fit the layout any more.
    #[error(
        "mutant {name}: its patch does not apply to {layout}\nhint: the layout has changed; make the patch anew"
    )]
    DoesNotApply {
        /// The mutant.
        name: String,
        /// Its layout.
        layout: String,
        /// What git said.
        #[source]
        source: ToolError,
    },
    /// git could not be run, or did not end.
    #[error("mutant {name}: failed to run git")]
    Git {
        /// The mutant.
        name: String,
        /// What became of it.
        #[source]
        source: ToolError,
    },
    /// The patch applied and every file is as it was.
    #[error("mutant {name}: its patch changes nothing, so it can break no promise")]
    ChangesNothing {
        /// The mutant.
        name: String,
    },
}

impl MutantError {
    fn file(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), action, source }
    }
}

impl Mutant {
    /// Read the mutant of a folder.
    pub fn load(dir: &Path) -> Result<Self, MutantError> {
        let path = dir.join(MUTANT_FILE);
        let text =
            fs::read_to_string(&path).map_err(|source| MutantError::file(&path, "read", source))?;
        let file = path.to_string_lossy();
        let mut mutant: Self = load(&file, &text)?;
        if (mutant.api_version.as_str(), mutant.kind.as_str()) != (API_VERSION, KIND) {
            let message = format!("apiVersion and kind must be {API_VERSION} and {KIND}");
            return Err(LoadError::at(&file, 1, message).into());
        }
        mutant.name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        mutant.dir = dir.to_path_buf();
        Ok(mutant)
    }

    /// Read every mutant of a folder of mutants, in the order of their names.
    pub fn load_all(dir: &Path) -> Result<Vec<Self>, MutantError> {
        let entries = fs::read_dir(dir).map_err(|source| MutantError::file(dir, "read", source))?;
        let mut folders = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| MutantError::file(dir, "read", source))?.path();
            if path.join(MUTANT_FILE).is_file() {
                folders.push(path);
            }
        }
        folders.sort();
        folders.iter().map(|folder| Self::load(folder)).collect()
    }

    /// The layout that it changes.
    pub fn layout_dir(&self) -> PathBuf {
        self.dir.join(&self.layout)
    }
}

/// Copy a layout into an empty folder and apply the mutant's patch to the copy. Tells which
/// files it changed, relative to the layout.
pub fn apply(
    mutant: &Mutant,
    base_dir: &Path,
    scratch_dir: &Path,
) -> Result<Vec<String>, MutantError> {
    copy(base_dir, scratch_dir)?;
    let patch = mutant.dir.join(&mutant.patch);
    let patch =
        fs::canonicalize(&patch).map_err(|source| MutantError::file(&patch, "read", source))?;
    let scratch = fs::canonicalize(scratch_dir)
        .map_err(|source| MutantError::file(scratch_dir, "read", source))?;
    let mut git = Tool::new("git").args(["apply", "--whitespace=nowarn", "--unidiff-zero"]);
    // Inside a repository git would take the patch's paths from that repository's root, and pass
    // over what it does not find there without a word.
    if let Some(above) = scratch.parent() {
        git = git.env("GIT_CEILING_DIRECTORIES", above);
    }
    let name = || mutant.name.clone();
    git.arg(patch).dir(&scratch).timeout(APPLY_TIMEOUT).run().map_err(|source| {
        if source.exit().is_none() {
            return MutantError::Git { name: name(), source };
        }
        MutantError::DoesNotApply { name: name(), layout: mutant.layout.clone(), source }
    })?;
    let changed = differences(base_dir, &scratch)?;
    if changed.is_empty() {
        return Err(MutantError::ChangesNothing { name: name() });
    }
    Ok(changed)
}

/// Copy a layout, `.git` left out.
pub fn copy(from: &Path, to: &Path) -> Result<(), MutantError> {
    for name in names(from)? {
        let target = to.join(&name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)
                .map_err(|source| MutantError::file(parent, "make", source))?;
        }
        let source = from.join(&name);
        fs::copy(&source, &target).map_err(|error| MutantError::file(&source, "copy", error))?;
    }
    Ok(())
}

/// Files that differ, or are in one tree alone.
fn differences(base: &Path, scratch: &Path) -> Result<Vec<String>, MutantError> {
    let mut all = names(base)?;
    all.extend(names(scratch)?);
    all.sort();
    all.dedup();
    let content = |root: &Path, name: &str| fs::read(root.join(name)).ok();
    all.retain(|name| content(base, name) != content(scratch, name));
    Ok(all)
}

/// Paths of the files of a tree, `.git` left out.
fn names(root: &Path) -> Result<Vec<String>, MutantError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let dir = root.join(&folder);
        let read = |source| MutantError::file(&dir, "read", source);
        for entry in fs::read_dir(&dir).map_err(read)? {
            let entry = entry.map_err(read)?;
            if entry.file_name() == ".git" {
                continue;
            }
            let path = folder.join(entry.file_name());
            if entry.file_type().map_err(read)?.is_dir() {
                open.push(path);
            } else {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
#[path = "mutant_tests.rs"]
mod tests;
