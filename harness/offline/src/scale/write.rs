//! Writing a layout that was made, its repositories and its keys.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use super::error::ScaleError;
use super::multiply::Scaled;
use crate::load::folder_files;

/// The layout in the folder that is written.
const LAYOUT: &str = "deployments";
/// The keys, beside it.
const KEYS: &str = "keys";

impl Scaled {
    /// Write `deployments/`, the repositories that it needs, and `keys/` (for their owner only)
    /// into a folder. `source` is the layout that this one was made from. Gives back the places
    /// of the layout and of its keys.
    pub fn write(&self, source: &Path, folder: &Path) -> Result<(PathBuf, PathBuf), ScaleError> {
        let (layout, keys) = (folder.join(LAYOUT), folder.join(KEYS));
        for (path, text) in &self.files {
            put(&layout.join(path), text, 0o644)?;
        }
        for repository in &self.repositories {
            let name = beside(repository)?;
            for (path, text) in folder_files(&source.join(repository))? {
                put(&folder.join(&name).join(path), &text, 0o644)?;
            }
        }
        for (tenant, key) in &self.keys {
            put(&keys.join(format!("{tenant}.agekey")), key, 0o600)?;
        }
        Ok((layout, keys))
    }
}

/// The name of a folder beside the layout: `../charts` and nothing further away.
fn beside(repository: &str) -> Result<PathBuf, ScaleError> {
    let mut parts = Path::new(repository).components();
    let is_up = matches!(parts.next(), Some(Component::ParentDir));
    let rest: PathBuf = parts.as_path().to_path_buf();
    let is_plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    let is_taken = rest.starts_with(LAYOUT) || rest.starts_with(KEYS);
    if is_up && is_plain && !is_taken && rest.file_name().is_some() {
        return Ok(rest);
    }
    Err(ScaleError::Repository(repository.to_string()))
}

fn put(path: &Path, text: &str, mode: u32) -> Result<(), ScaleError> {
    let written = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    written().map_err(|source| ScaleError::Write { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("../charts", Some("charts"))]
    #[case("../../charts", None)]
    #[case("/charts", None)]
    #[case("..", None)]
    #[case("../keys", None)]
    fn a_repository_is_copied_beside_the_layout_only(
        #[case] repository: &str,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(beside(repository).ok().as_deref(), expected.map(Path::new));
    }
}
