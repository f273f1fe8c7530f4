//! Cutting secrets out of everything that is shown.

/// What stands where a secret was.
const MASK: &str = "***";

/// Replaces every occurrence of every secret in `text`.
pub(crate) fn redact(text: &str, secrets: &[String]) -> String {
    let mut longest_first: Vec<&String> = secrets.iter().filter(|s| !s.is_empty()).collect();
    // A secret may contain another one; the longer must go first or its rest would stay.
    longest_first.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    longest_first.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_each_secret_and_the_longest_first() {
        let secrets = ["pass".to_owned(), "password".to_owned(), String::new()];
        assert_eq!(redact("a password, a pass", &secrets), "a ***, a ***");
    }
}
