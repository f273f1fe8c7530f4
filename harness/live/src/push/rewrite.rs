//! Text changes that keep every line where it is.

use std::path::Path;

use super::error::PushError;
use super::tree::files;

/// Replace addresses, keys or image names in the YAML files of a tree, token for token.
pub(crate) fn rewrite(
    root: &Path,
    wanted: impl Fn(&Path) -> bool,
    replacements: &[(String, String)],
) -> Result<(), PushError> {
    if replacements.is_empty() {
        return Ok(());
    }
    for (name, kind) in files(root)? {
        let is_yaml = name.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if !kind.is_file() || !is_yaml || !wanted(&name) {
            continue;
        }
        let path = root.join(&name);
        let read = std::fs::read_to_string(&path);
        let text = match read {
            Ok(text) => text,
            // A file that is not text holds no address to rewrite.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => continue,
            Err(source) => return Err(PushError::Layout { path, source }),
        };
        let new = replacements
            .iter()
            .fold(text.clone(), |text, (from, to)| replace_tokens(&text, from, to));
        if new != text {
            std::fs::write(&path, new).map_err(|source| PushError::Scratch { path, source })?;
        }
    }
    Ok(())
}

/// Replace `from` where it stands as a whole, not as a part of a longer address.
pub(crate) fn replace_tokens(text: &str, from: &str, to: &str) -> String {
    let belongs = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    let mut new = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        let whole = !before.ends_with(belongs) && !after.starts_with(belongs);
        new.push_str(before);
        new.push_str(if whole { to } else { from });
        rest = after;
    }
    new.push_str(rest);
    new
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("url: https://a/b.git # x", "url: L # x")]
    #[case("url: \"https://a/b.git\"", "url: \"L\"")]
    #[case("url: https://a/b.git2", "url: https://a/b.git2")]
    #[case("url: xhttps://a/b.git", "url: xhttps://a/b.git")]
    #[case("https://a/b.git\nhttps://a/b.git", "L\nL")]
    fn replaces_whole_addresses_only(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(replace_tokens(text, "https://a/b.git", "L"), expected);
    }
}
