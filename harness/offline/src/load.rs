//! Reading a layout out of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use partywall_core::Layout;
use partywall_core::layout::is_yaml;
use partywall_core::source::{LoadError, TEXT_BYTES_MAX};

/// The most files that are read. A layout is text that people keep by hand; a tree beyond this
/// is the wrong folder, or links that multiply.
pub const FILES_MAX: usize = 20_000;

/// The most bytes of text that are read from one folder.
pub const TREE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How much of a large file is looked at to tell text from binary.
const PROBE_BYTES: usize = 8 * 1024;

/// Read the text files of a folder, in the order of their paths. `.git` is skipped, and so is
/// what is not text. A link is read where it leads, as long as it stays in the folder.
pub fn working_tree(dir: &Path) -> Result<Layout, LoadError> {
    Layout::new(folder_files(dir)?)
}

/// The same, for a layout that nobody here wrote: what is no YAML, or is too large to be read, is
/// kept by name in [`Layout::unread`] and hinders nothing else.
pub fn working_tree_lenient(dir: &Path) -> Result<Layout, LoadError> {
    let mut walk = walked(dir)?;
    let mut layout = Layout::lenient(std::mem::take(&mut walk.files));
    layout.unread.append(&mut walk.unread);
    Ok(layout)
}

/// The text files of a folder by their path in it.
pub fn folder_files(dir: &Path) -> Result<BTreeMap<String, String>, LoadError> {
    let mut walk = walked(dir)?;
    if walk.unread.is_empty() { Ok(walk.files) } else { Err(walk.unread.swap_remove(0)) }
}

fn walked(dir: &Path) -> Result<Walk, LoadError> {
    let root = fs::canonicalize(dir).map_err(|error| {
        LoadError::at(&dir.to_string_lossy(), 1, format!("failed to open the layout: {error}"))
    })?;
    let mut walk = Walk {
        root: root.clone(),
        files: BTreeMap::new(),
        unread: Vec::new(),
        budget: Budget::default(),
    };
    walk.folder(&root, "", &mut vec![root.clone()])?;
    Ok(walk)
}

/// What is still left to be read of a tree.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    entries: usize,
    bytes: usize,
}

impl Budget {
    /// Counts a file or a folder: links can make few of them many.
    pub(crate) fn entry(&mut self, name: &str) -> Result<(), LoadError> {
        self.entries += 1;
        if self.entries > FILES_MAX {
            return Err(LoadError::at(name, 1, format!("more than {FILES_MAX} files and folders")));
        }
        Ok(())
    }

    /// Counts the text of a file.
    pub(crate) fn text(&mut self, name: &str, bytes: usize) -> Result<(), LoadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > TREE_BYTES_MAX {
            return Err(LoadError::at(
                name,
                1,
                format!("more than {TREE_BYTES_MAX} bytes of text"),
            ));
        }
        Ok(())
    }
}

struct Walk {
    root: PathBuf,
    files: BTreeMap<String, String>,
    unread: Vec<LoadError>,
    budget: Budget,
}

impl Walk {
    /// `open` holds the real paths of the folders above, so that a link back to one of them is
    /// seen as the loop that it is.
    fn folder(&mut self, dir: &Path, name: &str, open: &mut Vec<PathBuf>) -> Result<(), LoadError> {
        for child in sorted_names(dir, name)? {
            if child == ".git" {
                continue;
            }
            let path = dir.join(&child);
            let name = if name.is_empty() { child } else { format!("{name}/{child}") };
            self.entry(&path, &name, open)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &str, open: &mut Vec<PathBuf>) -> Result<(), LoadError> {
        self.budget.entry(name)?;
        let real = fs::canonicalize(path).map_err(|error| unreadable(name, &error))?;
        if !real.starts_with(&self.root) {
            return Err(leads_out(name));
        }
        let about = fs::metadata(&real).map_err(|error| unreadable(name, &error))?;
        if about.is_dir() {
            if open.contains(&real) {
                return Err(leads_back(name));
            }
            open.push(real);
            let walked = self.folder(path, name, open);
            open.pop();
            return walked;
        }
        if !about.is_file() {
            return Ok(());
        }
        match text(&real, name, about.len())? {
            Content::Text(text) => {
                self.budget.text(name, text.len())?;
                self.files.insert(name.to_string(), text);
            }
            Content::Binary => {}
            Content::Unread(error) => self.unread.push(error),
        }
        Ok(())
    }
}

pub(crate) fn leads_out(name: &str) -> LoadError {
    let leads = LoadError::at(name, 1, "the link leads out of the layout");
    leads.with_hint("copy what it points at, or remove the link")
}

pub(crate) fn leads_back(name: &str) -> LoadError {
    LoadError::at(name, 1, "the link leads back to a folder above it")
}

pub(crate) fn too_large(name: &str) -> LoadError {
    LoadError::at(
        name,
        1,
        format!("the file has more than the {TEXT_BYTES_MAX} bytes that are read"),
    )
}

/// What a file holds.
pub(crate) enum Content {
    Text(String),
    Binary,
    /// Meant to be read, and cannot be: why.
    Unread(LoadError),
}

impl Content {
    /// Of a file that is as large as may be read, or of the beginning of one that is larger. What
    /// is called YAML is meant to be text, whatever it holds.
    pub(crate) fn of(name: &str, bytes: Vec<u8>, whole: bool) -> Self {
        let is_text = is_yaml(name);
        if !whole {
            let has_nul = bytes.iter().take(PROBE_BYTES).any(|byte| *byte == 0);
            return if has_nul && !is_text { Self::Binary } else { Self::Unread(too_large(name)) };
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) if is_text => {
                let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
                let line = 1 + before.filter(|byte| **byte == b'\n').count() as u64;
                Self::Unread(LoadError::at(name, line, "the file is not UTF-8"))
            }
            Err(_) => Self::Binary,
        }
    }
}

fn sorted_names(dir: &Path, name: &str) -> Result<Vec<String>, LoadError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| unreadable(name, &error))? {
        let entry = entry.map_err(|error| unreadable(name, &error))?;
        let child = entry.file_name().into_string().map_err(|raw| {
            let raw = raw.to_string_lossy();
            LoadError::at(&format!("{name}/{raw}"), 1, "the file's name is not UTF-8")
        })?;
        names.push(child);
    }
    names.sort();
    Ok(names)
}

fn text(path: &Path, name: &str, bytes: u64) -> Result<Content, LoadError> {
    // The kernel's own files say that they are empty, and some of them never end.
    if bytes == 0 {
        return Ok(Content::Text(String::new()));
    }
    let fits = usize::try_from(bytes).is_ok_and(|bytes| bytes <= TEXT_BYTES_MAX);
    let limit = if fits { TEXT_BYTES_MAX } else { PROBE_BYTES };
    let file = fs::File::open(path).map_err(|error| unreadable(name, &error))?;
    let mut content = Vec::new();
    // One byte above the limit tells a file that grew since its size was asked.
    let mut reader = file.take(limit as u64 + 1);
    reader.read_to_end(&mut content).map_err(|error| unreadable(name, &error))?;
    let whole = content.len() <= limit;
    Ok(Content::of(name, content, whole))
}

fn unreadable(name: &str, error: &std::io::Error) -> LoadError {
    LoadError::at(name, 1, format!("failed to read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    #[test]
    fn reads_text_and_leaves_out_the_rest() {
        let dir = tree(&[
            ("b/ns.yaml", b"kind: Namespace\nmetadata: {name: b}\n"),
            ("a.txt", b"text"),
            ("logo.png", b"\x89PNG\0\xff"),
            (".git/config", b"[core]"),
            (".sops.yaml", b"creation_rules: []\n"),
        ]);
        let layout = working_tree(dir.path()).unwrap();
        let names: Vec<&str> = layout.files.keys().map(String::as_str).collect();
        assert_eq!(names, [".sops.yaml", "a.txt", "b/ns.yaml"]);
        assert_eq!(layout.namespaces()["b"].to_string(), "b/ns.yaml:1");
    }

    #[test]
    fn a_link_inside_is_followed() {
        let dir = tree(&[("base/a.txt", b"one")]);
        symlink("base", dir.path().join("link")).unwrap();
        symlink("base/a.txt", dir.path().join("b.txt")).unwrap();
        let layout = working_tree(dir.path()).unwrap();
        assert_eq!(layout.files["link/a.txt"], "one");
        assert_eq!(layout.files["b.txt"], "one");
    }

    #[test]
    fn a_link_out_of_the_tree_is_an_error_with_its_place() {
        let dir = tree(&[("customers/a/x.yaml", b"a: 1\n")]);
        symlink("/etc/hostname", dir.path().join("customers/a/leak.yaml")).unwrap();
        let error = working_tree(dir.path()).unwrap_err();
        insta::assert_snapshot!(error, @r"
        customers/a/leak.yaml:1: the link leads out of the layout
        hint: copy what it points at, or remove the link
        ");
    }

    #[test]
    fn a_link_to_a_folder_above_is_an_error() {
        let dir = tree(&[("a/x.yaml", b"a: 1\n")]);
        symlink("..", dir.path().join("a/up")).unwrap();
        let error = working_tree(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), "a/up:1: the link leads back to a folder above it");
    }

    #[test]
    fn a_dangling_link_is_an_error() {
        let dir = tree(&[]);
        symlink("nowhere", dir.path().join("gone.yaml")).unwrap();
        assert_eq!(working_tree(dir.path()).unwrap_err().location.file, "gone.yaml");
    }

    #[test]
    fn a_large_text_is_an_error_and_a_large_binary_is_not() {
        let large = vec![b'#'; TEXT_BYTES_MAX + 1];
        let dir = tree(&[("big.yaml", &large)]);
        let error = working_tree(dir.path()).unwrap_err();
        assert_eq!(error.location.file, "big.yaml");
        let lenient = working_tree_lenient(dir.path()).unwrap();
        assert_eq!(lenient.unread, [error]);
        let mut binary = large;
        binary[10] = 0;
        let dir = tree(&[("chart.tgz", &binary)]);
        assert!(working_tree(dir.path()).unwrap().files.is_empty());
        let dir = tree(&[("chart.yaml", &binary)]);
        assert!(working_tree(dir.path()).is_err());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = working_tree(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().contains("failed to open the layout"), "{error}");
    }

    #[test]
    fn malformed_yaml_names_its_line() {
        let dir = tree(&[("a.yaml", b"a: 1\nb: [\n"), ("b.yaml", b"kind: B\n")]);
        let error = working_tree(dir.path()).unwrap_err();
        assert_eq!(error.location.file, "a.yaml");
        let lenient = working_tree_lenient(dir.path()).unwrap();
        assert_eq!((lenient.documents.len(), &lenient.unread[..]), (1, &[error][..]));
    }

    #[test]
    fn links_that_multiply_are_an_error() {
        // Each folder is seen twice in the one before it: 2^40 folders, and not one file.
        let dir = tree(&[]);
        for level in 0..40 {
            let folder = dir.path().join(format!("{level:02}"));
            fs::create_dir(&folder).unwrap();
            for link in ["one", "two"] {
                symlink(format!("../{:02}", level + 1), folder.join(link)).unwrap();
            }
        }
        fs::create_dir(dir.path().join("40")).unwrap();
        let error = working_tree(dir.path()).unwrap_err();
        assert!(error.message.starts_with("more than 20000"), "{error}");
    }
}
