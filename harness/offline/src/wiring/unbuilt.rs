//! What a Kustomization that does not build would apply, as it is written.

use partywall_core::Layout;
use partywall_core::document::{Document, Item, Node};
use serde_json::{Map, Value};

use super::Kustomization;
use crate::landing::files_of;
use crate::render::{Object, Rendered};

/// Objects in the files that an unbuilt Kustomization takes in, in the namespace that its folder
/// gives them. Patches and generators are not applied.
pub(super) fn objects(layout: &Layout, rendered: &Rendered) -> Vec<Object> {
    let mut found = Vec::new();
    for kustomization in Kustomization::all(rendered) {
        let label = kustomization.label();
        let is_built = rendered.objects.iter().any(|object| object.applied_by == label);
        if is_built || kustomization.is_ready(rendered) {
            continue;
        }
        let folder = kustomization.path();
        let files = files_of(layout, &folder);
        let namespace =
            layout.kustomization_in(&folder).and_then(|root| root.root.text(&["namespace"]));
        let taken = layout.documents.iter().filter(|one| files.contains(&one.location.file));
        found.extend(taken.map(|document| object(document, namespace, &label)));
    }
    found
}

fn object(document: &Document, namespace: Option<&str>, applied_by: &str) -> Object {
    let mut value = json(&document.root);
    if let (Some(namespace), Some(metadata)) =
        (namespace, value.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.insert("namespace".to_string(), namespace.into());
    }
    Object { value, origin: document.location.clone(), applied_by: applied_by.to_string() }
}

fn json(item: &Item) -> Value {
    match &item.node {
        Node::Null => Value::Null,
        Node::Scalar(text) => Value::String(text.clone()),
        Node::Sequence(items) => items.iter().map(json).collect(),
        Node::Mapping(entries) => {
            let entries = entries.iter().map(|(key, item)| (key.clone(), json(item)));
            Value::Object(entries.collect::<Map<String, Value>>())
        }
    }
}
