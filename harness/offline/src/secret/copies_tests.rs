use partywall_core::Layout;
use partywall_core::contract::Contract;
use rstest::rstest;

use crate::secret::samples::{self, OTHER_KEY, OWNER_KEY, keys, said};
use crate::secret::{History, Keys};
use crate::wiring::samples::{OTHER, SEALED, SEALED_TO_TWO, contract, layout};

const ASK: &str = "refuses-neighbours-file";
const KEY_A: &str = "decryption: {provider: sops, secretRef: {name: key-a}}";
const KEY_B: &str = "decryption: {provider: sops, secretRef: {name: key-b}}";
const STRANGER: &str = "decryption: {provider: sops, secretRef: {name: key-x}}";
const CONTROLLER: &str = "decryption: {provider: sops}";
const NOTHING: &str = "prune: true";

/// The files of customer-a and customer-b, and the Kustomization of customer-a.
fn world(decryption: &str, own: &str, other: &str) -> Layout {
    let kustomization = format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: a, namespace: f}}\nspec:\n  path: ./customers/a\n  {decryption}\n"
    );
    let rules = format!("creation_rules:\n  - path_regex: ^customers/b/\n    age: {OTHER}\n");
    layout(&[
        (".sops.yaml", &rules),
        ("flux.yaml", &kustomization),
        ("customers/a/secrets.yaml", own),
        ("customers/b/secrets.yaml", other),
    ])
}

fn in_service() -> String {
    samples::in_service(SEALED, "projects/b/key")
}

/// A file of customer-b alone.
fn others() -> String {
    let (before, rest) = SEALED_TO_TWO.split_once("        - enc").unwrap();
    let (_, rest) = rest.split_once("        - enc").unwrap();
    format!("{before}        - enc{rest}")
}

fn word(layout: &Layout, contract: &Contract, keys: &Keys) -> String {
    said(ASK, layout, contract, keys, &History::default())
}

#[rstest]
#[case::own_key(KEY_A, SEALED, &others(), "holds")]
#[case::sealed_to_both(KEY_A, SEALED, SEALED_TO_TWO, "violated")]
#[case::neighbours_key_too(KEY_B, SEALED_TO_TWO, &others(), "violated")]
#[case::no_decryption(NOTHING, SEALED, &others(), "undetermined")]
#[case::own_does_not_open(KEY_B, SEALED, SEALED, "undetermined")]
#[case::unknown_secret(STRANGER, SEALED, &others(), "undetermined")]
#[case::controllers_keys(CONTROLLER, SEALED, &others(), "undetermined")]
#[case::controllers_keys_alike(CONTROLLER, SEALED, SEALED_TO_TWO, "violated")]
#[case::service(KEY_A, SEALED, &in_service(), "undetermined")]
#[case::same_service(CONTROLLER, &in_service(), &in_service(), "violated")]
#[case::same_service_by_secret(KEY_A, &in_service(), &in_service(), "violated")]
#[case::service_of_its_own(KEY_A, &in_service(), &others(), "holds")]
fn a_copy_is_opened_by_what_fits(
    #[case] decryption: &str,
    #[case] own: &str,
    #[case] other: &str,
    #[case] expected: &str,
) {
    let (layout, contract) = (world(decryption, own, other), contract());
    let both = keys(&contract, &format!("{OWNER_KEY}\n{OTHER_KEY}"));
    // With the keys the files are opened; without, the recipients decide.
    for keys in [both, Keys::default()] {
        let said = word(&layout, &contract, &keys);
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn the_line_the_rule_and_the_repair_are_named() {
    let layout = world(KEY_B, SEALED_TO_TWO, &others());
    insta::assert_snapshot!(word(&layout, &contract(), &Keys::default()));
    let layout = world(KEY_A, SEALED, &in_service());
    insta::assert_snapshot!("service", word(&layout, &contract(), &Keys::default()));
}

#[test]
fn without_a_kustomization_nothing_is_told() {
    let layout = layout(&[("customers/a/secrets.yaml", SEALED)]);
    let said = word(&layout, &contract(), &Keys::default());
    assert!(said.contains("no Flux Kustomization builds the folder"), "{said}");
}
