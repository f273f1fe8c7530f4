//! The files of every repository, in one space of paths.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::Layout;
use partywall_core::document::Document;
use partywall_core::source::LoadError;

use super::options::Repository;

/// The names under which Kustomize looks for its file in a folder, in its order.
const KUSTOMIZE_FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The written files: those of the layout by their path, those of other repositories by their
/// path relative to the layout's root.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) layout: Layout,
    by_file: BTreeMap<String, Vec<usize>>,
}

impl Sources {
    pub(super) fn new(layout: &Layout, repositories: &[Repository]) -> Self {
        let mut all = layout.clone();
        for repository in repositories {
            let prefix = prefix(&repository.prefix);
            if prefix.is_empty() {
                continue;
            }
            let name = |path: &String| format!("{prefix}{path}");
            let files: BTreeMap<String, String> =
                repository.files.iter().map(|(path, text)| (name(path), text.clone())).collect();
            let further = Layout::lenient(files);
            all.files.extend(further.files);
            all.documents.extend(further.documents);
            all.unread.extend(further.unread);
        }
        let mut by_file: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, document) in all.documents.iter().enumerate() {
            by_file.entry(document.location.file.clone()).or_default().push(index);
        }
        Self { layout: all, by_file }
    }

    /// The documents of a file.
    pub(super) fn documents_of(&self, file: &str) -> impl Iterator<Item = &Document> + use<'_> {
        let indices = self.by_file.get(file).into_iter().flatten();
        indices.filter_map(|index| self.layout.documents.get(*index))
    }
}

/// What stands before every path of a repository.
pub(super) fn prefix(folder: &str) -> String {
    let folder = folder.trim_end_matches('/');
    let folder = folder.strip_prefix("./").unwrap_or(folder);
    if folder.is_empty() || folder == "." { String::new() } else { format!("{folder}/") }
}

/// One repository: the paths behind a prefix.
#[derive(Clone, Debug)]
pub(super) struct Tree<'a> {
    pub(super) sources: &'a Sources,
    pub(super) prefix: String,
}

impl<'a> Tree<'a> {
    /// The name of a path in [`Sources`].
    pub(super) fn name(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub(super) fn text(&self, path: &str) -> Option<&'a str> {
        self.sources.layout.files.get(&self.name(path)).map(String::as_str)
    }

    /// Why a YAML file could not be read, if that is so.
    pub(super) fn unread(&self, path: &str) -> Option<&'a LoadError> {
        let name = self.name(path);
        self.sources.layout.unread.iter().find(|error| error.location.file == name)
    }

    pub(super) fn is_file(&self, path: &str) -> bool {
        self.text(path).is_some()
    }

    pub(super) fn documents_of(&self, path: &str) -> impl Iterator<Item = &'a Document> {
        let name = self.name(path);
        self.sources.documents_of(&name)
    }

    /// Paths of the files at and below a folder, in order.
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = &'a str> {
        let within = if folder.is_empty() {
            self.prefix.clone()
        } else {
            format!("{}{folder}/", self.prefix)
        };
        let skipped = self.prefix.len();
        let files = self.sources.layout.files.range(within.clone()..);
        let names = files.map(|(name, _)| name.as_str());
        names
            .take_while(move |name| name.starts_with(&within))
            .filter_map(move |name| name.get(skipped..))
            // Another repository may stand beside the layout, and is no part of it.
            .filter(move |path| !path.starts_with("../"))
    }

    pub(super) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.below(path).next().is_some()
    }

    /// The path of a folder's Kustomize file.
    pub(super) fn kustomization(&self, folder: &str) -> Option<String> {
        KUSTOMIZE_FILES.iter().map(|name| within(folder, name)).find(|path| self.is_file(path))
    }

    /// What Flux lists in the file that it makes for a folder without one: every YAML file below
    /// it, and every folder that has a Kustomize file in place of what that folder holds.
    pub(super) fn listed(&self, folder: &str) -> BTreeSet<String> {
        let mut listed = BTreeSet::new();
        let skipped = if folder.is_empty() { 0 } else { folder.len() + 1 };
        for path in self.below(folder) {
            let Some(inner) = path.get(skipped..) else { continue };
            let above = inner.match_indices('/').map(|(at, _)| &inner[..at]);
            let own = |inner: &&str| self.kustomization(&within(folder, inner)).is_some();
            if let Some(overlay) = above.clone().find(own) {
                listed.insert(overlay.to_string());
            } else if partywall_core::layout::is_yaml(inner) && !left_out(inner) {
                listed.insert(inner.to_string());
            }
        }
        listed
    }
}

/// Files that Flux's source-controller leaves out of what it hands on.
fn left_out(path: &str) -> bool {
    const NAMES: [&str; 12] = [
        ".goreleaser.yml",
        ".sops.yaml",
        ".flux.yaml",
        ".travis.yml",
        ".gitlab-ci.yml",
        "appveyor.yml",
        ".drone.yml",
        "cloudbuild.yaml",
        "codeship-services.yml",
        "codeship-steps.yml",
        ".github",
        ".circleci",
    ];
    path.split('/').any(|part| NAMES.contains(&part))
}

/// A path in a folder, without looking at `..`.
pub(super) fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") }
}

/// The path that `relative` means in `folder`; none where it leaves the tree.
pub(super) fn resolved(folder: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a/b", "../c", Some("a/c"))]
    #[case("a", "./x/../y.yaml", Some("a/y.yaml"))]
    #[case("", "x", Some("x"))]
    #[case("a", "../../x", None)]
    #[case("a", "/etc/passwd", None)]
    fn resolves(#[case] folder: &str, #[case] path: &str, #[case] expected: Option<&str>) {
        assert_eq!(resolved(folder, path).as_deref(), expected);
    }

    #[test]
    fn lists_what_flux_would() {
        let files = [
            "clusters/a/.sops.yaml",
            "clusters/a/one.yaml",
            "clusters/a/deep/two.yml",
            "clusters/a/overlay/kustomization.yaml",
            "clusters/a/overlay/three.yaml",
            "clusters/a/overlay/deeper/four.yaml",
            "clusters/a/note.txt",
            "clusters/b/five.yaml",
        ];
        let files = files.map(|path| (path.to_string(), "kind: X\n".to_string())).into();
        let sources = Sources::new(&Layout::new(files).unwrap(), &[]);
        let tree = Tree { sources: &sources, prefix: String::new() };
        let listed: Vec<String> = tree.listed("clusters/a").into_iter().collect();
        assert_eq!(listed, ["deep/two.yml", "one.yaml", "overlay"]);
    }

    #[test]
    fn a_repository_beside_the_layout_is_no_part_of_it() {
        let one = |name: &str| BTreeMap::from([(name.to_string(), "kind: X\n".to_string())]);
        let layout = Layout::new(one("a.yaml")).unwrap();
        let charts = Repository {
            prefix: "../charts".to_string(),
            files: one("b.yaml"),
            ..Repository::default()
        };
        let sources = Sources::new(&layout, &[charts]);
        let own = Tree { sources: &sources, prefix: String::new() };
        let other = Tree { sources: &sources, prefix: "../charts/".to_string() };
        assert_eq!(own.below("").collect::<Vec<_>>(), ["a.yaml"]);
        assert_eq!(other.below("").collect::<Vec<_>>(), ["b.yaml"]);
        assert_eq!(other.documents_of("b.yaml").next().unwrap().location.file, "../charts/b.yaml");
    }
}
