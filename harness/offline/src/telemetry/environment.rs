//! The environment of a container, as far as the files tell it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::container::Container;
use super::estate::Telemetry;
use crate::render::Object;

/// One variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    /// Its value, or why the files do not tell it.
    pub(super) value: Result<String, String>,
    pub(super) location: SourceLocation,
}

pub(super) type Environment = BTreeMap<String, Variable>;

/// Every variable of a container; a later entry replaces an earlier one, as in the cluster.
pub(super) fn environment(estate: &Telemetry<'_>, container: &Container<'_>) -> Environment {
    let mut found = Environment::new();
    for (index, source) in list(container, "envFrom").enumerate() {
        let place = index.to_string();
        let location = container.locate(estate.rendered, &["envFrom", &place], "envFrom");
        for (name, value) in imported(estate, container, source) {
            found.insert(name, Variable { value, location: location.clone() });
        }
    }
    for (index, entry) in list(container, "env").enumerate() {
        let Some(name) = entry["name"].as_str() else { continue };
        let Some(value) = value_of(estate, container, entry) else { continue };
        let value = value.and_then(|text| expanded(&text, &found));
        let location = located(estate, container, index, name);
        found.insert(name.to_string(), Variable { value, location });
    }
    found
}

/// Lines are searched for telemetry's variables alone: there are many others.
fn located(
    estate: &Telemetry<'_>,
    container: &Container<'_>,
    index: usize,
    name: &str,
) -> SourceLocation {
    if !name.starts_with("OTEL_") {
        return container.workload.object.origin.clone();
    }
    container.locate(estate.rendered, &["env", &index.to_string()], name)
}

fn list<'a>(container: &Container<'a>, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    container.value[key].as_array().into_iter().flatten()
}

fn value_of(
    estate: &Telemetry<'_>,
    container: &Container<'_>,
    entry: &Value,
) -> Option<Result<String, String>> {
    let from = &entry["valueFrom"];
    if from.is_null() {
        return Some(Ok(entry["value"].as_str().unwrap_or_default().to_string()));
    }
    if let Some(path) = from["fieldRef"]["fieldPath"].as_str() {
        return Some(field(container, path));
    }
    for (reference, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
        let (name, key) = (from[reference]["name"].as_str(), from[reference]["key"].as_str());
        let (Some(name), Some(key)) = (name, key) else { continue };
        let namespace = container.workload.object.namespace();
        let object = estate.find(kind, namespace, name);
        let value = object.and_then(|object| entry_of(object, key));
        if value.is_none() && from[reference]["optional"] == true {
            return None;
        }
        let missing =
            || Err(format!("key `{key}` of {kind} {namespace}/{name} is not in the files"));
        return Some(value.unwrap_or_else(missing));
    }
    Some(Err("it comes from a source that is not known here".to_string()))
}

fn field(container: &Container<'_>, path: &str) -> Result<String, String> {
    let label = path.strip_prefix("metadata.labels['").and_then(|rest| rest.strip_suffix("']"));
    match (path, label) {
        ("metadata.namespace", _) => Ok(container.workload.object.namespace().to_string()),
        (_, Some(label)) => Ok(container.workload.labels().remove(label).unwrap_or_default()),
        _ => Err(format!("`{path}` is known in the cluster alone")),
    }
}

/// The variables of a ConfigMap or Secret that is taken in whole.
fn imported(
    estate: &Telemetry<'_>,
    container: &Container<'_>,
    source: &Value,
) -> Vec<(String, Result<String, String>)> {
    let namespace = container.workload.object.namespace();
    let prefix = source["prefix"].as_str().unwrap_or_default();
    let mut found = Vec::new();
    for (reference, kind) in [("configMapRef", "ConfigMap"), ("secretRef", "Secret")] {
        let Some(name) = source[reference]["name"].as_str() else { continue };
        let Some(object) = estate.find(kind, namespace, name) else { continue };
        let sections = ["data", "stringData"].map(|section| object.at(&[section]));
        let sections = sections.into_iter().flatten().filter_map(Value::as_object);
        let keys = sections.flat_map(|section| section.keys());
        let entries =
            keys.filter_map(|key| Some((format!("{prefix}{key}"), entry_of(object, key)?)));
        found.extend(entries);
    }
    found
}

/// The value under a key of a ConfigMap or Secret; a sealed one is nobody's to read.
fn entry_of(object: &Object, key: &str) -> Option<Result<String, String>> {
    let plain = object.text(&["stringData", key]).map(str::to_string);
    let data = object.text(&["data", key]).map(|text| match object.kind() {
        "Secret" if !text.starts_with("ENC[") => {
            let bytes = STANDARD.decode(text).ok();
            bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
        }
        _ => text.to_string(),
    });
    let value = plain.or(data)?;
    if value.starts_with("ENC[") {
        return Some(Err(format!("key `{key}` of {} is sealed", object.label())));
    }
    Some(Ok(value))
}

/// `$(NAME)` replaced by variables before it; an unknown name stays as it is written.
fn expanded(text: &str, before: &Environment) -> Result<String, String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("$(") {
        let (head, tail) = rest.split_at(start);
        let Some(end) = tail.find(')') else { break };
        let (reference, after) = tail.split_at(end + 1);
        let is_escaped = head.ends_with('$');
        done.push_str(head);
        match before.get(&reference[2..end]) {
            Some(variable) if !is_escaped => done.push_str(&variable.value.clone()?),
            _ => done.push_str(reference),
        }
        rest = after;
    }
    done.push_str(rest);
    Ok(done)
}
