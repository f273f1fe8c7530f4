//! Changing one digest in a lock file and nothing else.

use crate::error::LockError;

/// Writes a digest beside its reference; every other byte of the file stays as it is.
pub fn set_digest(text: &str, reference: &str, digest: &str) -> Result<String, LockError> {
    let key = format!("reference: \"{reference}\"");
    let mut found = false;
    let lines: Vec<String> = text
        .split_inclusive('\n')
        .map(|line| match line.split_once(&key) {
            Some((before, after)) if !found && before.trim_start().starts_with("published: {") => {
                found = true;
                // What follows is the end of the mapping, with or without an older digest.
                let end = after.find('}').map_or(after, |end| &after[end..]);
                format!("{before}{key}, digest: \"{digest}\"{end}")
            }
            _ => line.to_owned(),
        })
        .collect();
    if found {
        return Ok(lines.concat());
    }
    Err(LockError::NoLine { reference: reference.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Lock;
    use crate::lock::tests::SMALL;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const LOKI: &str = "docker.io/grafana/loki:3.7.8";

    #[test]
    fn changes_one_line_and_then_the_digest_is_read_back() {
        let text = format!("# A comment.\n{SMALL}").replace("3.7.8\"}", "3.7.8\"}  # why");
        let edited = set_digest(&text, LOKI, DIGEST).unwrap();
        let changed = text.lines().zip(edited.lines()).filter(|(a, b)| a != b).count();
        assert_eq!((changed, text.lines().count()), (1, edited.lines().count()));
        assert!(edited.contains("\"}  # why") && edited.starts_with("# A comment."));
        let lock = Lock::parse(&edited).unwrap();
        let published = lock.component("loki").unwrap().published().unwrap();
        assert_eq!(published.digest.as_deref(), Some(DIGEST));
    }

    #[test]
    fn replaces_an_older_digest() {
        let once = set_digest(SMALL, LOKI, DIGEST).unwrap();
        assert_eq!(set_digest(&once, LOKI, DIGEST).unwrap(), once);
        let other = DIGEST.replace("e3b0", "0000");
        let twice = set_digest(&once, LOKI, &other).unwrap();
        assert!(twice.contains(&other) && !twice.contains(DIGEST));
    }

    #[test]
    fn names_a_reference_without_a_line() {
        let error = set_digest(SMALL, "docker.io/other:1", DIGEST).unwrap_err();
        assert!(error.to_string().starts_with("failed to pin `docker.io/other:1`"), "{error}");
    }
}
