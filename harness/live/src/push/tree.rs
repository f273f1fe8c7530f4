//! Copying working trees.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::error::PushError;

/// Every file of a tree by its path relative to the root. `.git` is not part of a working tree.
pub(crate) fn files(root: &Path) -> Result<BTreeMap<PathBuf, fs::FileType>, PushError> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let failed = |source| PushError::Layout { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let name = folder.join(entry.file_name());
            if kind.is_dir() && entry.file_name() != ".git" {
                folders.push(name);
            } else if !kind.is_dir() {
                found.insert(name, kind);
            }
        }
    }
    Ok(found)
}

/// Make `to` hold the files of `from` and nothing else (save `.git`).
pub(crate) fn mirror(from: &Path, to: &Path) -> Result<(), PushError> {
    clear(to).map_err(|source| PushError::Scratch { path: to.to_path_buf(), source })?;
    for (name, kind) in files(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        let copied = copy(&source, &target, kind);
        copied.map_err(|source| PushError::Scratch { path: target, source })?;
    }
    Ok(())
}

fn clear(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == ".git" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn copy(source: &Path, target: &Path, kind: fs::FileType) -> io::Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    if kind.is_symlink() {
        return symlink(fs::read_link(source)?, target);
    }
    fs::copy(source, target).map(|_bytes| ())
}

/// Replace a file, or remove it.
pub(crate) fn put(root: &Path, name: &str, content: Option<&str>) -> Result<(), PushError> {
    let path = root.join(name);
    let done = match content {
        Some(text) => {
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text))
        }
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
    };
    done.map_err(|source| PushError::Scratch { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_holds_the_same_files_and_no_others() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("a/b")).unwrap();
        fs::create_dir_all(from.path().join(".git")).unwrap();
        fs::write(from.path().join("a/b/c.yaml"), "c: 1\n").unwrap();
        symlink("b/c.yaml", from.path().join("a/link")).unwrap();
        fs::write(to.path().join("stale.yaml"), "").unwrap();
        fs::create_dir_all(to.path().join(".git")).unwrap();
        mirror(from.path(), to.path()).unwrap();
        let names: Vec<PathBuf> = files(to.path()).unwrap().into_keys().collect();
        assert_eq!(names, [PathBuf::from("a/b/c.yaml"), PathBuf::from("a/link")]);
        assert!(to.path().join(".git").is_dir());
        put(to.path(), "a/b/c.yaml", None).unwrap();
        put(to.path(), "new/d.yaml", Some("d: 1\n")).unwrap();
        assert_eq!(files(to.path()).unwrap().len(), 2);
    }
}
