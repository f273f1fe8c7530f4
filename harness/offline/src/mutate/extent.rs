//! The lines that a part of a document takes up in block style.
//!
//! A guess from indentation: whoever uses it reads the result again and compares.

use partywall_core::document::{Item, Node};
use serde_json::{Map, Value};

use super::text::emitted;

/// Lines, and where on the first of them the part begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first line, from 0.
    pub(super) first: usize,
    /// One past the last.
    end: usize,
    /// The column of the key, or of the dash.
    column: usize,
    /// The key; an item of a list has none.
    key: Option<String>,
}

impl Extent {
    /// Of the part under a path; none where it is not written in lines of its own.
    pub(super) fn of(lines: &[&str], root: &Item, path: &[&str]) -> Option<Self> {
        let (step, above) = path.split_last()?;
        let parent = root.at(above)?;
        let item = parent.at(&[step])?;
        match &parent.node {
            Node::Sequence(_) => Self::item(lines, item),
            Node::Mapping(_) => Self::entry(lines, parent, step, item),
            Node::Null | Node::Scalar(_) => None,
        }
    }

    fn item(lines: &[&str], item: &Item) -> Option<Self> {
        let first = usize::try_from(item.line).ok()?.checked_sub(1)?;
        let line = lines.get(first)?;
        let column = indentation(line);
        line.get(column..)?.starts_with('-').then_some(())?;
        let end = end_of(lines, first, column, false);
        Some(Self { first, end, column, key: None })
    }

    fn entry(lines: &[&str], parent: &Item, key: &str, item: &Item) -> Option<Self> {
        let last = usize::try_from(item.line).ok()?.checked_sub(1)?;
        let earliest = usize::try_from(parent.line).ok()?.checked_sub(1)?;
        let found = (earliest..=last).rev().find_map(|index| {
            let column = column_of(lines.get(index)?, key)?;
            Some((index, column))
        });
        let (first, column) = found?;
        let end = end_of(lines, first, column, matches!(item.node, Node::Sequence(_)));
        Some(Self { first, end, column, key: Some(key.to_string()) })
    }

    /// Of the whole document whose first value is on a line, without its separators.
    pub(super) fn document(lines: &[&str], line: u64) -> Self {
        let at = usize::try_from(line).unwrap_or(1).saturating_sub(1);
        let before = lines.iter().take(at).rposition(|line| is_separator(line));
        let after = lines.iter().skip(at).position(|line| is_separator(line));
        Self {
            first: before.map_or(0, |index| index + 1),
            end: after.map_or(lines.len(), |index| at + index),
            column: 0,
            key: None,
        }
    }

    /// The text without these lines.
    pub(super) fn removed(&self, lines: &[&str]) -> String {
        self.with(lines, &[])
    }

    /// The text without this document and the separator before it, or the one after the first.
    pub(super) fn removed_with_separator(&self, lines: &[&str]) -> String {
        let mut whole = self.clone();
        if whole.first > 0 {
            whole.first -= 1;
        } else if whole.end < lines.len() {
            whole.end += 1;
        }
        whole.with(lines, &[])
    }

    /// The text with another value here.
    pub(super) fn replaced(&self, lines: &[&str], value: &Value) -> Option<String> {
        let text = match &self.key {
            Some(key) => emitted(&Value::Object(Map::from_iter([(key.clone(), value.clone())])))?,
            None => emitted(&Value::Array(vec![value.clone()]))?,
        };
        Some(self.replaced_by(lines, &text))
    }

    /// The text with these lines instead; what stands before the part on its line stays.
    pub(super) fn replaced_by(&self, lines: &[&str], text: &str) -> String {
        let mut new = self.indented(text);
        let before = lines.get(self.first).and_then(|line| line.get(..self.column));
        if let (Some(first), Some(before)) = (new.first_mut(), before) {
            first.replace_range(..self.column, before);
        }
        self.with(lines, &new)
    }

    /// The text with these lines after it.
    pub(super) fn followed_by(&self, lines: &[&str], text: &str) -> Option<String> {
        let own = lines.get(self.first..self.end)?.iter().map(ToString::to_string);
        let new: Vec<String> = own.chain(self.indented(text)).collect();
        Some(self.with(lines, &new))
    }

    fn indented(&self, text: &str) -> Vec<String> {
        let margin = " ".repeat(self.column);
        text.lines().map(|line| format!("{margin}{line}")).collect()
    }

    fn with(&self, lines: &[&str], new: &[String]) -> String {
        let before = lines.iter().take(self.first).copied();
        let after = lines.iter().skip(self.end).copied();
        let all = before.chain(new.iter().map(String::as_str)).chain(after);
        let mut text = all.collect::<Vec<_>>().join("\n");
        text.push('\n');
        text
    }
}

/// One past the last line of what begins on `first` at `column`. Comments and empty lines at the
/// end belong to what follows.
fn end_of(lines: &[&str], first: usize, column: usize, is_list: bool) -> usize {
    let mut end = first + 1;
    for (index, line) in lines.iter().enumerate().skip(first + 1) {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        // Items of a list may stand below their key without further indentation.
        let is_item = is_list && indentation(line) == column && is_dash(text);
        if is_separator(line) || indentation(line) <= column && !is_item {
            break;
        }
        end = index + 1;
    }
    end
}

/// Where a key begins on a line, if the line begins with it.
fn column_of(line: &str, key: &str) -> Option<usize> {
    let mut column = indentation(line);
    loop {
        let rest = line.get(column..)?;
        match rest.strip_prefix("- ") {
            Some(after) => column = line.len() - after.trim_start_matches(' ').len(),
            None => {
                let names = [key.to_string(), format!("\"{key}\""), format!("'{key}'")];
                let is_key = names.iter().any(|name| {
                    rest.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(':'))
                });
                return is_key.then_some(column);
            }
        }
    }
}

fn is_dash(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

fn is_separator(line: &str) -> bool {
    line.trim_end() == "---" || line.starts_with("--- ") || line.trim_end() == "..."
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}
