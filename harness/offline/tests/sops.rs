//! Files that the real sops 3.13.3 wrote (`tests/data`), against hashes of what `sops decrypt`
//! says is in them (`expected.json`).

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_offline::sops::{
    Identities, OpenError, is_sealed, open, openings, plain_hashes, readable_leaves, recipients,
};
use rstest::rstest;

const OWNER: &str = include_str!("data/owner-TEST-ONLY.key");
const OTHER: &str = include_str!("data/other-TEST-ONLY.key");
const EXPECTED: &str = include_str!("data/expected.json");

fn data(name: &str) -> String {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the test data is committed")
}

fn keys(text: &str) -> Identities {
    Identities::parse(text).expect("the test key is whole")
}

#[rstest]
#[case("types.yaml", 13)]
#[case("regex.yaml", 2)]
#[case("suffix.yaml", 1)]
#[case("encrypted-suffix.yaml", 1)]
#[case("unencrypted-regex.yaml", 1)]
#[case("mac-only.yaml", 1)]
#[case("two-recipients.yaml", 1)]
#[case("two-documents.yaml", 2)]
fn opens_what_sops_sealed(#[case] name: &str, #[case] sealed: usize) {
    let text = data(name);
    assert!(is_sealed(&text));
    let opened = open(name, &text, &keys(OWNER)).unwrap();
    assert_eq!(opened.sealed(), sealed);
    let mut expected: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(EXPECTED).unwrap();
    assert_eq!(opened.leaf_hashes(), expected.remove(name).unwrap());
    assert_eq!(readable_leaves(name, &text), Ok(Vec::new()));
}

#[test]
fn either_of_two_recipients_opens() {
    let text = data("two-recipients.yaml");
    assert_eq!(recipients("x.yaml", &text).unwrap().len(), 2);
    let hashes = |key| open("x.yaml", &text, &keys(key)).unwrap().leaf_hashes();
    assert_eq!(hashes(OWNER), hashes(OTHER));
}

#[test]
fn a_foreign_key_is_refused_by_name() {
    let error = open("customers/a/secrets.yaml", &data("types.yaml"), &keys(OTHER)).unwrap_err();
    insta::assert_snapshot!(error, @"customers/a/secrets.yaml: none of the keys opens it; it is sealed to age1zh0cykdpdlvxe2hca0czk5j2fagqj4phkyda0v2wxfgy0gnvq30qdzae63");
}

/// What an author without the key can do to a sealed file, and what is said of it.
#[rstest]
#[case::readable_part_changed("regex.yaml", "name: open-webui", "name: open-gate", "the file was")]
#[case::value_moved("suffix.yaml", "password: ENC", "passwort: ENC", "the value was")]
#[case::value_dropped("types.yaml", "empty: \"\"", "void: \"x\"", "should be sealed is readable")]
#[case::number_put_in("types.yaml", "empty: \"\"", "empty: 12", "should be sealed is readable")]
#[case::mac_gone("types.yaml", "    mac: ENC", "    cam: ENC", "has no `mac`")]
#[case::date_changed("types.yaml", "lastmodified: \"2026", "lastmodified: \"2027", "the file was")]
#[case::not_sealed("types.yaml", "\nsops:", "\nspos:", "is not sealed")]
#[case::armor_broken("types.yaml", "BEGIN AGE", "BEGIN EGA", "wrapped data key")]
#[case::bad_base64(
    "types.yaml",
    "password: ENC[AES256_GCM,data:8",
    "password: ENC[AES256_GCM,data:*",
    "base64"
)]
#[case::bad_nonce("types.yaml", "iv:ia53", "iv:", "nonce")]
fn a_changed_file_does_not_open(
    #[case] name: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] said: &str,
) {
    let text = data(name);
    assert!(text.contains(from), "the case is out of date");
    let error = open(name, &text.replacen(from, to, 1), &keys(OWNER)).unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn an_added_empty_value_opens_as_it_does_with_sops() {
    let text = data("types.yaml").replacen("    empty:", "    added: \"\"\n    empty:", 1);
    // An empty text adds nothing to the authentication code.
    let opened = open("types.yaml", &text, &keys(OWNER)).unwrap();
    assert_eq!(opened.sealed(), 13);
}

#[rstest]
#[case("key-groups.yaml", "a file with key groups is not supported")]
#[case("comment-regex.yaml", "a rule over comments is not supported")]
fn what_is_not_supported_is_said(#[case] name: &str, #[case] said: &str) {
    let error = open(name, &data(name), &keys(OWNER)).unwrap_err();
    assert!(matches!(error, OpenError::Unsupported { .. }));
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn readable_values_are_named_by_line() {
    let text = data("types.yaml").replacen("    empty: \"\"", "    empty: readable", 1);
    let found = readable_leaves("customers/a/secrets.yaml", &text).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "customers/a/secrets.yaml:8");
    let text = data("regex.yaml").replacen("\ndata:", "\ndata:\n    extra: 5", 1);
    assert_eq!(readable_leaves("x.yaml", &text).unwrap()[0].line, 12);
}

#[test]
fn what_went_in_can_be_compared_with_what_came_out() {
    let opened = open("two.yaml", &data("two-recipients.yaml"), &keys(OWNER)).unwrap();
    let same = plain_hashes("values.yaml", "# another layout\n{shared: \"not real\"}\n").unwrap();
    assert_eq!(opened.entry_hashes(), same);
    let other = plain_hashes("values.yaml", "shared: changed\n").unwrap();
    assert_ne!(opened.entry_hashes(), other);
}

#[test]
fn nothing_prints_a_value() {
    let opened = open("two.yaml", &data("two-recipients.yaml"), &keys(OWNER)).unwrap();
    assert_eq!(format!("{opened:?}"), r#"{"shared": "***"}"#);
    assert!(!format!("{:?}", opened.texts_to_cut(4)).contains("not real"));
}

#[test]
fn tries_every_key_on_every_file() {
    let files = ["types.yaml", "two-recipients.yaml", "plain.yaml"];
    let text = |name: &str| match name {
        "plain.yaml" => "password: readable\n".to_string(),
        name => data(name),
    };
    let layout = Layout::new(files.map(|name| (name.to_string(), text(name))).into()).unwrap();
    let keys = [("a".to_string(), OWNER.to_string()), ("b".to_string(), OTHER.to_string())].into();
    let asked: Vec<String> =
        files.iter().chain(&["absent.yaml"]).map(ToString::to_string).collect();
    let seen = openings(&layout, &asked, &keys);
    assert_eq!(seen[0].opened_by, ["a"]);
    assert!(seen[0].refused["b"].contains("none of the keys opens it"));
    assert_eq!((seen[0].sealed, seen[0].readable.len()), (13, 0));
    assert_eq!(seen[1].opened_by, ["a", "b"]);
    assert_eq!(seen[2].readable[0].to_string(), "plain.yaml:1");
    assert_eq!(seen[2].sealed, 0);
    assert_eq!(seen[3].refused["a"], "the layout has no such file");
}

proptest::proptest! {
    /// No text, however broken, makes the reader panic.
    #[test]
    fn never_panics(at in 0_usize..3000, junk in ".{0,12}") {
        let text = data("types.yaml");
        let at = text.floor_char_boundary(at.min(text.len()));
        let broken = format!("{}{junk}{}", &text[..at], &text[text.ceil_char_boundary(at + 3).min(text.len()).max(at)..]);
        let _ = open("types.yaml", &broken, &keys(OWNER));
        let _ = readable_leaves("types.yaml", &broken);
        let _ = recipients("types.yaml", &junk);
        let _ = plain_hashes("types.yaml", &broken);
    }
}
