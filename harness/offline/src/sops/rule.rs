//! Which values of a file are meant to be sealed.

use regex::Regex;

use super::error::OpenError;
use super::tree::Item;

/// Which values are meant to be sealed. SOPS writes one of the four into a file and applies
/// all that it finds, in this order.
pub(super) struct Rule {
    unencrypted_suffix: Option<String>,
    encrypted_suffix: Option<String>,
    unencrypted_regex: Option<Regex>,
    encrypted_regex: Option<Regex>,
}

impl Rule {
    pub(super) fn read(file: &str, sops: &Item) -> Result<Self, OpenError> {
        for key in ["encrypted_comment_regex", "unencrypted_comment_regex"] {
            if let Some(item) = sops.get(key).filter(|item| item.text().is_some()) {
                return Err(OpenError::unsupported(file, item.line, "a rule over comments"));
            }
        }
        let text = |key| {
            let text = sops.get(key).and_then(Item::text).filter(|text| !text.is_empty());
            text.map(str::to_string)
        };
        Ok(Self {
            unencrypted_suffix: text("unencrypted_suffix"),
            encrypted_suffix: text("encrypted_suffix"),
            unencrypted_regex: regex(file, sops, "unencrypted_regex")?,
            encrypted_regex: regex(file, sops, "encrypted_regex")?,
        })
    }

    /// Whether the value under these keys is meant to be sealed. One matching key on the way
    /// decides for all below it.
    pub(super) fn seals(&self, keys: &[String]) -> bool {
        let ends = |suffix: &String| keys.iter().any(|key| key.ends_with(suffix.as_str()));
        let matches = |regex: &Regex| keys.iter().any(|key| regex.is_match(key));
        let mut seals = !self.unencrypted_suffix.as_ref().is_some_and(ends);
        if let Some(suffix) = &self.encrypted_suffix {
            seals = ends(suffix);
        }
        if self.unencrypted_regex.as_ref().is_some_and(matches) {
            seals = false;
        }
        if let Some(regex) = &self.encrypted_regex {
            seals = matches(regex);
        }
        seals
    }
}

fn regex(file: &str, sops: &Item, key: &str) -> Result<Option<Regex>, OpenError> {
    let Some(item) = sops.get(key) else {
        return Ok(None);
    };
    let Some(pattern) = item.text().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let compiled = Regex::new(pattern).map_err(|_| {
        OpenError::malformed(file, item.line, format!("`{key}` is not a regular expression"))
    })?;
    Ok(Some(compiled))
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::everything("version: 3.13.3", &["a"], true)]
    #[case::suffix("unencrypted_suffix: _plain", &["a_plain", "b"], false)]
    #[case::suffix_elsewhere("unencrypted_suffix: _plain", &["a"], true)]
    #[case::sealed_suffix("encrypted_suffix: _sealed", &["a"], false)]
    #[case::sealed_suffix_above("encrypted_suffix: _sealed", &["a_sealed", "b"], true)]
    #[case::open_regex("unencrypted_regex: ^kind$", &["kind"], false)]
    #[case::open_regex_elsewhere("unencrypted_regex: ^kind$", &["kinds"], true)]
    #[case::anchored("encrypted_regex: ^(data|stringData)$", &["metadata", "name"], false)]
    #[case::not_anchored("encrypted_regex: data", &["metadata", "name"], true)]
    #[case::below("encrypted_regex: ^data$", &["data", "password"], true)]
    fn decides_by_every_key_on_the_way(
        #[case] sops: &str,
        #[case] keys: &[&str],
        #[case] expected: bool,
    ) {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let parsed = tree::documents("x.yaml", sops).unwrap();
        assert_eq!(Rule::read("x.yaml", &parsed[0]).unwrap().seals(&keys), expected);
    }
}
