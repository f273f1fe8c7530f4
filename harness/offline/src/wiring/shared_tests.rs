use rstest::rstest;

use super::*;
use crate::wiring::samples::{OTHER, OWNER, SEALED, SEALED_TO_TWO, contract, layout, rendered};

/// A Kustomization of a folder, with what opens its files.
fn kustomization(name: &str, path: &str, decryption: &str) -> String {
    format!(
        "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, namespace: f}}\nspec:\n  path: ./{path}\n  decryption: {{provider: sops{decryption}}}\n"
    )
}

const KEY_A: &str = ", secretRef: {name: key-a}";
const KEY_B: &str = ", secretRef: {name: key-b}";
const KEY_P: &str = ", secretRef: {name: key-p}";

fn found(flux: &str, files: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![("flux.yaml", flux)];
    all.extend(files);
    let layout = layout(&all);
    let found = findings(&layout, &rendered(&layout, &[]), &contract());
    found.into_iter().map(|one| format!("{} {}", one.name, one.location.unwrap())).collect()
}

const A: &str = "customers/a/secrets.yaml";
const B: &str = "customers/b/secrets.yaml";

#[rstest]
#[case::own(&[("a", "customers/a", KEY_A), ("b", "customers/b", KEY_B)], &[])]
#[case::one_for_two(
    &[("a", "customers/a", KEY_A), ("b", "customers/b", KEY_A)],
    &["key-shared-between-tenants flux.yaml:7", "key-shared-between-tenants flux.yaml:14"]
)]
#[case::one_kustomization(
    &[("all", "customers", KEY_A)],
    &["key-shared-between-tenants flux.yaml:7"]
)]
#[case::platform_too(
    &[("a", "customers/a", KEY_A), ("p", "platform", KEY_A)],
    &["platform-wide-key flux.yaml:7", "platform-wide-key flux.yaml:14"]
)]
#[case::platforms_own(
    &[("a", "customers/a", KEY_A), ("p", "platform", KEY_P)],
    &[]
)]
#[case::controllers(
    &[("a", "customers/a", ""), ("b", "customers/b", "")],
    &["key-shared-between-tenants flux.yaml:7", "key-shared-between-tenants flux.yaml:14"]
)]
#[case::accounts_of_their_own(
    &[
        ("a", "customers/a", ", serviceAccountName: a"),
        ("b", "customers/b", ", serviceAccountName: b"),
    ],
    &[]
)]
fn a_key_serves_one(#[case] kustomizations: &[(&str, &str, &str)], #[case] expected: &[&str]) {
    let flux: String =
        kustomizations.iter().map(|(name, path, key)| kustomization(name, path, key)).collect();
    assert_eq!(found(&flux, &[(A, "x: y\n"), (B, "x: y\n")]), expected);
}

fn rules(a: &str, b: &str) -> String {
    format!(
        "creation_rules:\n  - path_regex: ^customers/a/\n    age: {a}\n  - path_regex: ^customers/b/\n    age: {b}\n"
    )
}

/// A file for the second of the two alone.
fn others() -> String {
    let (before, rest) = SEALED_TO_TWO.split_once("        - enc").unwrap();
    let (_, rest) = rest.split_once("        - enc").unwrap();
    format!("{before}        - enc{rest}")
}

#[test]
fn a_recipient_is_ones_own() {
    let own = rules(OWNER, OTHER);
    assert_eq!(found("x: y\n", &[(".sops.yaml", &own), (A, SEALED), (B, &others())]), [""; 0]);
    let both = rules(OWNER, &format!("{OWNER},{OTHER}"));
    let sealed = [(".sops.yaml", both.as_str()), (A, SEALED), (B, SEALED_TO_TWO)];
    let expected =
        ["key-shared-between-tenants .sops.yaml:3", "key-shared-between-tenants .sops.yaml:5"];
    assert_eq!(found("x: y\n", &sealed), expected);
    // Where no rule names it, the file does.
    let sealed = [(A, SEALED), (B, SEALED_TO_TWO)];
    let places = found("x: y\n", &sealed);
    assert!(places[0].starts_with("key-shared-between-tenants customers/a/secrets.yaml:"));
    assert!(places[1].starts_with("key-shared-between-tenants customers/b/secrets.yaml:"));
}

#[test]
fn a_key_of_the_controllers_own_is_everybodys() {
    let patch = "kind: Kustomization\npatches:\n  - patch: |\n      # --sops-age-secret is a flag\n      - op: add\n        value: --sops-age-secret=sops-age\n";
    let found = found("x: y\n", &[("flux-system/kustomization.yaml", patch)]);
    assert_eq!(found, ["platform-wide-key flux-system/kustomization.yaml:6"]);
}

#[rstest]
#[case::platforms("platform/secrets.yaml", 2)]
#[case::of_the_tenant("customers/a/more/secrets.yaml", 0)]
fn a_file_of_the_platform_is_not_sealed_to_a_tenant(#[case] file: &str, #[case] expected: usize) {
    let others = others();
    let found = found("x: y\n", &[(A, SEALED), (B, &others), (file, SEALED)]);
    assert_eq!(found.len(), expected, "{found:?}");
    assert!(found.iter().all(|one| one.starts_with("platform-wide-key ")), "{found:?}");
}
