//! A change of a text as people read it.

use similar::TextDiff;

/// Lines that are shown around a change.
const CONTEXT: usize = 2;

/// The change of a file as a patch; a file that was not there, or is not any more, is `/dev/null`.
pub fn unified(file: &str, before: Option<&str>, after: Option<&str>) -> String {
    let name = |side: &str, text: Option<&str>| match text {
        Some(_) => format!("{side}/{file}"),
        None => "/dev/null".to_string(),
    };
    let (old, new) = (name("a", before), name("b", after));
    let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(CONTEXT).header(&old, &new).to_string()
}
