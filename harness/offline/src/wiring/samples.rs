//! Small layouts and what they render to, for tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::document::{Document, Item, Node};
use partywall_core::source::SourceLocation;
use serde_json::Value;

use crate::render::{Object, Rendered};

/// A layout out of paths and texts.
pub(crate) fn layout(files: &[(&str, &str)]) -> Layout {
    let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string()));
    Layout::new(files.collect()).unwrap()
}

/// The objects of a layout as they are written. Those of these files are applied by these; the
/// others by the root.
pub(crate) fn rendered(layout: &Layout, applied_by: &[(&str, &str)]) -> Rendered {
    let object = |document: &Document| {
        let file = &document.location.file;
        let by = applied_by.iter().find(|(path, _)| path == file);
        Object {
            value: value(&document.root),
            origin: document.location.clone(),
            applied_by: by.map_or("Kustomization f/root", |(_, by)| by).to_string(),
        }
    };
    let objects = layout.documents.iter().filter(|one| one.root.get("metadata").is_some());
    let objects = objects.map(object).collect();
    Rendered { objects, sources: layout.clone().into(), ..Rendered::default() }
}

/// A contract of two tenants with keys of their own.
pub(crate) fn contract() -> Contract {
    let tenant = |letter: &str, key: &str| {
        format!(
            "  - name: customer-{letter}\n    namespaces: [customer-{letter}]\n    org: {letter}\n    secrets: {{files: [customers/{letter}/secrets.yaml], recipients: [{key}], keySecret: f/key-{letter}}}\n"
        )
    };
    let text = format!(
        "apiVersion: partywall.dev/v1alpha1\nkind: Contract\ntenants:\n{}{}platform: [observability, shared-services]\nendpoints:\n  loki: {{in: observability, pods: {{app: loki}}, ports: [3100/TCP]}}\nflows: []\n",
        tenant("a", OWNER),
        tenant("b", OTHER)
    );
    Contract::load("partywall.yaml", &text).unwrap()
}

/// The recipient of `tests/data/types.yaml`, and the first of `two-recipients.yaml`.
pub(crate) const OWNER: &str = "age1zh0cykdpdlvxe2hca0czk5j2fagqj4phkyda0v2wxfgy0gnvq30qdzae63";
/// The second recipient of `tests/data/two-recipients.yaml`.
pub(crate) const OTHER: &str = "age1wnwl2ahlwptg4al685qchrxz258l39nudkh7cyqsd2q4krhdzu5q5ect25";
/// A file sealed to [`OWNER`].
pub(crate) const SEALED: &str = include_str!("../../tests/data/types.yaml");
/// A file sealed to [`OWNER`] and [`OTHER`].
pub(crate) const SEALED_TO_TWO: &str = include_str!("../../tests/data/two-recipients.yaml");

fn value(item: &Item) -> Value {
    match &item.node {
        Node::Null => Value::Null,
        Node::Scalar(text) => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            text => text.into(),
        },
        Node::Sequence(items) => items.iter().map(value).collect(),
        Node::Mapping(entries) => {
            Value::Object(entries.iter().map(|(key, item)| (key.clone(), value(item))).collect())
        }
    }
}

/// A generated Secret whose entry `values.yaml` is a text.
pub(crate) fn secret(namespace: &str, name: &str, text: &str, applied_by: &str) -> Object {
    let metadata = serde_json::json!({"name": name, "namespace": namespace});
    let data = serde_json::json!({"values.yaml": STANDARD.encode(text)});
    Object {
        value: serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data,
        }),
        origin: SourceLocation::new("customers/a/kustomization.yaml", 3),
        applied_by: applied_by.to_string(),
    }
}
