//! What Flux would apply, with the lines that it comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use partywall_core::Layout;
use partywall_core::document::Document;
use partywall_core::event::NotJudged;
use partywall_core::source::{LoadError, SourceLocation, yaml_options};
use serde_json::Value;

use crate::defect::FluxObject;

/// The largest output of a program that is read, in bytes: many files make one.
const STREAM_BYTES_MAX: usize = 64 << 20;

/// One object as Flux would apply it.
#[derive(Clone, Debug)]
pub struct Object {
    /// The object. Values of sealed files are never in it in plaintext: they stay as SOPS wrote
    /// them.
    pub value: Value,
    /// Where it is written: its first line in a manifest, the generator's entry in a Kustomize
    /// file, or a chart's template. Paths are relative to the layout's root (`../charts/…` for a
    /// chart in another repository).
    pub origin: SourceLocation,
    /// Which object of Flux applies it: `Kustomization flux-system/customer-a`,
    /// `HelmRelease customer-a/open-webui`.
    pub applied_by: String,
}

impl Object {
    /// The text under a path of keys and list positions.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The value under a path of keys and list positions.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => value.get(step),
        })
    }

    /// `apiVersion`, or empty.
    pub fn api_version(&self) -> &str {
        text_of(&self.value, "apiVersion")
    }

    /// `kind`, or empty.
    pub fn kind(&self) -> &str {
        text_of(&self.value, "kind")
    }

    /// `metadata.name`, or empty.
    pub fn name(&self) -> &str {
        self.metadata("name")
    }

    /// `metadata.namespace`, or empty for objects of the whole cluster.
    pub fn namespace(&self) -> &str {
        self.metadata("namespace")
    }

    fn metadata(&self, key: &str) -> &str {
        self.value.get("metadata").map_or("", |metadata| text_of(metadata, key))
    }

    /// `metadata.labels`.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.text_map(&["metadata", "labels"])
    }

    /// A mapping of texts under a path.
    pub fn text_map(&self, path: &[&str]) -> BTreeMap<String, String> {
        let entries = self.at(path).and_then(Value::as_object).into_iter().flatten();
        entries
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string())))
            .collect()
    }

    /// The template of the pods that it makes, for every kind of Kubernetes' own that makes any.
    pub fn pod_template(&self) -> Option<&Value> {
        match self.kind() {
            "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "ReplicationController"
            | "Job" => self.at(&["spec", "template"]),
            "CronJob" => self.at(&["spec", "jobTemplate", "spec", "template"]),
            "Pod" => Some(&self.value),
            _ => None,
        }
    }

    /// For people: `NetworkPolicy customer-a/default-deny-all`.
    pub fn label(&self) -> String {
        match self.namespace() {
            "" => format!("{} {}", self.kind(), self.name()),
            namespace => format!("{} {namespace}/{}", self.kind(), self.name()),
        }
    }
}

/// A text right below a mapping, or nothing. Every search for an object asks for it, so that it
/// goes no long way round.
fn text_of<'a>(mapping: &'a Value, key: &str) -> &'a str {
    match mapping {
        Value::Object(entries) => match entries.get(key) {
            Some(Value::String(text)) => text,
            _ => "",
        },
        _ => "",
    }
}

/// A layout as Flux would apply it.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Every object, in the order in which it was found.
    pub objects: Vec<Object>,
    /// The state that every object of Flux would come to, for finding defects.
    pub flux: Vec<FluxObject>,
    /// What could not be rendered or is not known.
    pub not_judged: Vec<NotJudged>,
    /// The written files behind the objects: those of the layout, and those of other
    /// repositories by their path relative to the layout's root.
    pub sources: Arc<Layout>,
}

impl Rendered {
    /// Objects of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().filter(move |object| object.kind() == kind)
    }

    /// The object of this kind, namespace and name.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| {
            object.kind() == kind && object.namespace() == namespace && object.name() == name
        })
    }

    /// The line on which a part of an object is written, or the nearest part above it that is.
    pub fn locate(&self, object: &Object, path: &[&str]) -> SourceLocation {
        let Some(written) = self.written(&object.origin) else { return object.origin.clone() };
        let known = (0..=path.len()).rev().find_map(|steps| written.root.at(&path[..steps]));
        let line = known.map_or(object.origin.line, |item| item.line);
        SourceLocation::new(object.origin.file.clone(), line)
    }

    /// The document that starts on a line.
    fn written(&self, origin: &SourceLocation) -> Option<&Document> {
        self.sources.documents.iter().find(|document| document.location == *origin)
    }

    /// The lines of what begins at a line: those after it that are indented deeper, without the
    /// indentation that they share.
    pub fn block(&self, location: &SourceLocation, lines_max: usize) -> Option<String> {
        let text = self.sources.files.get(&location.file)?;
        let first = usize::try_from(location.line).ok()?.checked_sub(1)?;
        let mut lines = text.lines().skip(first);
        let head = lines.next()?;
        let depth = indentation(head);
        let below = lines.take_while(|line| line.trim().is_empty() || indentation(line) > depth);
        let mut block: Vec<&str> = std::iter::once(head).chain(below).take(lines_max).collect();
        while block.last().is_some_and(|line| line.trim().is_empty()) {
            block.pop();
        }
        let cut = |line: &&str| line.get(depth..).unwrap_or_default().trim_end().to_string();
        Some(block.iter().map(cut).collect::<Vec<_>>().join("\n"))
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Objects out of a text of many documents, as a program printed them. The text is a program's
/// output, so that its lines mean nothing to people.
pub fn parse_stream(label: &str, text: &str) -> Result<Vec<Value>, LoadError> {
    if text.len() > STREAM_BYTES_MAX {
        let message =
            format!("{} bytes are more than the {STREAM_BYTES_MAX} that are read", text.len());
        return Err(LoadError::at(label, 1, message));
    }
    let parsed: Vec<Value> = serde_saphyr::from_multiple_with_options(text, yaml_options())
        .map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            LoadError::at(label, line, "not valid YAML")
        })?;
    Ok(parsed.into_iter().filter(|value| !value.is_null()).collect())
}
