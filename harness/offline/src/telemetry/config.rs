//! A program's configuration out of a ConfigMap, with the lines of the file it was made from.

use partywall_core::document::{Document, Item, Node, documents};
use partywall_core::layout::folder_of;
use partywall_core::source::SourceLocation;

use super::container::Container;
use super::estate::{Parsed, Telemetry};
use crate::render::{Object, Rendered};
use crate::scan::join;

/// A parsed configuration.
#[derive(Clone, Debug)]
pub(super) struct ConfigFile {
    pub(super) root: Item,
    file: String,
    /// The line of `file` before the first of the configuration; `None` where lines are unknown
    /// and all is said of one line.
    before: Option<u64>,
    start: u64,
}

impl ConfigFile {
    /// Where a line of the configuration is written.
    pub(super) fn at(&self, item: &Item) -> SourceLocation {
        let line = self.before.map_or(self.start, |before| before + item.line);
        SourceLocation::new(self.file.clone(), line)
    }
}

/// The configuration at a path in a container.
pub(super) fn read(estate: &Telemetry<'_>, container: &Container<'_>, path: &str) -> Parsed {
    let (name, key) = container.mounted(path)?;
    let namespace = container.workload.object.namespace();
    let id = (namespace.to_string(), name.clone(), key.clone());
    estate.parsed(id, || {
        let object = estate.find("ConfigMap", namespace, &name);
        let object = object.ok_or_else(|| format!("ConfigMap {name} is not in the files"))?;
        parse(estate.rendered, object, &key)
    })
}

fn parse(rendered: &Rendered, object: &Object, key: &str) -> Result<ConfigFile, String> {
    let missing = || format!("{} has no key `{key}`", object.label());
    let text = object.text(&["data", key]).ok_or_else(missing)?;
    let label = format!("`{key}` of {}", object.label());
    let parsed = documents(&label, text).map_err(|_| format!("{label} is not YAML"))?;
    let first = parsed.into_iter().next().ok_or_else(|| format!("{label} is empty"))?;
    let (file, before, start) = source(rendered, object, key, text);
    Ok(ConfigFile { root: first.root, file, before, start })
}

/// The line of a text that a ConfigMap or a Secret has under a key.
pub(super) fn line_in(
    rendered: &Rendered,
    object: &Object,
    key: &str,
    text: &str,
    line: u64,
) -> SourceLocation {
    let (file, before, start) = source(rendered, object, key, text);
    SourceLocation::new(file, before.map_or(start, |before| before + line))
}

/// The file an object's value was written in: the generator's, or the manifest itself.
fn source(
    rendered: &Rendered,
    object: &Object,
    key: &str,
    text: &str,
) -> (String, Option<u64>, u64) {
    let files = &rendered.sources.files;
    let folder = folder_of(&object.origin.file);
    let same = |path: &&String| files[*path].trim_end() == text.trim_end();
    let beside = files.keys().filter(|path| path.starts_with(folder)).find(same);
    if let Some(path) = generated(rendered, object, key).as_ref().or(beside) {
        return (path.clone(), Some(0), 1);
    }
    let written = rendered.locate(object, &["data", key]);
    let within = files.get(&written.file).and_then(|file| first_line_of(file, text));
    (written.file, within, written.line)
}

/// The file that a generator's entry names for this key.
fn generated(rendered: &Rendered, object: &Object, key: &str) -> Option<String> {
    let file = &object.origin.file;
    let is_kustomization = |document: &&Document| document.location.file == *file;
    let document = rendered.sources.documents.iter().find(is_kustomization)?;
    let generators = match object.kind() {
        "Secret" => "secretGenerator",
        _ => "configMapGenerator",
    };
    for entry in document.root.items(&[generators]) {
        let name = entry.text(&["name"]).unwrap_or_default();
        // A generated name has a hash after it.
        let rest = object.name().strip_prefix(name);
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
            continue;
        }
        for item in entry.items(&["files"]) {
            let Node::Scalar(listed) = &item.node else { continue };
            let named = listed.rsplit_once('/').map_or(listed.as_str(), |(_, last)| last);
            let (name, path) = listed.split_once('=').unwrap_or((named, listed));
            let path = join(folder_of(file), path);
            if name == key && rendered.sources.files.contains_key(&path) {
                return Some(path);
            }
        }
    }
    None
}

/// The line before the one where `text` begins inside of `file`, however it is indented.
pub(crate) fn first_line_of(file: &str, text: &str) -> Option<u64> {
    let lines: Vec<&str> = file.lines().map(str::trim).collect();
    let wanted: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
    let position = lines.windows(wanted.len().max(1)).position(|window| window == wanted)?;
    u64::try_from(position).ok()
}
