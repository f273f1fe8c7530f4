//! Recipients in files that people write: one more, or one less, on the line that names them.

/// The text with `new` beside `old`, which is named on this line (from 1) or soon below it.
pub(super) fn with(text: &str, line: u64, old: &str, new: &str) -> Option<String> {
    edit(text, line, old, |lines, at| {
        let own = lines[at].clone();
        match item_indent(&own, old) {
            Some(indent) => lines.insert(at + 1, format!("{indent}- {new}")),
            None => lines[at] = own.replacen(old, &format!("{old},{new}"), 1),
        }
    })
}

/// The text without `old`.
pub(super) fn without(text: &str, line: u64, old: &str) -> Option<String> {
    edit(text, line, old, |lines, at| {
        let own = lines[at].clone();
        if item_indent(&own, old).is_some() {
            lines.remove(at);
            return;
        }
        let forms = [format!("{old}, "), format!("{old},"), format!(", {old}"), format!(",{old}")];
        if let Some(form) = forms.iter().find(|form| own.contains(form.as_str())) {
            lines[at] = own.replacen(form.as_str(), "", 1);
        }
    })
}

/// How many lines below its first a folded text may go on.
const FOLDED: usize = 20;

fn edit(
    text: &str,
    line: u64,
    old: &str,
    change: impl FnOnce(&mut Vec<String>, usize),
) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let first = usize::try_from(line).ok()?.checked_sub(1)?;
    let at = (first..lines.len().min(first + FOLDED)).find(|at| lines[*at].contains(old))?;
    change(&mut lines, at);
    let mut new = lines.join("\n");
    if text.ends_with('\n') {
        new.push('\n');
    }
    Some(new)
}

/// What stands before a list item that is this name alone.
fn item_indent(line: &str, name: &str) -> Option<String> {
    let indent = &line[..line.len() - line.trim_start().len()];
    let item = line.trim_start().strip_prefix("- ")?.split(" #").next()?.trim();
    (item.trim_matches(['"', '\'']) == name).then(|| indent.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::text("age: age1a\n", "age: age1a,age1b\n")]
    #[case::quoted("age: \"age1a\" # a\n", "age: \"age1a,age1b\" # a\n")]
    #[case::flow("age: [age1a]\n", "age: [age1a,age1b]\n")]
    #[case::several("age: age1x,age1a\n", "age: age1x,age1a,age1b\n")]
    #[case::list("age:\n  - age1a # a\nb: 1\n", "age:\n  - age1a # a\n  - age1b\nb: 1\n")]
    #[case::folded("age: >-\n  age1x,\n  age1a\n", "age: >-\n  age1x,\n  age1a,age1b\n")]
    fn one_more_and_one_less(#[case] before: &str, #[case] both: &str) {
        assert_eq!(with(before, 1, "age1a", "age1b").unwrap(), both);
        let without_new = without(both, 1, "age1b").unwrap();
        assert_eq!(without_new, before);
        assert!(!without(both, 1, "age1a").unwrap().contains("age1a"));
    }
}
