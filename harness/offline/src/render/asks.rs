//! What a chart makes dependent on the cluster that it is rendered in.
//!
//! Helm's templates can look at objects that are there, at the kinds that the cluster knows, and
//! at whether the release is new. The files tell none of it. What counts is the text of the
//! templates: a question in a branch that is not taken here may be asked there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// The function that reads objects of the cluster.
const LOOKUP: &str = "lookup";

/// The function that renders texts as templates, wherever they come from.
const RENDER: &str = "tpl";

/// Fields that have another value in a cluster, as a template writes them and by their last word,
/// which `with` and `index` leave alone.
const FIELDS: [(&str, &str); 4] = [
    (".Capabilities.APIVersions", "APIVersions"),
    (".Release.IsInstall", "IsInstall"),
    (".Release.IsUpgrade", "IsUpgrade"),
    (".Release.Revision", "Revision"),
];

/// A word that asks, at the first place where it stands.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub(super) word: &'static str,
    /// The file and the line; none where it stands in the values of the release.
    pub(super) place: Option<(String, u64)>,
}

/// What a chart asks: `files` are those of the chart, by their path below `folder`.
pub(super) fn questions(
    files: &BTreeMap<String, String>,
    folder: &str,
    values: &Map<String, Value>,
) -> Vec<Question> {
    let is_template = |path: &str| {
        let inner = path.strip_prefix(folder).unwrap_or(path).trim_start_matches('/');
        inner.starts_with("templates/") || inner.contains("/templates/")
    };
    let (templates, others): (Vec<_>, Vec<_>) =
        files.iter().partition(|(path, _)| is_template(path));
    let mut found = Found::default();
    for (path, text) in &templates {
        found.read(text, Some(path));
    }
    if found.renders {
        for (path, text) in &others {
            found.read(text, Some(path));
        }
        found.read_map(values);
    }
    found.questions
}

#[derive(Default)]
struct Found {
    questions: Vec<Question>,
    known: BTreeSet<&'static str>,
    renders: bool,
}

impl Found {
    fn read(&mut self, text: &str, path: Option<&str>) {
        for (start, action) in actions(text) {
            for chain in action.split(|c: char| !(c.is_alphanumeric() || "_.$/-".contains(c))) {
                self.renders |= chain == RENDER;
                let Some(word) = asking(chain).filter(|word| self.known.insert(word)) else {
                    continue;
                };
                let above = text.get(..start).unwrap_or_default().matches('\n').count();
                // An action may go over several lines, and the word stands on one of them.
                let before = action.find(chain).and_then(|at| action.get(..at)).unwrap_or_default();
                let line = (above + before.matches('\n').count()) as u64 + 1;
                let place = path.map(|path| (path.to_string(), line));
                self.questions.push(Question { word, place });
            }
        }
    }

    fn read_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.read(text, None),
            Value::Array(items) => items.iter().for_each(|item| self.read_value(item)),
            Value::Object(map) => self.read_map(map),
            _ => {}
        }
    }

    fn read_map(&mut self, map: &Map<String, Value>) {
        for (key, value) in map {
            self.read(key, None);
            self.read_value(value);
        }
    }
}

/// The question that a word of a template is, if it is one.
fn asking(chain: &str) -> Option<&'static str> {
    if chain == LOOKUP {
        return Some(LOOKUP);
    }
    // A value of this name is the chart's own.
    if chain.starts_with(".Values.") || chain.starts_with("$.Values.") {
        return None;
    }
    let parts = || chain.split(['.', '$', '/', '-']);
    FIELDS.iter().find(|(_, last)| parts().any(|part| part == *last)).map(|(whole, _)| *whole)
}

/// What stands between `{{` and `}}`, with its place in the text, without comments.
fn actions(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find("{{")) {
        let start = at + open + "{{".len();
        let rest = text.get(start..).unwrap_or_default();
        let inner = rest.strip_prefix('-').unwrap_or(rest).trim_start();
        let length = if inner.starts_with("/*") {
            rest.find("*/").unwrap_or(rest.len())
        } else {
            let length = length_of(rest);
            found.push((start, rest.get(..length).unwrap_or(rest)));
            length
        };
        at = start + length;
    }
    found
}

/// How long an action is: to the first `}}` that stands in no text, or to the end.
fn length_of(text: &str) -> usize {
    let mut quote = None;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            // A backslash outside of texts stands only where the template itself is quoted.
            (None | Some(b'"' | b'\''), b'\\') => {
                bytes.next();
            }
            (None, b'"' | b'\'' | b'`') => quote = Some(byte),
            (None, b'}') if bytes.peek().is_some_and(|(_, next)| *next == b'}') => return at,
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
#[path = "asks_tests.rs"]
mod tests;
