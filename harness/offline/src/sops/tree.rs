//! YAML as SOPS sees it: typed leaves with their lines.
//!
//! The reader of `partywall_core` keeps scalars as text; a message authentication code needs to
//! know `true` from `"true"`, so this one keeps their types.

use std::fmt;

use partywall_core::source::{TEXT_BYTES_MAX, yaml_options};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::error::OpenError;

/// A value with the line on which it starts.
pub(super) struct Item {
    pub(super) line: u64,
    pub(super) value: Value,
}

/// A YAML value.
pub(super) enum Value {
    Null,
    Text(String),
    /// A number or truth value, in the spelling that SOPS hashes.
    Typed(String),
    Sequence(Vec<Item>),
    Mapping(Vec<(String, Item)>),
}

impl Item {
    pub(super) fn get(&self, key: &str) -> Option<&Item> {
        match &self.value {
            Value::Mapping(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, item)| item)
            }
            _ => None,
        }
    }

    pub(super) fn items(&self) -> &[Item] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The scalar's text; nothing for null and collections.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) | Value::Typed(text) => Some(text),
            _ => None,
        }
    }
}

/// One leaf on its way to be hashed, opened or blamed.
pub(super) struct Leaf<'a> {
    /// Keys and list positions, for people.
    pub(super) path: &'a [String],
    /// Keys alone: what rules match and what seals a value to its place.
    pub(super) keys: &'a [String],
    pub(super) line: u64,
    pub(super) text: &'a str,
    /// Whether it is written as text, so that it may hold sealed data.
    pub(super) is_text: bool,
}

/// Read every document of a file.
pub(super) fn documents(file: &str, text: &str) -> Result<Vec<Item>, OpenError> {
    if text.len() > TEXT_BYTES_MAX {
        let message =
            format!("{} bytes are more than the {TEXT_BYTES_MAX} that are read", text.len());
        return Err(OpenError::malformed(file, 1, message));
    }
    let parsed: Vec<Spanned<Value>> =
        serde_saphyr::from_multiple_with_options(text, yaml_options()).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            // The reader's own message could quote a value; its first line does not.
            let message = error.without_snippet().to_string();
            OpenError::malformed(file, line, message.lines().next().unwrap_or("not valid YAML"))
        })?;
    Ok(parsed.into_iter().map(item).filter(|item| !matches!(item.value, Value::Null)).collect())
}

/// Visit the leaves of a document in order, without those of its `sops` block.
pub(super) fn leaves<E>(
    document: &Item,
    visit: &mut impl FnMut(Leaf<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let Value::Mapping(entries) = &document.value else {
        return Ok(());
    };
    let (mut path, mut keys) = (Vec::new(), Vec::new());
    for (key, item) in entries.iter().filter(|(key, _)| key != "sops") {
        path.push(key.clone());
        keys.push(key.clone());
        descend(item, &mut path, &mut keys, visit)?;
        path.pop();
        keys.pop();
    }
    Ok(())
}

fn descend<E>(
    item: &Item,
    path: &mut Vec<String>,
    keys: &mut Vec<String>,
    visit: &mut impl FnMut(Leaf<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let line = item.line;
    match &item.value {
        Value::Null => Ok(()),
        Value::Text(text) => visit(Leaf { path, keys, line, text, is_text: true }),
        Value::Typed(text) => visit(Leaf { path, keys, line, text, is_text: false }),
        Value::Sequence(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            path.push(index.to_string());
            let done = descend(item, path, keys, visit);
            path.pop();
            done
        }),
        Value::Mapping(entries) => entries.iter().try_for_each(|(key, item)| {
            path.push(key.clone());
            keys.push(key.clone());
            let done = descend(item, path, keys, visit);
            path.pop();
            keys.pop();
            done
        }),
    }
}

fn item(spanned: Spanned<Value>) -> Item {
    Item { line: spanned.referenced.line(), value: spanned.value }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Typed(if value { "True" } else { "False" }.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Typed(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Typed(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Typed(match value {
            value if value.is_nan() => "NaN".to_string(),
            value if value.is_infinite() => if value > 0.0 { "+Inf" } else { "-Inf" }.to_string(),
            value => value.to_string(),
        }))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(spanned) = access.next_element::<Spanned<Value>>()? {
            items.push(item(spanned));
        }
        Ok(Value::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            entries.push((key, item(access.next_value::<Spanned<Value>>()?)));
        }
        Ok(Value::Mapping(entries))
    }
}
