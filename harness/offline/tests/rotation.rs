//! Rotated files, opened by us and by the real sops.

mod sops_support;

use partywall_offline::sops::{
    Identities, open, recipients, with_new_data_key, with_recipient, with_value, without_recipient,
};
use partywall_tool::Tool;
use rstest::rstest;
use sops_support::sops;

const OWNER: &str = include_str!("data/owner-TEST-ONLY.key");
const OTHER: &str = include_str!("data/other-TEST-ONLY.key");

fn data(name: &str) -> String {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the test data is committed")
}

fn keys(text: &str) -> Identities {
    Identities::parse(text).expect("the test key is whole")
}

fn other() -> String {
    keys(OTHER).recipients().remove(0)
}

fn owner() -> String {
    keys(OWNER).recipients().remove(0)
}

/// What sops says is in a file, MAC and all.
fn sops_opens(text: &str, key: &str) -> Result<String, String> {
    let private = key.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap_or_default();
    let tool = Tool::new(sops())
        .env("SOPS_CONFIG", "/dev/null")
        .secret_env("SOPS_AGE_KEY", private)
        .args(["decrypt", "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"])
        .stdin(text);
    let ran = tool.run().map(|output| output.stdout_text().into_owned());
    ran.map_err(|error| error.to_string())
}

/// The time of the last change, as the file has it.
fn modified(text: &str) -> String {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("lastmodified: "));
    line.expect("a sealed file says when it was changed").trim_matches('"').to_string()
}

#[rstest]
#[case("types.yaml")]
#[case("regex.yaml")]
#[case("suffix.yaml")]
#[case("encrypted-suffix.yaml")]
#[case("unencrypted-regex.yaml")]
#[case("mac-only.yaml")]
fn a_key_is_rotated_in_three_steps(#[case] name: &str) {
    let before = data(name);
    let values = open(name, &before, &keys(OWNER)).unwrap().leaf_hashes();

    let both = with_recipient(name, &before, &keys(OWNER), &other()).unwrap();
    assert_eq!(recipients(name, &both).unwrap().len(), 2);
    let renewed = with_new_data_key(name, &both, &keys(OWNER)).unwrap();
    let new_only = without_recipient(name, &renewed, &owner()).unwrap();

    for text in [&both, &renewed, &new_only] {
        assert_eq!(open(name, text, &keys(OTHER)).unwrap().leaf_hashes(), values);
    }
    assert_eq!(open(name, &both, &keys(OWNER)).unwrap().leaf_hashes(), values);
    assert!(open(name, &new_only, &keys(OWNER)).is_err());
    let sealed = |text: &str| {
        let tokens = text.lines().filter(|line| line.contains("ENC[AES256_GCM"));
        tokens.map(str::to_string).collect::<Vec<_>>()
    };
    let kept = sealed(&before);
    assert_eq!(kept, sealed(&both));
    assert!(sealed(&renewed).iter().all(|line| !kept.contains(line)), "a value kept its seal");
    // As sops does: a new recipient is no change, and a new data key is one.
    assert_eq!(modified(&before), modified(&both));
    assert!(modified(&renewed) > modified(&before), "the time of the change is the old one");
    assert_eq!(modified(&renewed), modified(&new_only));
    // The wrapped keys alone differ in length.
    let outside = |text: &str| text.lines().filter(|line| !line.starts_with("         ")).count();
    assert_eq!(outside(&before), outside(&new_only));
    assert_eq!(sops_opens(&before, OWNER).unwrap(), sops_opens(&new_only, OTHER).unwrap());
    assert!(sops_opens(&new_only, OWNER).is_err());
    assert!(sops_opens(&both, OTHER).is_ok());
}

#[test]
fn sealed_comments_come_along() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read =
        |path: &str| std::fs::read_to_string(format!("{root}/../../fixtures/{path}")).unwrap();
    let text = read("deployments/customers/customer-a/secrets.yaml");
    let key = read("keys/TEST-ONLY-customer-a.agekey");
    assert!(text.contains("type:comment"), "the fixture has no sealed comment any more");
    let renewed = with_new_data_key("s.yaml", &text, &keys(&key)).unwrap();
    assert_ne!(text.lines().next(), renewed.lines().next());
    assert_eq!(sops_opens(&text, &key).unwrap(), sops_opens(&renewed, &key).unwrap());
}

#[test]
fn one_value_is_changed_and_the_whole_still_fits() {
    let text = data("two-recipients.yaml");
    let new = with_value("s.yaml", &text, &keys(OWNER), "shared", "changed").unwrap();
    assert_eq!(sops_opens(&new, OTHER).unwrap().trim(), "shared: changed");
    let error = with_value("s.yaml", &text, &keys(OWNER), "absent", "x").unwrap_err();
    assert!(error.to_string().contains("no value `absent`"), "{error}");
}

#[test]
fn what_must_not_be_rotated_is_refused() {
    let text = data("types.yaml");
    let error = without_recipient("s.yaml", &text, &owner()).unwrap_err();
    assert!(error.to_string().contains("only recipient"), "{error}");
    let error = with_recipient("s.yaml", &text, &keys(OTHER), &other()).unwrap_err();
    assert!(error.to_string().contains("none of the keys opens it"), "{error}");
    let damaged = data("regex.yaml").replacen("name: open-webui", "name: open-gate", 1);
    let error = with_new_data_key("s.yaml", &damaged, &keys(OWNER)).unwrap_err();
    assert!(error.to_string().contains("changed after it was sealed"), "{error}");
    let cloud = data("types.yaml").replacen(
        "\nsops:",
        "\nsops:\n    gcp_kms:\n        - resource_id: projects/p\n          enc: x",
        1,
    );
    let error = with_new_data_key("s.yaml", &cloud, &keys(OWNER)).unwrap_err();
    assert!(error.to_string().contains("another key service"), "{error}");
    let several = data("two-documents.yaml");
    assert!(with_new_data_key("s.yaml", &several, &keys(OWNER)).is_err());
    assert_eq!(with_recipient("s.yaml", &text, &keys(OWNER), &owner()).unwrap(), text);
}

/// The MAC fits the time that stands in the file, and no other.
#[test]
fn the_time_of_the_change_is_part_of_what_is_authenticated() {
    let text = data("types.yaml");
    let renewed = with_new_data_key("s.yaml", &text, &keys(OWNER)).unwrap();
    assert!(sops_opens(&renewed, OWNER).is_ok());
    let back = renewed.replacen(&modified(&renewed), &modified(&text), 1);
    assert!(sops_opens(&back, OWNER).is_err());
    assert!(open("s.yaml", &back, &keys(OWNER)).is_err());
    let strange = text.replacen("lastmodified", "\"lastmodified\"", 1);
    assert!(with_new_data_key("s.yaml", &strange, &keys(OWNER)).is_ok());
}
