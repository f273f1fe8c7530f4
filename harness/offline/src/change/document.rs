//! One document of a file of several.

/// The lines of the document that holds a line (from 1), as a range of places from 0: without
/// the `---` around it.
fn extent(lines: &[&str], line: u64) -> std::ops::Range<usize> {
    let at = usize::try_from(line).unwrap_or(1).saturating_sub(1).min(lines.len());
    let is_end = |line: &&str| line.starts_with("---");
    let from = lines[..at].iter().rposition(is_end).map_or(0, |end| end + 1);
    // The line itself may be the `---` that the document begins with.
    let begin = if lines.get(at).is_some_and(is_end) { at + 1 } else { from };
    let length = lines[begin.min(lines.len())..].iter().position(is_end);
    begin..length.map_or(lines.len(), |length| begin + length)
}

/// The text of the document that holds a line.
pub(super) fn document_at(text: &str, line: u64) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[extent(&lines, line)].join("\n")
}

/// The text with another document in the place of the one that holds a line; with none, the
/// document is gone, and the lines after it stay where they are no more.
pub(super) fn replaced(text: &str, line: u64, by: Option<&str>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let extent = extent(&lines, line);
    let mut result: Vec<&str> = lines[..extent.start].to_vec();
    match by {
        Some(document) => result.extend(document.trim_end().lines()),
        None => result.push("# Taken away by partywall."),
    }
    result.extend(&lines[extent.end..]);
    result.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# head\na: 1\n---\nb: 2\nc: 3\n---\nd: 4\n";

    #[test]
    fn a_document_is_found_by_any_of_its_lines() {
        assert_eq!(document_at(TEXT, 1), "# head\na: 1");
        assert_eq!(document_at(TEXT, 2), "# head\na: 1");
        assert_eq!(document_at(TEXT, 3), "b: 2\nc: 3");
        assert_eq!(document_at(TEXT, 5), "b: 2\nc: 3");
        assert_eq!(document_at(TEXT, 7), "d: 4");
    }

    #[test]
    fn the_other_documents_stay_as_they_are() {
        let replaced_text = replaced(TEXT, 4, Some("x: 9\n"));
        assert_eq!(replaced_text, "# head\na: 1\n---\nx: 9\n---\nd: 4\n");
        let gone = replaced(TEXT, 7, None);
        assert_eq!(gone, "# head\na: 1\n---\nb: 2\nc: 3\n---\n# Taken away by partywall.\n");
    }
}
