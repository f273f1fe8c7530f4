//! The lines of a `sops` block that name recipients, as SOPS writes them.

use std::ops::Range;

use super::error::OpenError;
use super::metadata::Metadata;

/// The lines of a file.
pub(super) struct Lines<'a> {
    file: &'a str,
    lines: Vec<String>,
    ends: bool,
}

/// The lines of one recipient.
pub(super) struct RecipientLines {
    at: Range<usize>,
    indent: String,
    /// Whether the wrapped key stands above the name.
    is_key_first: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &'a str, text: &str) -> Self {
        let lines = text.lines().map(str::to_string).collect();
        Self { file, lines, ends: text.ends_with('\n') }
    }

    pub(super) fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        if self.ends {
            text.push('\n');
        }
        text
    }

    /// Where each recipient stands, in the order of the file.
    pub(super) fn recipients(&self, metadata: &Metadata) -> Result<Vec<RecipientLines>, OpenError> {
        let names = metadata.wrapped.iter().map(|wrapped| &wrapped.recipient);
        names.map(|one| self.recipient(&one.key, one.location.line)).collect()
    }

    fn recipient(&self, key: &str, line: u64) -> Result<RecipientLines, OpenError> {
        let strange = || {
            let message = "the recipient is not written as SOPS writes it";
            OpenError::malformed(self.file, line, message)
        };
        let named = usize::try_from(line).map_err(|_| strange())?;
        let named = named.checked_sub(1).filter(|at| *at < self.lines.len()).ok_or_else(strange)?;
        if !self.lines[named].contains(key) {
            return Err(strange());
        }
        let is_item = |line: &String| line.trim_start().starts_with("- ");
        let start = (0..=named).rev().find(|at| is_item(&self.lines[*at])).ok_or_else(strange)?;
        let depth = indent(&self.lines[start]);
        let after = self.lines[start + 1..].iter();
        let deeper = after.take_while(|line| line.trim().is_empty() || indent(line) > depth);
        let end = start + 1 + deeper.count();
        let first = self.lines[start].trim_start();
        let is_key_first = first.starts_with("- enc:");
        if !(is_key_first || first.starts_with("- recipient:")) || !(start..end).contains(&named) {
            return Err(strange());
        }
        Ok(RecipientLines { at: start..end, indent: " ".repeat(depth), is_key_first })
    }

    /// Writes the time of the last change anew.
    pub(super) fn modified(&mut self, metadata: &Metadata, now: &str) -> Result<(), OpenError> {
        let number = metadata.last_modified_line;
        let before = metadata.last_modified.as_str();
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let line = place.and_then(|place| self.lines.get_mut(place));
        match line.filter(|line| !before.is_empty() && line.contains(before)) {
            Some(line) => {
                *line = line.replacen(before, now, 1);
                Ok(())
            }
            None => {
                let message = "the time of the last change is not written as SOPS writes it";
                Err(OpenError::malformed(self.file, number, message))
            }
        }
    }

    pub(super) fn insert_after(&mut self, item: &RecipientLines, key: &str, armor: &str) {
        let end = item.at.end;
        self.lines.splice(end..end, item.written(key, armor));
    }

    pub(super) fn replace(&mut self, item: &RecipientLines, key: &str, armor: &str) {
        self.lines.splice(item.at.clone(), item.written(key, armor));
    }

    pub(super) fn remove(&mut self, item: &RecipientLines) {
        self.lines.drain(item.at.clone());
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

impl RecipientLines {
    fn written(&self, key: &str, armor: &str) -> Vec<String> {
        let indent = &self.indent;
        let armor = armor.trim_end().lines().map(|line| format!("{indent}    {line}"));
        let mut lines = Vec::new();
        if self.is_key_first {
            lines.push(format!("{indent}- enc: |"));
            lines.extend(armor);
            lines.push(format!("{indent}  recipient: {key}"));
        } else {
            lines.push(format!("{indent}- recipient: {key}"));
            lines.push(format!("{indent}  enc: |"));
            lines.extend(armor);
        }
        lines
    }
}
