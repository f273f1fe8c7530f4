//! Putting a chart's source where its releases may refer to it.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::document::Document;
use partywall_core::event::Defect;
use partywall_core::source::SourceLocation;
use regex::Regex;

use super::Mend;
use crate::defect::{RefusedSource, refused_source};

/// Drop the foreign namespace from the reference, and write the source out once more at the end
/// of the release's own file, so that every overlay takes it into its namespace.
pub(super) fn mend(layout: &Layout, defect: &Defect) -> Option<Mend> {
    // A Kustomization cannot take its own source along: it is what brings it.
    if !defect.object.starts_with("HelmRelease ") {
        return None;
    }
    let place = defect.location.as_ref()?;
    let source = written_source(layout, place).or_else(|| refused_source(&defect.message))?;
    let text = layout.files.get(&place.file)?;
    let written = layout.of_kind(source.kind).find(|one| one.name() == source.name)?;
    let copy = without_namespace(&text_of(layout, written)?);
    let mut changed = drop_reference(text, place.line, source.namespace)?;
    changed.push_str("---\n");
    changed.push_str(&copy);
    let description = format!(
        "with {} {} beside its releases instead of in {} ({})",
        source.kind, source.name, source.namespace, place.file
    );
    Some(Mend { description, files: BTreeMap::from([(place.file.clone(), changed)]) })
}

/// The source that the release of a file names. Flux's message may name the HelmChart instead,
/// which it makes beside that source and which no file of the layout holds.
fn written_source<'a>(layout: &'a Layout, place: &SourceLocation) -> Option<RefusedSource<'a>> {
    let is_release =
        |one: &&Document| one.kind() == "HelmRelease" && one.location.file == place.file;
    let release = layout.documents.iter().find(is_release)?;
    let reference = release.root.at(&["spec", "chart", "spec", "sourceRef"])?;
    Some(RefusedSource {
        kind: reference.text(&["kind"])?,
        namespace: reference.text(&["namespace"])?,
        name: reference.text(&["name"])?,
    })
}

/// The lines of one document of a file.
fn text_of(layout: &Layout, document: &Document) -> Option<String> {
    let text = layout.files.get(&document.location.file)?;
    let skipped = usize::try_from(document.location.line).ok()?.checked_sub(1)?;
    let lines = text.lines().skip(skipped).take_while(|line| !line.starts_with("---"));
    let mut copy = String::new();
    for line in lines {
        copy.push_str(line);
        copy.push('\n');
    }
    Some(copy)
}

/// The text without `metadata.namespace`: the overlay says where it lands.
fn without_namespace(text: &str) -> String {
    let mut in_metadata = false;
    let mut copy = String::new();
    for line in text.lines() {
        if !line.starts_with(' ') && !line.trim().is_empty() {
            in_metadata = line.starts_with("metadata:");
        }
        if in_metadata && line.trim_start().starts_with("namespace:") {
            continue;
        }
        let line = if in_metadata { without_entry(line, None) } else { line.to_string() };
        copy.push_str(&line);
        copy.push('\n');
    }
    copy
}

/// The text with the namespace of a reference turned into a comment, or cut from a flow mapping.
fn drop_reference(text: &str, line: u64, namespace: &str) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let found = lines.get_mut(index)?;
    if found.trim_start().starts_with("namespace:") {
        let margin = found.len() - found.trim_start().len();
        *found = format!("{}# {}", " ".repeat(margin), found.trim_start());
    } else {
        let shorter = without_entry(found, Some(namespace));
        if shorter == *found {
            return None;
        }
        *found = shorter;
    }
    let mut changed = lines.join("\n");
    changed.push('\n');
    Some(changed)
}

/// A line with `namespace: x` cut from its flow mapping.
fn without_entry(line: &str, namespace: Option<&str>) -> String {
    let value = namespace.map_or(r"[\w.-]+".to_string(), regex::escape);
    let patterns = [
        format!(r#",\s*namespace:\s*["']?{value}["']?\s*([,}}])"#),
        format!(r#"([{{])\s*namespace:\s*["']?{value}["']?\s*,\s*"#),
    ];
    for pattern in patterns {
        if let Ok(regex) = Regex::new(&pattern)
            && regex.is_match(line)
        {
            return regex.replace(line, "$1").into_owned();
        }
    }
    line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "sourceRef: {kind: GitRepository, name: x, namespace: flux-system}",
        "sourceRef: {kind: GitRepository, name: x}"
    )]
    #[case("ref: {namespace: flux-system, name: x}", "ref: {name: x}")]
    #[case("ref: {name: x, namespace: 'flux-system', kind: y}", "ref: {name: x, kind: y}")]
    #[case("        namespace: flux-system", "        # namespace: flux-system")]
    fn drops_a_reference(#[case] line: &str, #[case] expected: &str) {
        let changed = drop_reference(line, 1, "flux-system").unwrap();
        assert_eq!(changed.trim_end(), expected);
    }

    #[test]
    fn keeps_namespaces_outside_metadata() {
        let text = "kind: X\nmetadata:\n  name: x\n  namespace: y\nspec:\n  namespace: z\n";
        let expected = "kind: X\nmetadata:\n  name: x\nspec:\n  namespace: z\n";
        assert_eq!(without_namespace(text), expected);
        let flow = "metadata: {name: x, namespace: y}\n";
        assert_eq!(without_namespace(flow), "metadata: {name: x}\n");
    }
}
