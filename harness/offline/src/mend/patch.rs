//! Taking one operation out of a JSON-6902 patch.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::event::Defect;
use partywall_core::layout::is_yaml;

use super::Mend;
use crate::defect::missing_path;

/// The line of the operation on this path, from 1. Patches stand inside YAML texts as well as
/// in files of their own, so it is looked for in the lines rather than in a parsed document.
pub(crate) fn operation_line(text: &str, operation: &str, pointer: &str) -> Option<u64> {
    let lines: Vec<&str> = text.lines().collect();
    let found = (0..lines.len()).find(|index| {
        names(lines[*index], "path", pointer)
            && extent(&lines, *index).is_some_and(|(first, end)| {
                lines[first..end].iter().any(|line| names(line, "op", operation))
            })
    })?;
    Some(found as u64 + 1)
}

/// Comment the operation out, in every file that has it: overlays of one base share the defect.
pub(super) fn mend(layout: &Layout, defect: &Defect) -> Option<Mend> {
    let (operation, pointer) = missing_path(&defect.message)?;
    let mut files = BTreeMap::new();
    for (path, text) in layout.files.iter().filter(|(path, _)| is_yaml(path)) {
        if let Some(changed) = without(text, operation, pointer) {
            files.insert(path.clone(), changed);
        }
    }
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let description =
        format!("without the patch operation `{operation} {pointer}` ({})", names.join(", "));
    (!files.is_empty()).then_some(Mend { description, files })
}

fn without(text: &str, operation: &str, pointer: &str) -> Option<String> {
    let at = usize::try_from(operation_line(text, operation, pointer)? - 1).ok()?;
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let (first, end) = extent(&text.lines().collect::<Vec<_>>(), at)?;
    // Comments keep the margin of the first line: Kustomize reads the patch as YAML again.
    let margin = indent(&lines[first]);
    for line in &mut lines[first..end] {
        if !line.trim().is_empty() {
            let rest = line.get(margin..).unwrap_or_default().to_string();
            *line = format!("{}# {rest}", " ".repeat(margin));
        }
    }
    let mut text = lines.join("\n");
    text.push('\n');
    Some(text)
}

/// The lines of the list entry around a line: first, and one past the last.
fn extent(lines: &[&str], at: usize) -> Option<(usize, usize)> {
    let begins = |line: &str| line.trim_start().starts_with("- ");
    let outside = |candidate: &str, margin: usize| indent(candidate) < margin;
    let own = indent(lines.get(at)?);
    let first = if begins(lines[at]) {
        at
    } else {
        (0..at).rev().find(|index| begins(lines[*index]) && outside(lines[*index], own))?
    };
    let margin = indent(lines[first]);
    let ends = |line: &&str| !line.trim().is_empty() && indent(line) <= margin;
    let length = lines[first + 1..].iter().position(ends);
    let mut end = length.map_or(lines.len(), |length| first + 1 + length);
    while end > first + 1 && lines[end - 1].trim().is_empty() {
        end -= 1;
    }
    (at < end).then_some((first, end))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line says `key: value`, in block or flow style, quoted or not.
fn names(line: &str, key: &str, value: &str) -> bool {
    if line.trim_start().starts_with('#') {
        return false;
    }
    let quotes = |c: char| c == '"' || c == '\'';
    line.match_indices(key).any(|(at, _)| {
        let before = line[..at].trim_end_matches(quotes);
        let starts = before.is_empty() || before.ends_with([' ', '{', ',', '-']);
        let after = line[at + key.len()..].trim_start_matches(quotes).trim_start();
        let Some(rest) = after.strip_prefix(':') else {
            return false;
        };
        let rest = rest.trim_start().trim_start_matches(quotes);
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(['"', '\'', ',', '}', ' ']);
        starts && rest.strip_prefix(value).is_some_and(ends)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const POINTER: &str = "/spec/values/ingress/hosts/0/host";

    const INLINE: &str = "\
resources:
  - ../../base
patches:
  - target:
      kind: HelmRelease
    patch: |-
      - op: replace
        path: /metadata/namespace
        value: a
      - op: replace
        path: /spec/values/ingress/hosts/0/host
        value: a.soev.ai
configurations: [x.yaml]
";

    #[test]
    fn takes_out_one_operation_and_moves_no_line() {
        assert_eq!(operation_line(INLINE, "replace", POINTER), Some(11));
        let changed = without(INLINE, "replace", POINTER).unwrap();
        assert_eq!(changed.lines().count(), INLINE.lines().count());
        insta::assert_snapshot!(changed);
    }

    #[rstest]
    #[case::own_patch(
        "patches:\n  - patch: |-\n      - op: replace\n        path: /spec/values/ingress/hosts/0/host\n        value: x\n",
        4
    )]
    #[case::flow("- {op: replace, path: /spec/values/ingress/hosts/0/host, value: x}\n", 1)]
    #[case::json("- {\"op\": \"replace\", \"path\": \"/spec/values/ingress/hosts/0/host\"}\n", 1)]
    #[case::value_first(
        "- value: x\n  path: '/spec/values/ingress/hosts/0/host'\n  op: replace\n",
        2
    )]
    fn finds_the_operation(#[case] text: &str, #[case] line: u64) {
        assert_eq!(operation_line(text, "replace", POINTER), Some(line));
        let changed = without(text, "replace", POINTER).unwrap();
        assert_eq!(operation_line(&changed, "replace", POINTER), None, "{changed}");
        assert_eq!(changed.lines().count(), text.lines().count());
    }

    #[rstest]
    #[case::other_operation("- op: add\n  path: /spec/values/ingress/hosts/0/host\n")]
    #[case::longer_path("- op: replace\n  path: /spec/values/ingress/hosts/0/hostname\n")]
    #[case::comment("# - op: replace\n#   path: /spec/values/ingress/hosts/0/host\n")]
    #[case::empty("")]
    fn passes_over_others(#[case] text: &str) {
        assert_eq!(operation_line(text, "replace", POINTER), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "([ \\-a-z:/\n{},\"']|path: /a|op: b){0,60}") {
            let _ = without(&text, "b", "/a");
        }
    }
}
