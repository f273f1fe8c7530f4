//! In which namespace a written object lands, through the overlays that take it in.

use std::collections::BTreeSet;

use partywall_core::Layout;
use partywall_core::document::{Document, Node};
use partywall_core::layout::folder_of;

use crate::scan::join;

/// Objects that land in a namespace: those that an overlay of that namespace takes in from
/// anywhere, and those that say so themselves. A file that its folder's Kustomize file does not
/// list is applied by nobody.
pub(crate) fn documents_in<'a>(layout: &'a Layout, namespace: &str) -> Vec<&'a Document> {
    let mut taken = BTreeSet::new();
    for overlay in overlays(layout, namespace) {
        taken.extend(files_of(layout, &overlay));
    }
    let lands = |document: &&Document| {
        taken.contains(&document.location.file)
            || (document.namespace() == Some(namespace) && is_applied(layout, document))
    };
    layout.documents.iter().filter(lands).collect()
}

/// Objects that would land in a namespace, if the Kustomize file beside them listed their file.
pub(crate) fn left_out<'a>(layout: &'a Layout, namespace: &str) -> Vec<&'a Document> {
    let beside = |document: &&Document| {
        layout.namespace_of(document) == namespace && !is_applied(layout, document)
    };
    layout.documents.iter().filter(beside).collect()
}

/// Whether the Kustomize file of the document's folder, if there is one, takes it in.
fn is_applied(layout: &Layout, document: &Document) -> bool {
    let folder = folder_of(&document.location.file);
    layout.kustomization_in(folder).is_none()
        || files_of(layout, folder).contains(&document.location.file)
}

/// Folders whose Kustomize file puts everything into this namespace.
pub(crate) fn overlays(layout: &Layout, namespace: &str) -> Vec<String> {
    let is_overlay = |document: &&Document| {
        document.location.file.ends_with("kustomization.yaml")
            && document.root.text(&["namespace"]) == Some(namespace)
    };
    let folder = |document: &Document| folder_of(&document.location.file).to_string();
    layout.documents.iter().filter(is_overlay).map(folder).collect()
}

/// Files that a Kustomize folder takes in, itself included.
pub(crate) fn files_of(layout: &Layout, folder: &str) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut open = vec![folder.to_string()];
    while let Some(folder) = open.pop() {
        let Some(kustomization) = layout.kustomization_in(&folder) else {
            continue;
        };
        // Overlays that take in each other are an error of the layout, not a reason to hang.
        if !files.insert(kustomization.location.file.clone()) {
            continue;
        }
        let root = &kustomization.root;
        let lists = ["resources", "bases", "components"].map(|key| root.items(&[key]));
        let patches = root.items(&["patches"]).iter().chain(root.items(&["patchesJson6902"]));
        let patched = patches.filter_map(|patch| patch.text(&["path"]));
        let listed = lists.into_iter().flatten().filter_map(|item| match &item.node {
            Node::Scalar(path) => Some(path.as_str()),
            _ => None,
        });
        for path in listed.chain(patched) {
            let path = join(&folder, path);
            if layout.files.contains_key(&path) {
                files.insert(path);
            } else {
                open.push(path);
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_lands_in_every_overlay() {
        let files = [
            ("base/kustomization.yaml", "resources: [np.yaml]\n"),
            ("base/np.yaml", "kind: NetworkPolicy\nmetadata: {name: deny}\n"),
            ("c/a/kustomization.yaml", "namespace: a\nresources: [../../base, own.yaml]\n"),
            ("c/a/own.yaml", "kind: ConfigMap\nmetadata: {name: own}\n"),
            ("c/b/kustomization.yaml", "namespace: b\nresources: [../../base]\n"),
        ];
        let files = files.map(|(path, text)| (path.to_string(), text.to_string())).into();
        let layout = Layout::new(files).unwrap();
        let names = |namespace| {
            let documents = documents_in(&layout, namespace);
            documents.iter().map(|d| d.name().to_string()).filter(|n| !n.is_empty()).collect()
        };
        let (a, b): (Vec<String>, Vec<String>) = (names("a"), names("b"));
        assert_eq!(a, ["deny", "own"]);
        assert_eq!(b, ["deny"]);
    }

    #[test]
    fn overlays_that_take_in_each_other_end() {
        let files = [
            ("a/kustomization.yaml", "resources: [../b]\n"),
            ("b/kustomization.yaml", "resources: [../a]\n"),
        ];
        let files = files.map(|(path, text)| (path.to_string(), text.to_string())).into();
        assert_eq!(files_of(&Layout::new(files).unwrap(), "a").len(), 2);
    }
}
