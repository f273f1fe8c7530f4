//! Images from what is in the cache.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::debootstrap::ARCHIVE;
use super::step::StepError;
use crate::bundle::Bundle;
use crate::content::Key;
use crate::docker::image::{self, CONTENT_LABEL};
use crate::error::BuildError;
use crate::lock::{Component, ImageRecipe, Recipe};

/// Where programs go unless a recipe says otherwise.
const PROGRAMS: &str = "/usr/local/bin";

/// A folder that is removed at the end, on the file system of the cache so that programs can be
/// linked into it.
pub(super) fn scratch(bundle: &Bundle) -> Result<tempfile::TempDir, BuildError> {
    let folder = bundle.workspace().scratch();
    fs::create_dir_all(&folder).map_err(BuildError::files("create", &folder))?;
    tempfile::tempdir_in(&folder).map_err(BuildError::files("create", &folder))
}

/// Makes the image of a component whose artefact is in the cache.
pub(super) fn build(
    bundle: &Bundle,
    component: &Component,
    recipe: &ImageRecipe,
    key: &Key,
    log: &Path,
) -> Result<(), StepError> {
    let context = scratch(bundle)?;
    let root = context.path().join("root");
    fs::create_dir_all(&root).map_err(BuildError::files("create", &root))?;
    let place = bundle.store().place(&component.name, &bundle.key(component)?);
    let dockerfile = match component.recipe() {
        Recipe::Debootstrap(_) => {
            link(&place.join(ARCHIVE), &context.path().join(ARCHIVE))?;
            format!("FROM scratch\nADD {ARCHIVE} /\n")
        }
        Recipe::Go(go) => {
            let programs: Vec<&str> = go.programs.keys().map(String::as_str).collect();
            fill(bundle, &root, &place, &programs, recipe)?;
            describe(bundle, component, recipe, programs.first().copied())?
        }
        Recipe::Cargo(cargo) => {
            fill(bundle, &root, &place, &[&cargo.program], recipe)?;
            describe(bundle, component, recipe, Some(&cargo.program))?
        }
        Recipe::Node(_) => return Err(StepError::Message("a node is no plain image".to_owned())),
    };
    write(&context.path().join("Dockerfile"), &dockerfile)?;
    let labels = [(CONTENT_LABEL, key.as_str())];
    Ok(image::build(context.path(), &component.local_references(), &labels, log)?)
}

fn fill(
    bundle: &Bundle,
    root: &Path,
    place: &Path,
    programs: &[&str],
    recipe: &ImageRecipe,
) -> Result<(), BuildError> {
    for program in programs {
        link(&place.join(program), &under(root, &program_path(recipe, program)))?;
    }
    for (path, target) in &recipe.links {
        let path = under(root, path);
        create_parent(&path)?;
        symlink(target, &path).map_err(BuildError::files("link", &path))?;
    }
    for (from, to) in &recipe.copies {
        let (from, to) = (bundle.workspace().kind_config().join(from), under(root, to));
        create_parent(&to)?;
        fs::copy(&from, &to).map_err(BuildError::files("copy", &from))?;
    }
    for folder in &recipe.folders {
        let path = under(root, folder);
        fs::create_dir_all(&path).map_err(BuildError::files("create", &path))?;
        // Anyone may write, nobody may remove what is another's.
        let open = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(&path, open).map_err(BuildError::files("open", &path))?;
    }
    Ok(())
}

fn describe(
    bundle: &Bundle,
    component: &Component,
    recipe: &ImageRecipe,
    program: Option<&str>,
) -> Result<String, StepError> {
    let base = recipe.base.as_ref().and_then(|name| bundle.lock().component(name));
    let base = base.and_then(|base| base.local_references().into_iter().next());
    let first = program.map(|program| program_path(recipe, program));
    let entrypoint = match (&recipe.entrypoint[..], first) {
        ([], Some(first)) => vec![first],
        ([], None) => {
            return Err(StepError::Message(format!("{} has no program", component.name)));
        }
        (given, _) => given.to_vec(),
    };
    let mut text = format!(
        "FROM {}\nCOPY root/ /\nUSER {}\nENTRYPOINT {}\n",
        base.as_deref().unwrap_or("scratch"),
        recipe.user,
        json(&entrypoint),
    );
    if !recipe.command.is_empty() {
        text.push_str(&format!("CMD {}\n", json(&recipe.command)));
    }
    Ok(text)
}

fn json(words: &[String]) -> String {
    // A list of strings always serialises.
    serde_json::to_string(words).unwrap_or_default()
}

fn program_path(recipe: &ImageRecipe, program: &str) -> String {
    recipe.places.get(program).cloned().unwrap_or_else(|| format!("{PROGRAMS}/{program}"))
}

/// An absolute path of the image, below the folder that becomes its root.
pub(super) fn under(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

fn create_parent(path: &Path) -> Result<(), BuildError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(BuildError::files("create", parent))
}

/// Links a file of the cache, or copies it where links do not reach.
pub(super) fn link(from: &Path, to: &Path) -> Result<(), BuildError> {
    create_parent(to)?;
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).map_err(BuildError::files("copy", from))?;
    }
    Ok(())
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    create_parent(path)?;
    fs::write(path, text).map_err(BuildError::files("write", path))
}
