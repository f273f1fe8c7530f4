//! What Flux and Kustomize write, taken apart.

use std::sync::LazyLock;

use regex::Regex;

/// The most characters of a message that are kept; Flux quotes whole manifests at times.
const CHARACTERS_MAX: usize = 600;

static MISSING_PATH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(\w+) operation does not apply: doc is missing (?:path|key): "?(/[^\s":]*)"#).ok()
});

static SOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?:access|reference)\s+'?(GitRepository|OCIRepository|HelmRepository|HelmChart|Bucket|ExternalArtifact)[/ ]([^\s/']+)/([^\s/',:]+)",
    )
    .ok()
});

static PRIVATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"AGE-SECRET-KEY-[0-9A-Za-z-]+|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))",
    )
    .ok()
});

/// The operation and the path of a JSON-6902 patch that its target does not have.
pub(crate) fn missing_path(message: &str) -> Option<(&str, &str)> {
    let found = MISSING_PATH.as_ref()?.captures(message)?;
    Some((found.get(1)?.as_str(), found.get(2)?.as_str()))
}

/// A source that an object may not refer to.
pub(crate) struct RefusedSource<'a> {
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// The source in a message of lockdown.
pub(crate) fn refused_source(message: &str) -> Option<RefusedSource<'_>> {
    let found = SOURCE.as_ref()?.captures(message)?;
    let part = |index| found.get(index).map(|part: regex::Match<'_>| part.as_str());
    Some(RefusedSource { kind: part(1)?, namespace: part(2)?, name: part(3)? })
}

/// A message without secrets: private keys, and every text that the caller knows to be one.
pub fn clean(message: &str, secrets: &[&str]) -> String {
    let mut text = match PRIVATE.as_ref() {
        Some(private) => private.replace_all(message, "***").into_owned(),
        None => return "***".to_string(),
    };
    let mut known: Vec<&str> = secrets.iter().copied().filter(|text| !text.is_empty()).collect();
    // A secret that contains another must go first, or its rest would stay.
    known.sort_by_key(|text| std::cmp::Reverse(text.len()));
    for secret in known {
        text = text.replace(secret, "***");
    }
    let text = text.trim();
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "kustomize build failed: replace operation does not apply: doc is missing path: /spec/values/ingress/hosts/0/host: missing value",
        Some(("replace", "/spec/values/ingress/hosts/0/host"))
    )]
    #[case(
        r#"remove operation does not apply: doc is missing key: "/a": missing value"#,
        Some(("remove", "/a"))
    )]
    #[case("accumulating resources: no such file", None)]
    fn reads_the_missing_path(#[case] message: &str, #[case] expected: Option<(&str, &str)>) {
        assert_eq!(missing_path(message), expected);
    }

    #[rstest]
    #[case(
        "can't access 'GitRepository/flux-system/open-webui-public', cross-namespace references have been blocked"
    )]
    #[case(
        "cross-namespace references are not allowed: cannot access GitRepository flux-system/open-webui-public"
    )]
    fn reads_the_refused_source(#[case] message: &str) {
        let source = refused_source(message).unwrap();
        let seen = (source.kind, source.namespace, source.name);
        assert_eq!(seen, ("GitRepository", "flux-system", "open-webui-public"));
    }

    #[test]
    fn cuts_secrets() {
        let message = "a hunter22 b hunter2 AGE-SECRET-KEY-1ABC\n-----BEGIN PRIVATE KEY-----\nxyz";
        assert_eq!(clean(message, &["hunter2", "hunter22", ""]), "a *** b *** ***\n***");
    }

    #[test]
    fn cuts_long_messages() {
        let cut = clean(&"ä".repeat(2000), &[]);
        assert_eq!(cut.chars().count(), CHARACTERS_MAX + 1);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,200}") {
            let _ = (missing_path(&text), refused_source(&text).is_some(), clean(&text, &["a"]));
        }
    }
}
