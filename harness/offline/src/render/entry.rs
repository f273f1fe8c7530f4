//! Where Flux begins: what its installation applies before anything else.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::document::Document;
use partywall_core::layout::folder_of;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::object::parse_stream;
use super::options::RenderError;
use super::scope::group_of;

/// The file that `flux bootstrap` writes.
pub(crate) const SYNC_FILE: &str = "gotk-sync.yaml";

/// Groups of Flux whose objects make others.
pub(super) const KUSTOMIZE_GROUP: &str = "kustomize.toolkit.fluxcd.io";
pub(super) const HELM_GROUP: &str = "helm.toolkit.fluxcd.io";
pub(super) const SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";

/// Objects that stand before the first Kustomization is applied.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Flux Kustomizations and their sources.
    pub(super) objects: Vec<(Value, SourceLocation)>,
    /// Whether a sync file says so. Where none does, a source that nobody wrote is taken for the
    /// layout itself: something must sync it.
    pub(super) synced: bool,
}

/// The objects that Flux begins with. `entry` names one of several clusters.
pub(super) fn find(layout: &Layout, entry: Option<&str>) -> Result<Entry, RenderError> {
    let is_sync = |file: &&String| file.rsplit('/').next() == Some(SYNC_FILE);
    let has_root = |file: &&String| kustomizations(layout).any(|one| one.location.file == **file);
    let files: Vec<String> =
        layout.files.keys().filter(is_sync).filter(has_root).cloned().collect();
    let chosen: Vec<String> = match entry.map(clean) {
        Some(entry) => {
            let meant = |file: &&String| *file == &entry || folder_of(file) == entry;
            files.iter().filter(meant).cloned().collect()
        }
        None => files.clone(),
    };
    match chosen.as_slice() {
        [file] => Ok(Entry { objects: flux_objects(layout, file), synced: true }),
        [] => unsynced(layout, entry, files),
        _ => Err(RenderError::ManyClusters { files: chosen }),
    }
}

fn clean(entry: &str) -> String {
    crate::scan::join("", entry)
}

/// Without a sync file: the Kustomizations that no other one brings.
fn unsynced(
    layout: &Layout,
    entry: Option<&str>,
    files: Vec<String>,
) -> Result<Entry, RenderError> {
    let folder = entry.map(clean);
    let meant = |one: &&Document| {
        let file = &one.location.file;
        folder
            .as_ref()
            .is_none_or(|folder| file == folder || file.starts_with(&format!("{folder}/")))
    };
    let all: Vec<&Document> = kustomizations(layout).filter(meant).collect();
    if let (Some(entry), true) = (entry, all.is_empty()) {
        return Err(RenderError::UnknownEntry { entry: entry.to_string(), files });
    }
    let brought = |one: &&&Document| all.iter().any(|other| brings(other, one));
    let mut roots: Vec<&Document> = all.iter().filter(|one| !brought(one)).copied().collect();
    if roots.is_empty() {
        roots.clone_from(&all);
    }
    refuse_many(layout, &roots)?;
    let mut objects = Vec::new();
    for document in &roots {
        objects.extend(value_of(layout, document));
    }
    for source in layout.of_kind("GitRepository").filter(|source| source.namespace().is_some()) {
        objects.extend(value_of(layout, source));
    }
    Ok(Entry { objects, synced: false })
}

/// Whether one Kustomization's folder holds the file of another.
fn brings(other: &Document, one: &Document) -> bool {
    let path = crate::scan::join("", other.root.text(&["spec", "path"]).unwrap_or_default());
    let same = other.location == one.location;
    let inside = one.location.file.starts_with(&format!("{path}/"));
    !same && inside && !other.location.file.starts_with(&format!("{path}/"))
}

/// The same name twice means two clusters.
fn refuse_many(layout: &Layout, roots: &[&Document]) -> Result<(), RenderError> {
    let mut by_name: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for root in roots {
        let name = (layout.namespace_of(root), root.name());
        by_name.entry(name).or_default().push(root.location.file.clone());
    }
    match by_name.into_values().find(|files| files.len() > 1) {
        Some(files) => Err(RenderError::ManyClusters { files }),
        None => Ok(()),
    }
}

fn kustomizations(layout: &Layout) -> impl Iterator<Item = &Document> {
    layout.of_kind("Kustomization").filter(|one| group(one) == KUSTOMIZE_GROUP)
}

fn group(document: &Document) -> &str {
    group_of(document.root.text(&["apiVersion"]).unwrap_or_default())
}

/// Every object of Flux in a file.
fn flux_objects(layout: &Layout, file: &str) -> Vec<(Value, SourceLocation)> {
    let documents = layout.documents.iter().filter(|document| document.location.file == file);
    let flux = documents.filter(|document| group(document).ends_with("toolkit.fluxcd.io"));
    flux.filter_map(|document| value_of(layout, document)).collect()
}

/// A written object with its types, and with the namespace in which it lands.
fn value_of(layout: &Layout, document: &Document) -> Option<(Value, SourceLocation)> {
    let file = &document.location.file;
    let values = parse_stream(file, layout.files.get(file)?).ok()?;
    let in_file = layout.documents.iter().filter(|one| one.location.file == *file);
    let index = in_file.take_while(|one| one.location != document.location).count();
    let mut value = values.into_iter().nth(index)?;
    let namespace = layout.namespace_of(document);
    if !namespace.is_empty() {
        value
            .get_mut("metadata")?
            .as_object_mut()?
            .insert("namespace".to_string(), namespace.into());
    }
    Some((value, document.location.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn flux(name: &str, path: &str) -> String {
        format!(
            "apiVersion: {KUSTOMIZE_GROUP}/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: f}}\n\
             spec: {{path: {path}}}\n"
        )
    }

    fn found(files: &[(&str, String)], entry: Option<&str>) -> Result<Vec<String>, String> {
        let files = files.iter().map(|(path, text)| (path.to_string(), text.clone())).collect();
        let entry = find(&Layout::new(files).unwrap(), entry).map_err(|error| error.to_string())?;
        let shown = |(value, place): (Value, SourceLocation)| {
            format!("{} {place}", value["metadata"]["name"].as_str().unwrap_or_default())
        };
        Ok(entry.objects.into_iter().map(shown).collect())
    }

    #[test]
    fn a_sync_file_says_where_to_begin() {
        let sync = format!("# text\n{}---\n{}", flux("root", "./x"), flux("other", "./y"));
        let files = [("c/gotk-sync.yaml", sync), ("x/apps.yaml", flux("apps", "./apps"))];
        assert_eq!(
            found(&files, None).unwrap(),
            ["root c/gotk-sync.yaml:2", "other c/gotk-sync.yaml:7"]
        );
    }

    #[rstest]
    #[case(Some("one"), Ok(vec!["a one/gotk-sync.yaml:1".to_string()]))]
    #[case(Some("./two/gotk-sync.yaml"), Ok(vec!["b two/gotk-sync.yaml:1".to_string()]))]
    #[case(None, Err("the layout describes 2 clusters: one/gotk-sync.yaml, two/gotk-sync.yaml (hint: name one of these files)".to_string()))]
    #[case(Some("three"), Err("`three` names no gotk-sync.yaml of the layout (there are: one/gotk-sync.yaml, two/gotk-sync.yaml)".to_string()))]
    fn several_clusters_need_a_choice(
        #[case] entry: Option<&str>,
        #[case] expected: Result<Vec<String>, String>,
    ) {
        let files = [
            ("one/gotk-sync.yaml", flux("a", "./one")),
            ("two/gotk-sync.yaml", flux("b", "./two")),
        ];
        assert_eq!(found(&files, entry), expected);
    }

    #[test]
    fn without_a_sync_file_the_outermost_begin() {
        let files = [
            ("clusters/c/apps.yaml", flux("apps", "./apps")),
            ("apps/more.yaml", flux("more", "./more")),
        ];
        assert_eq!(found(&files, None).unwrap(), ["apps clusters/c/apps.yaml:1"]);
        let twice = [("a/apps.yaml", flux("apps", "./x")), ("b/apps.yaml", flux("apps", "./y"))];
        assert!(found(&twice, None).unwrap_err().contains("2 clusters: a/apps.yaml, b/apps.yaml"));
        assert_eq!(found(&twice, Some("b")).unwrap(), ["apps b/apps.yaml:1"]);
        assert_eq!(found(&[("a.yaml", "kind: X\n".to_string())], None).unwrap(), [""; 0]);
    }
}
