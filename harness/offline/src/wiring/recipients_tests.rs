use rstest::rstest;

use super::*;
use crate::wiring::samples::{OTHER, OWNER, SEALED, SEALED_TO_TWO, layout};

const FILE: &str = "customers/a/secrets.yaml";

fn said(rules: &str, sealed: &str) -> Vec<String> {
    let layout = layout(&[(".sops.yaml", rules), (FILE, sealed)]);
    let found = findings(&layout).into_iter();
    found.map(|one| format!("{} {}", one.name, one.location.unwrap())).collect()
}

fn rule(age: &str, more: &str) -> String {
    format!("creation_rules:\n  - path_regex: ^customers/a/\n    age: {age}\n{more}")
}

#[rstest]
#[case::alike(&rule(OWNER, ""), SEALED, None)]
#[case::both(&rule(&format!("{OTHER}, {OWNER}"), ""), SEALED_TO_TWO, None)]
#[case::list(&rule(&format!("[{OTHER}, {OWNER}]"), ""), SEALED_TO_TWO, None)]
#[case::group(
    &format!("creation_rules:\n  - key_groups:\n      - age: [{OTHER}, {OWNER}]\n"), SEALED_TO_TWO, None
)]
#[case::too_many(&rule(OWNER, ""), SEALED_TO_TWO, Some("recipient-not-in-rule customers/a/secrets.yaml:21"))]
#[case::missing(
    &rule(&format!("{OWNER},{OTHER}"), ""), SEALED, Some("recipient-not-in-rule .sops.yaml:3")
)]
#[case::no_rule(
    "creation_rules:\n  - path_regex: ^b/\n    age: x\n",
    SEALED,
    Some("recipient-not-in-rule customers/a/secrets.yaml:1")
)]
#[case::not_anchored(
    &rule(OWNER, "    encrypted_regex: data\n"), SEALED, Some("encrypted-regex-not-anchored .sops.yaml:4")
)]
#[case::anchored(&rule(OWNER, "    encrypted_regex: ^(data|stringData)$\n"), SEALED, None)]
#[case::first_rule_counts(
    &format!("{}  - age: x\n", rule(OWNER, "")), SEALED, None
)]
#[case::not_sealed(&rule(OWNER, ""), "a: b\n", None)]
fn a_file_is_sealed_as_its_rule_says(
    #[case] rules: &str,
    #[case] sealed: &str,
    #[case] expected: Option<&str>,
) {
    let expected: Vec<String> = expected.into_iter().map(str::to_string).collect();
    assert_eq!(said(rules, sealed), expected);
}

#[test]
fn the_nearest_rules_count_and_see_paths_from_their_folder() {
    let near = format!("creation_rules:\n  - path_regex: ^secrets\n    age: {OWNER}\n");
    let layout = layout(&[
        (".sops.yaml", "creation_rules: []\n"),
        ("customers/a/.sops.yaml", &near),
        (FILE, SEALED),
    ]);
    assert_eq!(findings(&layout), []);
}

#[test]
fn without_rules_nothing_is_said() {
    assert_eq!(findings(&layout(&[(FILE, SEALED)])), []);
}
