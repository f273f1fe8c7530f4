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

const MANIFEST: &str = include_str!("../../tests/data/regex.yaml");

/// The pattern by which a file was sealed is in the file, whatever the rules say today.
#[rstest]
#[case::whole("^(data|stringData)$", None)]
#[case::everywhere("data", Some("encrypted-regex-not-anchored"))]
#[case::also_names("^(data|stringData|name)$", Some("encrypted-regex-not-anchored"))]
#[case::half("^data$", Some("encrypted-regex-incomplete"))]
#[case::other_half("^stringData$", Some("encrypted-regex-incomplete"))]
#[case::neither("^token$", Some("encrypted-regex-incomplete"))]
#[case::broken("(", None)]
fn the_pattern_of_a_sealed_secret_is_whole(#[case] pattern: &str, #[case] expected: Option<&str>) {
    let (before, rest) = MANIFEST.split_once("    encrypted_regex: ").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    let text = format!("{before}    encrypted_regex: {pattern}\n{after}");
    let line = before.lines().count() + 1;
    let layout = layout(&[(FILE, &text)]);
    let found: Vec<String> = findings(&layout)
        .into_iter()
        .map(|one| format!("{} {}", one.name, one.location.unwrap()))
        .collect();
    let expected: Vec<String> =
        expected.into_iter().map(|name| format!("{name} {FILE}:{line}")).collect();
    assert_eq!(found, expected);
}

#[rstest]
#[case::half("^data$", Some("encrypted-regex-incomplete .sops.yaml:4"))]
#[case::of_values("^(password|token)$", None)]
fn the_pattern_of_a_rule_covers_both_places_of_a_secret(
    #[case] pattern: &str,
    #[case] expected: Option<&str>,
) {
    let rules = rule(OWNER, &format!("    encrypted_regex: {pattern}\n"));
    assert_eq!(said(&rules, SEALED), expected.into_iter().collect::<Vec<_>>());
}

/// Every key service's name in a rule is the one that the sealed file has.
#[rstest]
#[case::google("gcp_kms", "projects/p/k", "gcp_kms: [{resource_id: projects/p/k, enc: e}]")]
#[case::amazon("kms", "arn:aws:kms:x+arn:aws:iam:role", "kms: [{arn: 'arn:aws:kms:x', enc: e}]")]
#[case::openpgp("pgp", "ABCD", "pgp: [{fp: ABCD, enc: e}]")]
#[case::azure(
    "azure_keyvault",
    "https://v/keys/main/1",
    "azure_kv: [{vault_url: 'https://v', name: main, version: '1', enc: e}]"
)]
#[case::vault(
    "hc_vault_transit_uri",
    "https://v/v1/sops/keys/main",
    "hc_vault: [{vault_address: 'https://v', engine_path: sops, key_name: main, enc: e}]"
)]
fn recipients_of_key_services_are_held_against_the_rule(
    #[case] key: &str,
    #[case] name: &str,
    #[case] block: &str,
) {
    let sealed = format!("a: ENC[x]\nsops:\n  {block}\n  mac: x\n");
    let rules = format!("creation_rules:\n  - path_regex: ^customers/a/\n    {key}: {name}\n");
    assert_eq!(said(&rules, &sealed), [""; 0]);
    let other = format!("creation_rules:\n  - path_regex: ^customers/a/\n    {key}: other\n");
    assert_eq!(said(&other, &sealed).len(), 2);
}
