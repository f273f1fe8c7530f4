//! The values of a HelmRelease, merged in helm-controller's order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::build::Failure;
use super::object::{Object, parse_stream};

/// What `valuesFrom` came to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Composed {
    pub(super) values: Map<String, Value>,
    /// What could not be read and is left out.
    pub(super) unread: Vec<String>,
}

/// Why there are no values.
#[derive(Debug, PartialEq)]
pub(super) enum ValuesError {
    /// An object is missing, and may still come.
    Missing(Failure),
    /// What is there is wrong.
    Wrong(Failure),
}

/// Merges what the references hold, each over the one before it, and `spec.values` over all.
/// `optional_missing` says that nothing more will come, so that what is optional may be left out.
pub(super) fn compose<'a>(
    release: (&str, &Value),
    optional_missing: bool,
    find: impl Fn(&str, &str) -> Option<&'a Object>,
) -> Result<Composed, ValuesError> {
    let (namespace, spec) = release;
    let own = spec.get("values").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut composed = Composed::default();
    let references = spec.get("valuesFrom").and_then(Value::as_array);
    for reference in references.into_iter().flatten() {
        let reference = Reference::new(namespace, reference);
        let read = find(reference.kind, reference.name).map(|object| reference.read(object));
        let failure = match read {
            Some(Ok(content)) => {
                reference.merge(&mut composed, &own, content).map_err(ValuesError::Wrong)?;
                continue;
            }
            Some(Err(failure)) => failure,
            None => reference.failure(&reference.not_found()),
        };
        if !reference.optional || !optional_missing {
            return Err(ValuesError::Missing(failure));
        }
    }
    merge(&mut composed.values, &own);
    Ok(composed)
}

/// Lays one mapping over another: mappings merge, everything else replaces.
pub(super) fn merge(below: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (below.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(over)) => merge(below, over),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

struct Reference<'a> {
    namespace: &'a str,
    kind: &'a str,
    name: &'a str,
    key: &'a str,
    target: &'a str,
    literal: bool,
    optional: bool,
}

/// The text behind a reference.
enum Content {
    Text(String),
    /// A text that only its key opens.
    Sealed,
}

impl<'a> Reference<'a> {
    fn new(namespace: &'a str, reference: &'a Value) -> Self {
        let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
        let flag = |key: &str| reference.get(key).and_then(Value::as_bool).unwrap_or_default();
        let key = text("valuesKey");
        Self {
            namespace,
            kind: text("kind"),
            name: text("name"),
            key: if key.is_empty() { "values.yaml" } else { key },
            target: text("targetPath"),
            literal: flag("literal"),
            optional: flag("optional"),
        }
    }

    fn not_found(&self) -> String {
        let plural = if self.kind == "Secret" { "secrets" } else { "configmaps" };
        format!("{plural} {:?} not found", self.name)
    }

    fn failure(&self, why: &str) -> Failure {
        let optional = if self.optional { " optional" } else { "" };
        let message = format!(
            "could not resolve{optional} {} chart values reference '{}/{}' with key '{}': {why}",
            self.kind, self.namespace, self.name, self.key
        );
        Failure::new("ValuesError", message)
    }

    fn read(&self, object: &Object) -> Result<Content, Failure> {
        if let Some(text) = object.text(&["stringData", self.key]) {
            return Ok(content(text.to_string()));
        }
        let text = object.text(&["data", self.key]);
        let text = text.ok_or_else(|| self.failure("key not found"))?;
        if self.kind != "Secret" {
            return Ok(content(text.to_string()));
        }
        let compact: String = text.split_whitespace().collect();
        let decoded = STANDARD.decode(compact).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(decoded.map_or(Content::Sealed, content))
    }

    fn merge(
        &self,
        composed: &mut Composed,
        own: &Map<String, Value>,
        content: Content,
    ) -> Result<(), Failure> {
        let Content::Text(text) = content else {
            let what = format!("{} {}/{} key {}", self.kind, self.namespace, self.name, self.key);
            composed.unread.push(format!("{what} is sealed as a whole"));
            return Ok(());
        };
        if !self.target.is_empty() {
            merge(&mut composed.values, own);
            if !self.literal && text.contains([',', '{', '[', '\\']) {
                let what = format!("`{}` of {} {}", self.target, self.kind, self.name);
                composed
                    .unread
                    .push(format!("{what} is taken literally, where Helm would parse it"));
            }
            let value = if self.literal { Value::String(text) } else { typed(&text) };
            if !set(&mut composed.values, &steps(self.target), value) {
                return Err(self.failure("failed to merge value"));
            }
            return Ok(());
        }
        let parsed = parse_stream("values", &text).map_err(|error| self.failure(&error.message))?;
        match parsed.into_iter().next() {
            Some(Value::Object(mut values)) => {
                // The seal of a file that stayed as SOPS wrote it; opened, it would not be there.
                if values.get("sops").is_some_and(|sops| sops.get("mac").is_some()) {
                    values.shift_remove("sops");
                }
                merge(&mut composed.values, &values);
                Ok(())
            }
            None => Ok(()),
            Some(_) => Err(self.failure("failed to read values data")),
        }
    }
}

fn content(text: String) -> Content {
    if text.trim_start().starts_with("ENC[") { Content::Sealed } else { Content::Text(text) }
}

/// A value as `helm --set` types it.
fn typed(text: &str) -> Value {
    for quote in ['\'', '"'] {
        if text.len() > 1 && text.starts_with(quote) && text.ends_with(quote) {
            return Value::String(text.trim_matches(['\'', '"']).to_string());
        }
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        "0" => Value::from(0),
        // A leading zero makes it a text, such as an account number.
        text if text.starts_with('0') => Value::String(text.to_string()),
        text => text.parse::<i64>().map_or_else(|_| Value::String(text.to_string()), Value::from),
    }
}

/// The longest path, and the longest list, that a `targetPath` makes: more is no chart's.
const STEPS_MAX: usize = 64;
const INDEX_MAX: usize = 1024;

#[derive(Debug, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

/// `a.b\.c[0].d` in steps.
fn steps(path: &str) -> Vec<Step> {
    let (mut steps, mut key) = (Vec::new(), String::new());
    let mut chars = path.chars();
    let flush = |key: &mut String, steps: &mut Vec<Step>| {
        if !key.is_empty() {
            steps.push(Step::Key(std::mem::take(key)));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.extend(chars.next()),
            '.' => flush(&mut key, &mut steps),
            '[' => {
                flush(&mut key, &mut steps);
                let digits: String = chars.by_ref().take_while(|c| *c != ']').collect();
                steps.extend(digits.parse().ok().map(Step::Index));
            }
            c => key.push(c),
        }
    }
    flush(&mut key, &mut steps);
    steps
}

/// Sets a value, and makes the mappings and lists on the way; false where the path is empty or
/// out of all proportion.
fn set(values: &mut Map<String, Value>, steps: &[Step], value: Value) -> bool {
    let too_large = |step: &Step| matches!(step, Step::Index(index) if *index > INDEX_MAX);
    let Some((Step::Key(first), rest)) = steps.split_first() else { return false };
    if steps.len() > STEPS_MAX || steps.iter().any(too_large) {
        return false;
    }
    put(values.entry(first.clone()).or_insert(Value::Null), rest, value);
    true
}

fn put(place: &mut Value, steps: &[Step], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *place = value;
        return;
    };
    match step {
        Step::Key(key) => {
            let mut map = place.as_object().cloned().unwrap_or_default();
            put(map.entry(key.clone()).or_insert(Value::Null), rest, value);
            *place = Value::Object(map);
        }
        Step::Index(index) => {
            let mut items = place.as_array().cloned().unwrap_or_default();
            if items.len() <= *index {
                items.resize(*index + 1, Value::Null);
            }
            if let Some(item) = items.get_mut(*index) {
                put(item, rest, value);
            }
            *place = Value::Array(items);
        }
    }
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
