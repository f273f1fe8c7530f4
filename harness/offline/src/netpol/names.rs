//! Names as the API server accepts them.

const LABEL_LENGTH_MAX: usize = 63;
const PREFIX_LENGTH_MAX: usize = 253;
const PORT_NAME_LENGTH_MAX: usize = 15;

/// `app`, `kubernetes.io/metadata.name`.
pub(super) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_word(name),
        None => is_word(text),
    }
}

/// Empty, or a word.
pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_word(text)
}

/// What the registry of service names allows: `http`, `otlp-grpc`.
pub(super) fn is_port_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= PORT_NAME_LENGTH_MAX
        && text.bytes().all(allowed)
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !text.contains("--")
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_word(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= LABEL_LENGTH_MAX && text.bytes().all(inside) && has_plain_ends(text)
}

fn is_subdomain(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| part.bytes().all(inside) && has_plain_ends(part);
    text.len() <= PREFIX_LENGTH_MAX && text.split('.').all(is_part)
}

fn has_plain_ends(text: &str) -> bool {
    let plain = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    plain(text.bytes().next()) && plain(text.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("app", true)]
    #[case("kubernetes.io/metadata.name", true)]
    #[case("a_b.c-D9", true)]
    #[case("", false)]
    #[case("-a", false)]
    #[case("a/", false)]
    #[case("/a", false)]
    #[case("A.io/x", false)]
    #[case("a/b/c", false)]
    #[case("a b", false)]
    fn keys_of_labels(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_label_key(text), expected);
    }

    #[test]
    fn words_have_63_letters_at_most() {
        assert!(is_label_value(&"a".repeat(63)));
        assert!(!is_label_value(&"a".repeat(64)));
        assert!(is_label_value(""));
    }

    #[rstest]
    #[case("http", true)]
    #[case("otlp-grpc", true)]
    #[case("8080", false)]
    #[case("a--b", false)]
    #[case("-a", false)]
    #[case("a-", false)]
    #[case("HTTP", false)]
    #[case("", false)]
    #[case("sixteen-letters-", false)]
    #[case("sixteen-letterss", false)]
    fn names_of_ports(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(is_port_name(text), expected);
    }
}
