//! Where a built object is written.

use std::collections::BTreeSet;

use partywall_core::document::Document;
use partywall_core::source::SourceLocation;
use serde_json::{Map, Value};

use super::tree::{Tree, resolved, within};

/// The annotation in which Kustomize says where an object is from.
pub(super) const ANNOTATION: &str = "config.kubernetes.io/origin";

/// The build whose objects are to be placed.
pub(super) struct Origins<'a> {
    pub(super) tree: &'a Tree<'a>,
    /// The built folder; Kustomize's paths are relative to it.
    pub(super) folder: &'a str,
    /// Every file that was read.
    pub(super) read: &'a BTreeSet<String>,
}

impl Origins<'_> {
    /// Takes the annotation off an object and finds the line that it means.
    pub(super) fn take(&self, value: &mut Value) -> SourceLocation {
        let note = take_annotation(value).unwrap_or_default();
        let field = |name: &str| {
            let line = note.lines().map(str::trim).find_map(|line| line.strip_prefix(name))?;
            resolved(self.folder, line.trim().trim_matches(['"', '\'']))
        };
        let (kind, name) = (text(value, &["kind"]), text(value, &["metadata", "name"]));
        if let Some(file) = field("path:") {
            return self.manifest(&file, kind, name);
        }
        let generated = note.contains("ConfigMapGenerator") || note.contains("SecretGenerator");
        let place = field("configuredIn:").filter(|_| generated);
        place
            .and_then(|file| self.generator(&file, name))
            // A transformer that replaced the annotations hides where the object is written.
            .or_else(|| self.searched(kind, name))
            .unwrap_or_else(|| self.root())
    }

    fn manifest(&self, file: &str, kind: &str, name: &str) -> SourceLocation {
        let found = best(self.tree.documents_of(file), kind, name);
        found.map_or_else(
            || SourceLocation::new(self.tree.name(file), 1),
            |one| one.location.clone(),
        )
    }

    fn generator(&self, file: &str, name: &str) -> Option<SourceLocation> {
        let document = self.tree.documents_of(file).next()?;
        let entries =
            ["configMapGenerator", "secretGenerator"].map(|list| document.root.items(&[list]));
        let named = entries.into_iter().flatten().filter_map(|entry| {
            let written = entry.text(&["name"])?;
            name.contains(written).then_some((written.len(), entry.line))
        });
        let (_, line) = named.max()?;
        Some(SourceLocation::new(document.location.file.clone(), line))
    }

    fn searched(&self, kind: &str, name: &str) -> Option<SourceLocation> {
        let documents = self.read.iter().flat_map(|file| self.tree.documents_of(file));
        Some(best(documents, kind, name)?.location.clone())
    }

    fn root(&self) -> SourceLocation {
        let file = self.tree.kustomization(self.folder);
        let file = file.unwrap_or_else(|| within(self.folder, "kustomization.yaml"));
        SourceLocation::new(self.tree.name(&file), 1)
    }
}

/// The document of this kind whose name is, or is the longest part of, the built one: prefixes,
/// suffixes and hashes come on top of what is written.
fn best<'a>(
    documents: impl Iterator<Item = &'a Document>,
    kind: &str,
    name: &str,
) -> Option<&'a Document> {
    let candidates = documents.filter(|document| document.kind() == kind);
    let rank = |document: &&Document| match document.name() {
        written if written == name => usize::MAX,
        written if name.contains(written) => written.len(),
        _ => 0,
    };
    // Of equals the first one: it is where a reader looks.
    candidates.fold(None, |best: Option<&Document>, one| match best {
        Some(best) if rank(&best) >= rank(&one) => Some(best),
        _ => Some(one),
    })
}

pub(super) fn take_annotation(value: &mut Value) -> Option<String> {
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let note = remove(annotations, ANNOTATION);
    if annotations.is_empty() {
        remove(metadata, "annotations");
    }
    note?.as_str().map(str::to_string)
}

/// Removes an entry and keeps the order of the others.
fn remove(map: &mut Map<String, Value>, key: &str) -> Option<Value> {
    map.shift_remove(key)
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    let found = path.iter().try_fold(value, |value, key| value.get(key));
    found.and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tree::Sources;
    use partywall_core::Layout;
    use rstest::rstest;
    use serde_json::json;

    const NOTE_GENERATED: &str = "configuredIn: kustomization.yaml\nconfiguredBy:\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n";
    const NOTE_PATCHED: &str = "configuredIn: kustomization.yaml\nconfiguredBy:\n  apiVersion: builtin\n  kind: PatchTransformer\n";

    #[rstest]
    #[case("Service", "web", "path: ../base/all.yaml\n", "base/all.yaml:5")]
    #[case("Service", "pre-web-post", "path: ../base/all.yaml\n", "base/all.yaml:5")]
    #[case("Service", "web-two", "path: ../base/all.yaml\n", "base/all.yaml:8")]
    #[case("ConfigMap", "pre-values-abc", NOTE_GENERATED, "a/kustomization.yaml:4")]
    #[case("ConfigMap", "values-two-abc", NOTE_GENERATED, "a/kustomization.yaml:5")]
    #[case("Service", "web", NOTE_PATCHED, "base/all.yaml:5")]
    #[case("Pod", "web", "path: gone.yaml", "a/gone.yaml:1")]
    #[case("Pod", "web", "", "a/kustomization.yaml:1")]
    fn finds_the_line(
        #[case] kind: &str,
        #[case] name: &str,
        #[case] note: &str,
        #[case] expected: &str,
    ) {
        let all = "kind: ConfigMap\nmetadata: {name: web}\n---\n# text\nkind: Service\nmetadata: {name: web}\n---\nkind: Service\nmetadata: {name: web-two}\n";
        let own = "namespace: x\nresources: [../base]\nconfigMapGenerator:\n  - name: values\n  - name: values-two\n";
        let files = [("base/all.yaml", all), ("a/kustomization.yaml", own)];
        let read: BTreeSet<String> = files.iter().map(|(path, _)| (*path).to_string()).collect();
        let files = files.map(|(path, text)| (path.to_string(), text.to_string())).into();
        let sources = Sources::new(&Layout::new(files).unwrap(), &[]);
        let tree = Tree { sources: &sources, prefix: String::new() };
        let origins = Origins { tree: &tree, folder: "a", read: &read };
        let mut value =
            json!({"kind": kind, "metadata": {"name": name, "annotations": {ANNOTATION: note}}});
        assert_eq!(origins.take(&mut value).to_string(), expected);
        assert_eq!(value, json!({"kind": kind, "metadata": {"name": name}}));
    }
}
