//! Where a fact was written, and the one loader of YAML text.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest YAML text that is read, in bytes. A layout's files are far smaller; a larger
/// one is a mistake or an attack on the reader's memory.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The most values that aliases may stand for in one text, in YAML events. A layout uses aliases
/// for a few labels; an alias bomb is refused before it has taken time or memory.
const ALIAS_EVENTS_MAX: usize = 100_000;

/// How every reader of this project reads YAML: `yes` and `n` are words, as to Kubernetes, aliases
/// are bounded, and no message quotes the text, which could hold a secret.
pub fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIAS_EVENTS_MAX },
    }
}

/// A line of a file, for messages that a person can jump to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceLocation {
    /// Path relative to the root of the layout, with `/`.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
}

impl SourceLocation {
    /// A location from its parts.
    pub fn new(file: impl Into<String>, line: u64) -> Self {
        Self { file: file.into(), line }
    }
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// Why a text could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{location}: {message}{}", hint.as_deref().map(|h| format!("\nhint: {h}")).unwrap_or_default())]
pub struct LoadError {
    /// Where.
    pub location: SourceLocation,
    /// What is wrong, as a lowercase fragment.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl LoadError {
    /// An error at a line.
    pub fn at(file: &str, line: u64, message: impl Into<String>) -> Self {
        Self { location: SourceLocation::new(file, line), message: message.into(), hint: None }
    }

    /// The same error with what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error of the YAML reader, with its line and without the reader's own source
    /// excerpt: an excerpt could show a secret.
    pub(crate) fn from_yaml(file: &str, error: &serde_saphyr::Error) -> Self {
        let line = error.location().map_or(1, |location| location.line());
        let text = error.without_snippet().to_string();
        let message = text.lines().next().unwrap_or("not valid YAML").to_string();
        Self::at(file, line, message)
    }
}

/// Read one YAML document into a typed value. Unknown keys are an error where the type says
/// so; duplicate keys, alias bombs and texts above [`TEXT_BYTES_MAX`] always are.
pub fn load<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, LoadError> {
    refuse_large(file, text)?;
    serde_saphyr::from_str_with_options(text, yaml_options())
        .map_err(|error| LoadError::from_yaml(file, &error))
}

pub(crate) fn refuse_large(file: &str, text: &str) -> Result<(), LoadError> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }
    let message = format!("{} bytes are more than the {TEXT_BYTES_MAX} that are read", text.len());
    Err(LoadError::at(file, 1, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its parsing is tested")]
        name: String,
    }

    #[test]
    fn names_the_line_of_an_unknown_key() {
        let error = load::<Sample>("a.yaml", "name: x\nnmae: y\n").unwrap_err();
        assert_eq!(error.location, SourceLocation::new("a.yaml", 2));
        assert!(error.message.contains("nmae"), "{error}");
    }

    #[test]
    fn refuses_duplicate_keys() {
        assert!(load::<Sample>("a.yaml", "name: x\nname: y\n").is_err());
    }

    #[test]
    fn refuses_alias_bombs() {
        let mut text = String::from("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let previous = (b'a' + level - 1) as char;
            let current = (b'a' + level) as char;
            let aliases = vec![format!("*{previous}"); 10].join(",");
            text.push_str(&format!("{current}: &{current} [{aliases}]\n"));
        }
        assert!(load::<serde_json::Value>("bomb.yaml", &text).is_err());
    }

    #[test]
    fn refuses_texts_above_the_limit() {
        let text = "#".repeat(TEXT_BYTES_MAX + 1);
        assert!(load::<serde_json::Value>("big.yaml", &text).is_err());
    }
}
