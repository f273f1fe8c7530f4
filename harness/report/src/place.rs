//! Where a file of the layout is in its repository.

/// The layout's files are named relative to its root, GitHub's to the repository's.
pub(crate) fn from_repository(layout: &str, file: &str) -> String {
    let layout = layout.trim_start_matches("./").trim_end_matches('/');
    let is_outside = layout.starts_with('/') || layout.starts_with("..");
    if layout.is_empty() || layout == "." || is_outside {
        return file.to_string();
    }
    format!("{layout}/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("fixtures/deployments", "base/a.yaml", "fixtures/deployments/base/a.yaml")]
    #[case("./fixtures/", "base/a.yaml", "fixtures/base/a.yaml")]
    #[case(".", "base/a.yaml", "base/a.yaml")]
    #[case("/somewhere", "base/a.yaml", "base/a.yaml")]
    #[case("../other", "base/a.yaml", "base/a.yaml")]
    fn names_files_from_the_repository(
        #[case] layout: &str,
        #[case] file: &str,
        #[case] named: &str,
    ) {
        assert_eq!(from_repository(layout, file), named);
    }
}
