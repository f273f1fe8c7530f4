//! The tree of a commit, with its links followed as they are in a working tree.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use partywall_core::source::{LoadError, TEXT_BYTES_MAX};

use super::error::RevisionError;
use super::git::{Git, TreeEntry};
use crate::load::{Budget, Content, FILES_MAX, TREE_BYTES_MAX, leads_back, leads_out, too_large};

/// How many links one path may go through; Linux allows as many.
const LINKS_MAX: usize = 40;
/// The longest path; Linux allows as much.
const PATH_BYTES_MAX: usize = 4096;
const SUBMODULE: &str = "a Git submodule, whose files are in another repository";

/// What a tree holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: BTreeMap<String, String>,
    pub(super) unread: Vec<LoadError>,
}

/// Whether an unread entry is a submodule.
pub(super) fn is_submodule(error: &LoadError) -> bool {
    error.message == SUBMODULE
}

/// Read the files below a folder of a commit.
pub(super) fn read(git: &Git, commit: &str, folder: &str) -> Result<Found, RevisionError> {
    let tree = Tree::new(git.entries(commit, folder)?)?;
    let contents = git.blobs(&tree.readable()?)?;
    let mut walk =
        Walk { git, tree: &tree, contents, budget: Budget::default(), found: Found::default() };
    walk.folder("", "", &mut vec![String::new()])?;
    Ok(walk.found)
}

#[derive(Debug)]
enum Entry {
    Folder(BTreeSet<String>),
    File { object: String, size: u64 },
    Link { object: String },
    Submodule,
}

struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    fn new(listed: Vec<TreeEntry>) -> Result<Self, RevisionError> {
        let mut tree = Self { entries: BTreeMap::new() };
        tree.entries.insert(String::new(), Entry::Folder(BTreeSet::new()));
        if let Some(beyond) = listed.get(FILES_MAX) {
            let name = String::from_utf8_lossy(&beyond.path);
            return Err(LoadError::at(&name, 1, format!("more than {FILES_MAX} files")).into());
        }
        for entry in listed {
            let path = String::from_utf8(entry.path).map_err(|error| {
                let name = String::from_utf8_lossy(error.as_bytes()).into_owned();
                LoadError::at(&name, 1, "the file's name is not UTF-8")
            })?;
            if path.len() > PATH_BYTES_MAX {
                let shown: String = path.chars().take(80).collect();
                return Err(LoadError::at(&shown, 1, "the path is too long").into());
            }
            let kind = match (entry.mode.as_str(), entry.size) {
                ("120000", Some(_)) => Entry::Link { object: entry.object },
                ("160000", _) => Entry::Submodule,
                (_, Some(size)) => Entry::File { object: entry.object, size },
                (_, None) => return Err(RevisionError::Answer("an entry that is no file")),
            };
            tree.add(path, kind);
        }
        Ok(tree)
    }

    fn add(&mut self, path: String, kind: Entry) {
        let (mut folder, mut rest) = (String::new(), path.as_str());
        while let Some((child, deeper)) = rest.split_once('/') {
            self.child(&folder, child);
            folder = join(&folder, child);
            self.entries.entry(folder.clone()).or_insert_with(|| Entry::Folder(BTreeSet::new()));
            rest = deeper;
        }
        self.child(&folder, rest);
        self.entries.insert(path, kind);
    }

    fn child(&mut self, folder: &str, name: &str) {
        if let Some(Entry::Folder(children)) = self.entries.get_mut(folder) {
            children.insert(name.to_string());
        }
    }

    /// Names of the blobs that are read at once.
    fn readable(&self) -> Result<BTreeSet<&str>, LoadError> {
        let (mut names, mut budget) = (BTreeSet::new(), Budget::default());
        for (path, entry) in &self.entries {
            match entry {
                Entry::Link { object } => drop(names.insert(object.as_str())),
                Entry::File { object, size } if fits(*size, TEXT_BYTES_MAX) => {
                    if names.insert(object.as_str()) {
                        budget.text(path, usize::try_from(*size).unwrap_or(usize::MAX))?;
                    }
                }
                Entry::File { .. } | Entry::Folder(_) | Entry::Submodule => {}
            }
        }
        Ok(names)
    }
}

fn fits(size: u64, limit: usize) -> bool {
    usize::try_from(size).is_ok_and(|size| size <= limit)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") }
}

struct Walk<'a> {
    git: &'a Git,
    tree: &'a Tree,
    contents: BTreeMap<String, Vec<u8>>,
    budget: Budget,
    found: Found,
}

impl Walk<'_> {
    /// `real` is the folder in the tree, `name` the path by which it was come to, and `open` holds
    /// the folders above.
    fn folder(
        &mut self,
        real: &str,
        name: &str,
        open: &mut Vec<String>,
    ) -> Result<(), RevisionError> {
        let Some(Entry::Folder(children)) = self.tree.entries.get(real) else { return Ok(()) };
        for child in children {
            let (path, name) = (join(real, child), join(name, child));
            self.budget.entry(&name)?;
            let real = self.resolved(&path, &name)?;
            self.entry(real, &name, open)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        real: String,
        name: &str,
        open: &mut Vec<String>,
    ) -> Result<(), RevisionError> {
        match self.tree.entries.get(&real) {
            Some(Entry::Folder(_)) if open.contains(&real) => Err(leads_back(name).into()),
            Some(Entry::Folder(_)) => {
                open.push(real.clone());
                let walked = self.folder(&real, name, open);
                open.pop();
                walked
            }
            Some(Entry::File { object, size }) => self.file(object, *size, name),
            Some(Entry::Submodule) => {
                self.found.unread.push(LoadError::at(name, 1, SUBMODULE));
                Ok(())
            }
            Some(Entry::Link { .. }) | None => Err(missing(name).into()),
        }
    }

    fn file(&mut self, object: &str, size: u64, name: &str) -> Result<(), RevisionError> {
        let content = if fits(size, TEXT_BYTES_MAX) {
            let bytes = self.contents.get(object).cloned();
            Content::of(name, bytes.ok_or(RevisionError::Answer("a blob is missing"))?, true)
        } else if fits(size, TREE_BYTES_MAX) {
            let mut blobs = self.git.blobs(&BTreeSet::from([object]))?;
            Content::of(name, blobs.remove(object).unwrap_or_default(), false)
        } else {
            Content::Unread(too_large(name))
        };
        match content {
            Content::Text(text) => {
                self.budget.text(name, text.len())?;
                self.found.files.insert(name.to_string(), text);
            }
            Content::Binary => {}
            Content::Unread(error) => self.found.unread.push(error),
        }
        Ok(())
    }

    /// The path that is left once every link on the way is followed.
    fn resolved(&self, path: &str, name: &str) -> Result<String, LoadError> {
        let mut done: Vec<String> = Vec::new();
        let mut ahead: VecDeque<String> = path.split('/').map(str::to_string).collect();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop().ok_or_else(|| leads_out(name))?;
                    continue;
                }
                _ => done.push(part),
            }
            match self.tree.entries.get(&done.join("/")) {
                Some(Entry::Link { object }) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(LoadError::at(name, 1, "the link leads back to itself"));
                    }
                    let target = self.target(object, name)?;
                    done.pop();
                    for part in target.rsplit('/') {
                        ahead.push_front(part.to_string());
                    }
                }
                Some(Entry::Folder(_)) => {}
                Some(Entry::File { .. } | Entry::Submodule) if ahead.is_empty() => {}
                Some(Entry::File { .. } | Entry::Submodule) | None => return Err(missing(name)),
            }
        }
        Ok(done.join("/"))
    }

    fn target(&self, object: &str, name: &str) -> Result<&str, LoadError> {
        let bytes = self.contents.get(object).map(Vec::as_slice).unwrap_or_default();
        let target = std::str::from_utf8(bytes).map_err(|_| missing(name))?;
        if target.starts_with('/') {
            return Err(leads_out(name));
        }
        if target.is_empty() || target.len() > PATH_BYTES_MAX {
            Err(missing(name))
        } else {
            Ok(target)
        }
    }
}

fn missing(name: &str) -> LoadError {
    LoadError::at(name, 1, "failed to read: the link leads nowhere")
}
