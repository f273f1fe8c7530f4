//! A `deployments/` repository as facts: its files, and the objects written in them.

use std::collections::BTreeMap;

use crate::document::{Document, documents};
use crate::source::{LoadError, SourceLocation};

/// A layout's files and the objects in them. Loading from disk or from a Git revision is the
/// business of the caller.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Text files by their path relative to the root.
    pub files: BTreeMap<String, String>,
    /// Every YAML document of every YAML file, in the order of paths.
    pub documents: Vec<Document>,
    /// YAML files that could not be read as YAML, and why; empty unless loaded leniently.
    pub unread: Vec<LoadError>,
}

impl Layout {
    /// Parse the YAML files among `files`.
    pub fn new(files: BTreeMap<String, String>) -> Result<Self, LoadError> {
        let mut layout = Self::lenient(files);
        if layout.unread.is_empty() { Ok(layout) } else { Err(layout.unread.swap_remove(0)) }
    }

    /// Parse the YAML files among `files`, and keep by name those that are not YAML. Templates of
    /// a Helm chart are no YAML until they are rendered, and are not tried at all.
    pub fn lenient(files: BTreeMap<String, String>) -> Self {
        let (mut parsed, mut unread) = (Vec::new(), Vec::new());
        for (path, text) in &files {
            if !is_yaml(path) || is_chart_template(&files, path) {
                continue;
            }
            match documents(path, text) {
                Ok(found) => parsed.extend(found),
                Err(error) => unread.push(error),
            }
        }
        Self { files, documents: parsed, unread }
    }

    /// Objects of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Document> {
        self.documents.iter().filter(move |document| document.kind() == kind)
    }

    /// Names and places of the namespaces that the layout creates.
    pub fn namespaces(&self) -> BTreeMap<String, SourceLocation> {
        self.of_kind("Namespace")
            .map(|document| (document.name().to_string(), document.location.clone()))
            .collect()
    }

    /// The object of this kind and name whose namespace is this one, or is not written in its
    /// own file and stands in a folder that a kustomization puts there.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Document> {
        self.documents.iter().find(|document| {
            document.kind() == kind
                && document.name() == name
                && self.namespace_of(document) == namespace
        })
    }

    /// The namespace an object lands in: its own, or that of the kustomization beside it.
    pub fn namespace_of<'a>(&'a self, document: &'a Document) -> &'a str {
        if let Some(namespace) = document.namespace() {
            return namespace;
        }
        let folder = folder_of(&document.location.file);
        self.kustomization_in(folder)
            .and_then(|kustomization| kustomization.root.text(&["namespace"]))
            .unwrap_or_default()
    }

    /// The Kustomize file of a folder.
    pub fn kustomization_in(&self, folder: &str) -> Option<&Document> {
        let path = if folder.is_empty() {
            "kustomization.yaml".to_string()
        } else {
            format!("{folder}/kustomization.yaml")
        };
        self.documents.iter().find(|document| document.location.file == path)
    }

    /// The line of a file, without its end.
    pub fn line(&self, location: &SourceLocation) -> Option<&str> {
        let index = usize::try_from(location.line).ok()?.checked_sub(1)?;
        self.files.get(&location.file)?.lines().nth(index)
    }
}

/// Whether a path names a YAML file.
pub fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// Whether a path lies in the `templates` folder of a Helm chart.
fn is_chart_template(files: &BTreeMap<String, String>, path: &str) -> bool {
    let places = path.match_indices("templates/").map(|(at, _)| &path[..at]);
    let mut charts = places.filter(|chart| chart.is_empty() || chart.ends_with('/'));
    charts.any(|chart| files.contains_key(&format!("{chart}Chart.yaml")))
}

/// The folder of a path, without a slash at its end; empty for the root.
pub fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(files: &[(&str, &str)]) -> Layout {
        let files = files.iter().map(|(p, t)| (p.to_string(), t.to_string())).collect();
        Layout::new(files).unwrap()
    }

    #[test]
    fn an_object_lands_where_its_kustomization_says() {
        let layout = layout(&[
            ("customers/a/kustomization.yaml", "namespace: customer-a\nresources: [np.yaml]\n"),
            ("customers/a/np.yaml", "kind: NetworkPolicy\nmetadata: {name: deny}\n"),
        ]);
        let found = layout.find("NetworkPolicy", "customer-a", "deny").unwrap();
        assert_eq!(found.location.to_string(), "customers/a/np.yaml:1");
    }

    #[test]
    fn what_is_not_yaml_is_kept_by_name() {
        let files = [
            ("chart/Chart.yaml", "name: c\n"),
            ("chart/templates/a/x.yaml", "{{ if .Values.x }}\n"),
            ("broken.yaml", "a: [\n"),
            ("ns.yaml", "kind: Namespace\n"),
        ];
        let files: BTreeMap<_, _> = files.map(|(p, t)| (p.to_string(), t.to_string())).into();
        let layout = Layout::lenient(files.clone());
        let unread: Vec<&str> = layout.unread.iter().map(|e| e.location.file.as_str()).collect();
        assert_eq!(unread, ["broken.yaml"]);
        assert_eq!(layout.documents.len(), 2);
        assert_eq!(Layout::new(files).unwrap_err().location.file, "broken.yaml");
    }

    #[test]
    fn namespaces_are_found_with_their_place() {
        let layout = layout(&[("ns.yaml", "kind: Namespace\nmetadata:\n  name: customer-a\n")]);
        assert_eq!(layout.namespaces()["customer-a"].to_string(), "ns.yaml:1");
    }
}
