//! Reading a layout out of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use partywall_core::Layout;
use partywall_core::source::{LoadError, TEXT_BYTES_MAX};

/// The most files that are read. A layout is text that people keep by hand; a tree beyond this
/// is the wrong folder, or links that multiply.
pub const FILES_MAX: usize = 20_000;

/// How much of a large file is looked at to tell text from binary.
const PROBE_BYTES: usize = 8 * 1024;

/// Read the text files of a folder, in the order of their paths. `.git` is skipped, and so is
/// what is not text. A link is read where it leads, as long as it stays in the folder.
pub fn working_tree(dir: &Path) -> Result<Layout, LoadError> {
    let root = fs::canonicalize(dir).map_err(|error| {
        LoadError::at(&dir.to_string_lossy(), 1, format!("failed to open the layout: {error}"))
    })?;
    let mut walk = Walk { root: root.clone(), files: BTreeMap::new(), seen: 0 };
    walk.folder(&root, "", &mut vec![root.clone()])?;
    Layout::new(walk.files)
}

struct Walk {
    root: PathBuf,
    files: BTreeMap<String, String>,
    seen: usize,
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
        let real = fs::canonicalize(path).map_err(|error| unreadable(name, &error))?;
        if !real.starts_with(&self.root) {
            let leads = LoadError::at(name, 1, "the link leads out of the layout");
            return Err(leads.with_hint("copy what it points at, or remove the link"));
        }
        let about = fs::metadata(&real).map_err(|error| unreadable(name, &error))?;
        if about.is_dir() {
            if open.contains(&real) {
                return Err(LoadError::at(name, 1, "the link leads back to a folder above it"));
            }
            open.push(real);
            let walked = self.folder(path, name, open);
            open.pop();
            return walked;
        }
        if !about.is_file() {
            return Ok(());
        }
        self.seen += 1;
        if self.seen > FILES_MAX {
            return Err(LoadError::at(name, 1, format!("more than {FILES_MAX} files")));
        }
        if let Some(text) = text(&real, name, about.len())? {
            self.files.insert(name.to_string(), text);
        }
        Ok(())
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

/// The text of a file; nothing where it is not text.
fn text(path: &Path, name: &str, bytes: u64) -> Result<Option<String>, LoadError> {
    let fits = usize::try_from(bytes).is_ok_and(|bytes| bytes <= TEXT_BYTES_MAX);
    let limit = if fits { TEXT_BYTES_MAX } else { PROBE_BYTES };
    let file = fs::File::open(path).map_err(|error| unreadable(name, &error))?;
    let mut content = Vec::new();
    // One byte above the limit tells a file that grew since its size was asked.
    let mut reader = file.take(limit as u64 + 1);
    reader.read_to_end(&mut content).map_err(|error| unreadable(name, &error))?;
    if content.len() <= limit {
        return Ok(String::from_utf8(content).ok());
    }
    if content.contains(&0) {
        return Ok(None);
    }
    let message = format!("the file has more than the {TEXT_BYTES_MAX} bytes that are read");
    Err(LoadError::at(name, 1, message))
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
        let mut binary = large;
        binary[10] = 0;
        let dir = tree(&[("chart.tgz", &binary)]);
        assert!(working_tree(dir.path()).unwrap().files.is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = working_tree(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(error.to_string().contains("failed to open the layout"), "{error}");
    }

    #[test]
    fn malformed_yaml_names_its_line() {
        let dir = tree(&[("a.yaml", b"a: 1\nb: [\n")]);
        assert_eq!(working_tree(dir.path()).unwrap_err().location.file, "a.yaml");
    }
}
