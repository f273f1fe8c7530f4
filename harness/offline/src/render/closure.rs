//! Every file that a Kustomize build reads, found before it runs.
//!
//! The build then gets these files and no others, so that a layout nobody trusts can neither read
//! this machine nor reach the network.

use std::borrow::Cow;
use std::collections::BTreeSet;

use partywall_core::document::{Document, Item, Node, documents};
use partywall_core::source::{LoadError, SourceLocation};

use super::tree::{Tree, resolved};

/// Why a build is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Something would be fetched from elsewhere.
    Remote { what: String, location: SourceLocation },
    /// A path leads out of the repository.
    Escapes { what: String, location: SourceLocation },
    /// A plugin that may read files of its own choice.
    Plugin { what: String, location: SourceLocation },
    /// A file that our reader, which bounds what it reads, refuses. Kustomize bounds nothing: an
    /// alias bomb would take all the memory there is.
    Unread(LoadError),
}

/// The files that the build of a folder reads, beside the Kustomize file that it has or that Flux
/// makes for it. `roots` is that file, in as many parts as were written in different places.
pub(super) fn files_of(
    tree: &Tree<'_>,
    folder: &str,
    roots: &[&Document],
) -> Result<BTreeSet<String>, Refusal> {
    let mut closure =
        Closure { tree, files: BTreeSet::new(), folders: BTreeSet::new(), open: Vec::new() };
    closure.folders.insert(folder.to_string());
    for root in roots {
        closure.kustomization(folder, root)?;
    }
    // A list and no recursion: a chain of overlays may be as long as a hostile author likes.
    while let Some((folder, own)) = closure.open.pop() {
        if let Some(document) = kustomization(tree, &own) {
            closure.kustomization(&folder, &document)?;
        }
    }
    Ok(closure.files)
}

struct Closure<'a> {
    tree: &'a Tree<'a>,
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
    /// Folders that are still to be read, and their Kustomize files.
    open: Vec<(String, String)>,
}

/// Lists of paths of plain files.
const FILE_LISTS: [&str; 2] = ["configurations", "crds"];

/// Lists of objects whose `path` names a file.
const PATH_LISTS: [&str; 3] = ["patches", "patchesJson6902", "replacements"];

/// Lists of plugins.
const PLUGINS: [&str; 3] = ["generators", "transformers", "validators"];

impl Closure<'_> {
    fn kustomization(&mut self, folder: &str, file: &Document) -> Result<(), Refusal> {
        let root = &file.root;
        written_in_place(file)?;
        for list in ["resources", "components", "bases"] {
            for item in root.items(&[list]) {
                self.resource(folder, file, item)?;
            }
        }
        for list in FILE_LISTS {
            for item in root.items(&[list]) {
                self.file(folder, file, item, text_of(item))?;
            }
        }
        for list in PATH_LISTS {
            for item in root.items(&[list]) {
                self.file(folder, file, item, item.text(&["path"]))?;
            }
        }
        for item in root.items(&["patchesStrategicMerge"]) {
            // An entry is a path, or the patch itself.
            let path = text_of(item).filter(|text| !text.contains('\n'));
            self.file(folder, file, item, path)?;
        }
        if let Some(item) = root.at(&["openapi", "path"]) {
            self.file(folder, file, item, text_of(item))?;
        }
        for list in ["configMapGenerator", "secretGenerator"] {
            for generator in root.items(&[list]) {
                self.generator(folder, file, generator)?;
            }
        }
        for list in PLUGINS {
            for item in root.items(&[list]) {
                self.plugin(folder, file, item)?;
            }
        }
        Ok(())
    }

    fn generator(
        &mut self,
        folder: &str,
        file: &Document,
        generator: &Item,
    ) -> Result<(), Refusal> {
        for item in generator.items(&["files"]) {
            let path =
                text_of(item).map(|text| text.split_once('=').map_or(text, |(_, path)| path));
            self.data(folder, file, item, path)?;
        }
        for item in generator.items(&["envs"]).iter().chain(generator.at(&["env"])) {
            self.data(folder, file, item, text_of(item))?;
        }
        Ok(())
    }

    /// A manifest, or a folder with a Kustomize file. What is not there is left to Kustomize, so
    /// that it says so in its own words.
    fn resource(&mut self, folder: &str, file: &Document, item: &Item) -> Result<(), Refusal> {
        let Some(path) = self.path(folder, file, item, text_of(item))? else { return Ok(()) };
        self.must_be_read(&path)?;
        if self.tree.is_file(&path) {
            self.files.insert(path);
            return Ok(());
        }
        let Some(own) = self.tree.kustomization(&path) else { return Ok(()) };
        self.must_be_read(&own)?;
        self.files.insert(own.clone());
        // Overlays that take in each other are for Kustomize to refuse.
        if self.folders.insert(path.clone()) {
            self.open.push((path, own));
        }
        Ok(())
    }

    /// A file that Kustomize reads as YAML.
    fn file(
        &mut self,
        folder: &str,
        file: &Document,
        item: &Item,
        path: Option<&str>,
    ) -> Result<(), Refusal> {
        if let Some(path) = self.path(folder, file, item, path)? {
            self.must_be_read(&path)?;
            self.take(path);
        }
        Ok(())
    }

    fn must_be_read(&self, path: &str) -> Result<(), Refusal> {
        self.tree.unread(path).map_or(Ok(()), |error| Err(Refusal::Unread(error.clone())))
    }

    /// A file that is taken as it is.
    fn data(
        &mut self,
        folder: &str,
        file: &Document,
        item: &Item,
        path: Option<&str>,
    ) -> Result<(), Refusal> {
        if let Some(path) = self.path(folder, file, item, path)? {
            self.take(path);
        }
        Ok(())
    }

    /// What is not there is left to Kustomize, so that it says so in its own words.
    fn take(&mut self, path: String) {
        if self.tree.is_file(&path) {
            self.files.insert(path);
        }
    }

    fn path(
        &self,
        folder: &str,
        file: &Document,
        item: &Item,
        path: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let Some(path) = path else { return Ok(None) };
        let location = || SourceLocation::new(file.location.file.clone(), item.line);
        if is_remote(path) {
            return Err(Refusal::Remote { what: path.to_string(), location: location() });
        }
        match resolved(folder, path) {
            Some(path) => Ok(Some(path)),
            None => Err(Refusal::Escapes { what: path.to_string(), location: location() }),
        }
    }

    /// A plugin's configuration, in place or in a file. Only those of Kustomize's own that read
    /// no file are let through.
    fn plugin(&mut self, folder: &str, file: &Document, item: &Item) -> Result<(), Refusal> {
        let location = SourceLocation::new(file.location.file.clone(), item.line);
        let refused =
            |what: &str| Refusal::Plugin { what: what.to_string(), location: location.clone() };
        let Some(entry) = text_of(item) else { return Err(refused("plugin")) };
        let in_place = entry.contains('\n').then(|| documents("plugin", entry).ok());
        let configured: Vec<Cow<'_, Document>> = match in_place {
            Some(parsed) => parsed.unwrap_or_default().into_iter().map(Cow::Owned).collect(),
            None => {
                let path = self.path(folder, file, item, Some(entry))?.unwrap_or_default();
                let found = self.tree.documents_of(&path).map(Cow::Borrowed).collect();
                self.files.insert(path);
                found
            }
        };
        if configured.is_empty() {
            return Err(refused(entry));
        }
        match configured.iter().find(|document| !is_harmless(document)) {
            Some(document) => Err(refused(document.kind())),
            None => Ok(()),
        }
    }
}

/// The Kustomize file at a path; none where it is no YAML.
pub(super) fn kustomization<'a>(tree: &Tree<'a>, path: &str) -> Option<Cow<'a, Document>> {
    if let Some(document) = tree.documents_of(path).next() {
        return Some(Cow::Borrowed(document));
    }
    // A file named `Kustomization` has no ending that tells it is YAML.
    let parsed = documents(&tree.name(path), tree.text(path)?).ok()?;
    parsed.into_iter().next().map(Cow::Owned)
}

/// Patches and plugins that are written into the Kustomize file as texts are YAML too.
pub(super) fn written_in_place(file: &Document) -> Result<(), Refusal> {
    let root = &file.root;
    let patches = ["patches", "patchesJson6902"].into_iter().flat_map(|list| root.items(&[list]));
    let patches = patches.filter_map(|item| Some((item.line, item.text(&["patch"])?)));
    let lists = ["patchesStrategicMerge", "generators", "transformers", "validators"];
    let texts = lists.into_iter().flat_map(|list| root.items(&[list]));
    let texts = texts.filter_map(|item| Some((item.line, text_of(item)?)));
    for (line, text) in patches.chain(texts) {
        if let Err(mut error) = documents(&file.location.file, text) {
            // Lines of the text begin where it is written.
            error.location.line += line;
            return Err(Refusal::Unread(error));
        }
    }
    Ok(())
}

fn text_of(item: &Item) -> Option<&str> {
    match &item.node {
        Node::Scalar(text) => Some(text),
        _ => None,
    }
}

/// Whether Kustomize could take it for something to fetch. It is stricter than Kustomize, for
/// which some of these would be paths.
pub(super) fn is_remote(path: &str) -> bool {
    let start = |prefix: &str| {
        path.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let first = path.split('/').next().unwrap_or_default();
    path.contains("://")
        || first.contains('@')
        || ["git::", "gh:", "github.com"].into_iter().any(start)
}

fn is_harmless(document: &Document) -> bool {
    const READING: [&str; 6] = ["path", "paths", "files", "envs", "env", "chartHome"];
    let builtin = document.root.text(&["apiVersion"]) == Some("builtin");
    let reads = |key: &str| document.root.get(key).is_some();
    let helm = document.kind().contains("Helm");
    let nested =
        document.root.items(&["replacements"]).iter().any(|item| item.get("path").is_some());
    builtin && !helm && !nested && !READING.iter().any(|key| reads(key))
}

#[cfg(test)]
#[path = "closure_tests.rs"]
mod tests;
