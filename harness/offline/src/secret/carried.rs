//! Which rendered object carries which sealed file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partywall_core::Layout;
use serde_json::Value;

use crate::render::{Object, Rendered};

/// A sealed file on its way into the cluster.
pub(crate) struct Carried<'a> {
    /// The file.
    pub(crate) file: &'a str,
    /// The object that carries it.
    pub(crate) object: &'a Object,
    /// The Secret's entry that is the whole file; none for a manifest that is sealed itself.
    pub(crate) entry: Option<&'a str>,
}

/// Those of some objects that carry one of these sealed files.
pub(crate) fn carried<'a>(
    layout: &'a Layout,
    rendered: &'a Rendered,
    files: &[&'a str],
    of: impl Fn(&Object) -> bool,
) -> Vec<Carried<'a>> {
    let mut found = Vec::new();
    for object in rendered.objects.iter().filter(|object| of(object)) {
        if object.at(&["sops"]).is_some() {
            let file = files.iter().find(|file| **file == object.origin.file);
            found.extend(file.map(|file| Carried { file, object, entry: None }));
            continue;
        }
        if object.kind() != "Secret" {
            continue;
        }
        for (entry, text) in entries(object) {
            // A generator takes a file as it is, so that its text names it.
            let same = files.iter().filter(|file| layout.files.get(**file) == Some(&text));
            found.extend(same.map(|file| Carried { file, object, entry: Some(entry) }));
        }
    }
    found
}

/// The entries of a Secret with their texts; what is not text is left out.
pub(super) fn entries(secret: &Object) -> Vec<(&str, String)> {
    let list = |part: &str| secret.at(&[part]).and_then(Value::as_object).into_iter().flatten();
    let decoded = list("data").filter_map(|(entry, value)| {
        // Kustomize breaks long values into lines.
        let text: String = value.as_str()?.split_whitespace().collect();
        let bytes = STANDARD.decode(text).ok()?;
        Some((entry.as_str(), String::from_utf8(bytes).ok()?))
    });
    let written = list("stringData")
        .filter_map(|(entry, value)| Some((entry.as_str(), value.as_str()?.to_string())));
    decoded.chain(written).collect()
}

#[cfg(test)]
#[path = "carried_tests.rs"]
mod tests;
