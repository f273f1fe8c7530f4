//! A file as its text, its documents with their lines, and its values, and changes of one part.

use partywall_core::document::{Document, documents};
use serde_json::{Map, Value};

use super::extent::Extent;
use crate::render::parse_stream;

/// What is done to a part of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// It is this; where it was not there, it is added.
    Set(Value),
    /// It is gone.
    Remove,
    /// The list has one item more; where it was not there, it is added.
    Push(Value),
}

/// A file that can be changed.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) file: String,
    pub(super) text: String,
    documents: Vec<Document>,
    values: Vec<Value>,
}

/// A changed text, and the line from 1 of the old one that the change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) text: String,
    pub(super) line: u64,
}

impl Text {
    pub(super) fn read(file: &str, text: &str) -> Result<Self, String> {
        let values = parse_stream(file, text).map_err(|error| error.to_string())?;
        let documents = documents(file, text).map_err(|error| error.to_string())?;
        if values.len() != documents.len() {
            return Err(format!("{file} has documents that are read in two ways"));
        }
        Ok(Self { file: file.to_string(), text: text.to_string(), documents, values })
    }

    /// The place of the document that starts on a line.
    pub(super) fn document_at(&self, line: u64) -> Option<usize> {
        self.documents.iter().position(|document| document.location.line == line)
    }

    pub(super) fn len(&self) -> usize {
        self.documents.len()
    }

    pub(super) fn value(&self, document: usize) -> Option<&Value> {
        self.values.get(document)
    }

    /// The text with a part of a document changed. As little as possible is written anew: the
    /// smallest piece that, read again, is what was meant.
    pub(super) fn change(
        &self,
        document: usize,
        path: &[&str],
        change: &Change,
    ) -> Result<Changed, String> {
        let mut meant = self.values.clone();
        let root = meant.get_mut(document).ok_or("there is no such document")?;
        apply(root, path, change).ok_or_else(|| format!("{} is not there", path.join(".")))?;
        let value = meant.get(document).cloned().unwrap_or_default();
        let written = self.documents.get(document).ok_or("there is no such document")?;
        let lines: Vec<&str> = self.text.lines().collect();
        let line = self.line_of(&lines, written, path);
        let is_meant = |text: &String| {
            parse_stream(&self.file, text).is_ok_and(|read| read == meant)
                && documents(&self.file, text).is_ok()
        };
        let small = smallest(&lines, written, path, change).filter(is_meant);
        let larger = || {
            (1..=path.len()).rev().find_map(|length| {
                let above = &path[..length];
                let part = at(&value, above)?;
                let extent = Extent::of(&lines, &written.root, above)?;
                Some(extent.replaced(&lines, part)?).filter(is_meant)
            })
        };
        let whole = || {
            let extent = Extent::document(&lines, written.location.line);
            Some(extent.replaced_by(&lines, &emitted(&value)?)).filter(is_meant)
        };
        let text = small.or_else(larger).or_else(whole);
        let text =
            text.ok_or_else(|| format!("{}: the text cannot be changed there", self.file))?;
        Ok(Changed { text, line })
    }

    /// The text without a document.
    pub(super) fn without(&self, document: usize) -> Result<Changed, String> {
        let written = self.documents.get(document).ok_or("there is no such document")?;
        let line = written.location.line;
        let lines: Vec<&str> = self.text.lines().collect();
        let mut meant = self.values.clone();
        meant.remove(document);
        let text = Extent::document(&lines, line).removed_with_separator(&lines);
        let is_meant = parse_stream(&self.file, &text).is_ok_and(|read| read == meant);
        if is_meant {
            Ok(Changed { text, line })
        } else {
            Err(format!("{}: the document cannot be taken out", self.file))
        }
    }

    fn line_of(&self, lines: &[&str], written: &Document, path: &[&str]) -> u64 {
        let nearest = (0..=path.len()).rev().map(|length| &path[..length]);
        let mut known = nearest.filter(|above| written.root.at(above).is_some());
        let Some(above) = known.next() else { return written.location.line };
        let by_key = Extent::of(lines, &written.root, above).map(|extent| extent.first as u64 + 1);
        by_key.unwrap_or_else(|| written.locate(above).line)
    }
}

/// The change where only the lines of the part itself are touched.
fn smallest(lines: &[&str], written: &Document, path: &[&str], change: &Change) -> Option<String> {
    match change {
        Change::Remove => Some(Extent::of(lines, &written.root, path)?.removed(lines)),
        Change::Push(value) => {
            let last = written.root.items(path).len().checked_sub(1)?.to_string();
            let last: Vec<&str> = path.iter().copied().chain([last.as_str()]).collect();
            let extent = Extent::of(lines, &written.root, &last)?;
            extent.followed_by(lines, &emitted(&Value::Array(vec![value.clone()]))?)
        }
        Change::Set(value) => {
            if written.root.at(path).is_some() {
                return Extent::of(lines, &written.root, path)?.replaced(lines, value);
            }
            let (key, above) = path.split_last()?;
            let (last, _) = written.root.entries(above).last()?;
            let last: Vec<&str> = above.iter().copied().chain([last.as_str()]).collect();
            let extent = Extent::of(lines, &written.root, &last)?;
            let entry = Value::Object(Map::from_iter([(key.to_string(), value.clone())]));
            extent.followed_by(lines, &emitted(&entry)?)
        }
    }
}

/// A value as YAML in lines.
pub(super) fn emitted(value: &Value) -> Option<String> {
    serde_saphyr::to_string(value).ok()
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => value.get(step),
    })
}

fn apply(value: &mut Value, path: &[&str], change: &Change) -> Option<()> {
    let Some((step, rest)) = path.split_first() else {
        match change {
            Change::Set(new) => *value = new.clone(),
            Change::Push(new) => value.as_array_mut()?.push(new.clone()),
            Change::Remove => return None,
        }
        return Some(());
    };
    match value {
        Value::Array(items) => {
            let index = step.parse::<usize>().ok().filter(|index| *index < items.len())?;
            if rest.is_empty() && *change == Change::Remove {
                items.remove(index);
                return Some(());
            }
            apply(items.get_mut(index)?, rest, change)
        }
        Value::Object(entries) => apply_entry(entries, step, rest, change),
        _ => None,
    }
}

fn apply_entry(
    entries: &mut Map<String, Value>,
    key: &str,
    rest: &[&str],
    change: &Change,
) -> Option<()> {
    match (rest.is_empty(), change) {
        (true, Change::Remove) => entries.shift_remove(key).map(|_| ()),
        (true, Change::Set(new)) => {
            entries.insert(key.to_string(), new.clone());
            Some(())
        }
        (true, Change::Push(_)) => {
            let list = entries.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            apply(list, rest, change)
        }
        (false, Change::Set(_)) => {
            let below = entries.entry(key).or_insert_with(|| Value::Object(Map::new()));
            apply(below, rest, change)
        }
        (false, _) => apply(entries.get_mut(key)?, rest, change),
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
