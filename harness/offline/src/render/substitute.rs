//! `spec.postBuild`: variables put into what was built.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::build::{Built, Failure};
use super::envsubst::substitute;
use super::object::{Object, parse_stream};
use super::scope::group_of;

/// The label or annotation that keeps an object as it is.
const SWITCH: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The variables of a Kustomization, and what is not known of them.
#[derive(Debug, Default)]
pub(super) struct Variables {
    values: BTreeMap<String, String>,
    /// Whether to substitute even without any variable.
    always: bool,
    pub(super) unread: Vec<String>,
}

impl Variables {
    /// Reads `substituteFrom`, then `substitute` over it; none where there is no `postBuild`.
    /// `optional_missing` says that nothing more will come.
    pub(super) fn read<'a>(
        spec: &Value,
        optional_missing: bool,
        find: impl Fn(&str, &str) -> Option<&'a Object>,
    ) -> Result<Option<Self>, Failure> {
        let Some(post_build) = spec.get("postBuild").filter(|value| value.is_object()) else {
            return Ok(None);
        };
        let strategy = post_build.get("substituteStrategy").and_then(Value::as_str);
        let mut variables = Self { always: strategy == Some("Always"), ..Self::default() };
        for reference in
            post_build.get("substituteFrom").and_then(Value::as_array).into_iter().flatten()
        {
            let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
            let (kind, name) = (text("kind"), text("name"));
            let optional = reference.get("optional").and_then(Value::as_bool) == Some(true);
            match find(kind, name) {
                Some(object) => variables.take(object),
                None if optional && optional_missing => {}
                None => return Err(missing(kind, name)),
            }
        }
        let own = post_build.get("substitute").and_then(Value::as_object);
        for (key, value) in own.into_iter().flatten() {
            variables.set(key, &plain(value));
        }
        Ok(Some(variables))
    }

    fn take(&mut self, object: &Object) {
        let secret = object.kind() == "Secret";
        for (key, value) in object.text_map(&["data"]) {
            let decoded = || String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok();
            let value =
                if secret { decoded().unwrap_or_else(|| value.clone()) } else { value.clone() };
            self.set(&key, &value);
        }
        for (key, value) in object.text_map(&["stringData"]).iter().filter(|_| secret) {
            self.set(key, value);
        }
        if self.values.values().any(|value| value.starts_with("ENC[")) {
            self.unread.push(format!("variables of {} are sealed", object.label()));
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        self.values.insert(key.to_string(), value.replace('\n', ""));
    }

    /// Puts the variables into an object.
    pub(super) fn put_into(&self, built: &mut Built) -> Result<(), Failure> {
        let marked = |path: &str| {
            let place = built.value.pointer(path).and_then(|labels| labels.get(SWITCH));
            place.and_then(Value::as_str) == Some("disabled")
        };
        let skipped = marked("/metadata/labels") || marked("/metadata/annotations");
        if skipped || (self.values.is_empty() && !self.always) || !built.text.contains('$') {
            return Ok(());
        }
        if let Some(name) = self.values.keys().find(|name| !is_name(name)) {
            let message = format!(
                "'{name}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
            );
            return Err(failed(built, &message));
        }
        let text = substitute(&built.text, &|name| self.values.get(name).cloned())
            .map_err(|error| failed(built, &format!("variable substitution failed: {error}")))?;
        let parsed = parse_stream("substituted", &text)
            .map_err(|error| failed(built, &format!("YAMLToJSON: {}", error.message)))?;
        if let Some(value) = parsed.into_iter().next() {
            let note = built.value.clone();
            built.value = value;
            keep_annotations(&mut built.value, &note);
        }
        Ok(())
    }
}

/// The text still has the note of an object's origin, which its value had no longer.
fn keep_annotations(value: &mut Value, before: &Value) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if before.pointer("/metadata/annotations").is_none() {
        metadata.shift_remove("annotations");
    } else if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.shift_remove(super::origin::ANNOTATION);
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn is_name(name: &str) -> bool {
    let start = name.chars().next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic());
    start && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn missing(kind: &str, name: &str) -> Failure {
    let plural = if kind == "Secret" { "secrets" } else { "configmaps" };
    let message = format!(
        "post build failed: substitute from '{kind}/{name}' error: {plural} {name:?} not found"
    );
    Failure::new("BuildFailed", message)
}

fn failed(built: &Built, why: &str) -> Failure {
    let text = |path: &str| built.value.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let api_version = text("/apiVersion");
    let (group, version) =
        (group_of(api_version), api_version.rsplit('/').next().unwrap_or_default());
    let group = if group.is_empty() { "[noGrp]" } else { group };
    let object = format!("{}.{version}.{group}/{}", text("/kind"), text("/metadata/name"));
    Failure::new("BuildFailed", format!("post build failed for '{object}': envsubst error: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_core::source::SourceLocation;
    use rstest::rstest;
    use serde_json::json;

    fn built(text: &str) -> Built {
        let value = parse_stream("x", text).unwrap().remove(0);
        Built { value, text: text.to_string(), origin: SourceLocation::new("x.yaml", 1) }
    }

    fn put(post_build: Value, text: &str) -> Result<Value, String> {
        let one = json!({"kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"A": "from\n", "B": "map"}});
        let two = json!({"kind": "Secret", "metadata": {"name": "two"}, "data": {"B": STANDARD.encode("secret")}});
        let place = SourceLocation::new("x.yaml", 1);
        let objects = [one, two].map(|value| Object {
            value,
            origin: place.clone(),
            applied_by: String::new(),
        });
        let find = |kind: &str, name: &str| {
            objects.iter().find(|object| object.kind() == kind && object.name() == name)
        };
        let spec = json!({"postBuild": post_build});
        let variables = Variables::read(&spec, true, find).map_err(|failure| failure.message)?;
        let mut built = built(text);
        variables.unwrap().put_into(&mut built).map_err(|failure| failure.message)?;
        Ok(built.value["data"].clone())
    }

    const BOTH: &str =
        r#"[{"kind": "ConfigMap", "name": "one"}, {"kind": "Secret", "name": "two"}]"#;

    #[rstest]
    #[case(json!({"substitute": {"A": "1"}}), "data:\n  x: ${A}\n", json!({"x": 1}))]
    #[case(json!({"substituteFrom": serde_json::from_str::<Value>(BOTH).unwrap()}), "data: '${A} ${B}'", json!("from secret"))]
    #[case(json!({"substituteFrom": serde_json::from_str::<Value>(BOTH).unwrap(), "substitute": {"B": "own"}}), "data: '${B}'", json!("own"))]
    #[case(json!({"substituteFrom": [{"kind": "Secret", "name": "gone", "optional": true}]}), "data: '${A}'", json!("${A}"))]
    #[case(json!({"substituteStrategy": "Always"}), "data: '${A:=x}'", json!("x"))]
    #[case(json!({}), "data: '${A:=x}'", json!("${A:=x}"))]
    #[case(json!({"substitute": {"A": "1"}}), "metadata: {labels: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\ndata: '${A}'", json!("${A}"))]
    fn puts_variables_in(#[case] post_build: Value, #[case] text: &str, #[case] expected: Value) {
        assert_eq!(put(post_build, text).unwrap(), expected);
    }

    #[rstest]
    #[case(json!({"substituteFrom": [{"kind": "Secret", "name": "gone"}]}), "data: x",
        "post build failed: substitute from 'Secret/gone' error: secrets \"gone\" not found")]
    #[case(json!({"substitute": {"A": "1"}}), "apiVersion: apps/v1\nkind: X\nmetadata: {name: n}\ndata: '${B}'",
        "post build failed for 'X.v1.apps/n': envsubst error: variable substitution failed: variable not set (strict mode): \"B\"")]
    #[case(json!({"substitute": {"a-b": "1"}}), "apiVersion: v1\nkind: X\nmetadata: {name: n}\ndata: '${B}'",
        "post build failed for 'X.v1.[noGrp]/n': envsubst error: 'a-b' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    fn says_what_is_wrong(#[case] post_build: Value, #[case] text: &str, #[case] expected: &str) {
        assert_eq!(put(post_build, text).unwrap_err(), expected);
    }
}
