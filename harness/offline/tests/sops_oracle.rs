//! What is said of a changed file, against what the pinned `sops` itself says of it.

mod sops_support;

use partywall_offline::sops::{Identities, OpenError, flux_opens, open};
use partywall_tool::Tool;
use rstest::rstest;
use sops_support::sops;

const OWNER: &str = include_str!("data/owner-TEST-ONLY.key");

/// Exit codes of sops.
const FINE: i32 = 0;
const TREE_NOT_DECRYPTED: i32 = 25;
const MAC_MISMATCH: i32 = 51;

/// The text with every line that holds `what` changed by its own key; without it where there is
/// nothing to put in its place.
fn changed(text: &str, what: &str, with: Option<&str>) -> String {
    assert!(what.is_empty() || text.contains(what), "the case is out of date");
    match with {
        Some(with) => text.replacen(what, with, 1),
        None => {
            let kept = text.lines().filter(|line| what.is_empty() || !line.contains(what));
            kept.map(|line| format!("{line}\n")).collect()
        }
    }
}

#[rstest]
#[case::untouched("types.yaml", "", None, FINE, true)]
#[case::untouched_mac_only("mac-only.yaml", "", None, FINE, true)]
#[case::rehomed("regex.yaml", "name: open-webui", Some("name: gateway"), MAC_MISMATCH, true)]
#[case::namespace_added(
    "regex.yaml",
    "metadata:\n",
    Some("metadata:\n    namespace: customer-b\n"),
    MAC_MISMATCH,
    true
)]
#[case::readable_part_that_does_not_count(
    "mac-only.yaml",
    "user: someone",
    Some("user: other"),
    FINE,
    true
)]
#[case::value_taken_out("types.yaml", "password: ENC", None, MAC_MISMATCH, true)]
#[case::mac_taken_out("types.yaml", "    mac: ", None, MAC_MISMATCH, true)]
#[case::another_time(
    "types.yaml",
    "lastmodified: \"2026",
    Some("lastmodified: \"2027"),
    MAC_MISMATCH,
    true
)]
#[case::value_moved(
    "types.yaml",
    "password: ENC",
    Some("passwort: ENC"),
    TREE_NOT_DECRYPTED,
    false
)]
fn sops_says_the_same(
    #[case] file: &str,
    #[case] what: &str,
    #[case] with: Option<&str>,
    #[case] exit: i32,
    #[case] opens_in_flux: bool,
) {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the test data is committed");
    let text = changed(&text, what, with);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("x.yaml"), &text).expect("the file is written");
    let key = folder.path().join("key");
    std::fs::write(&key, OWNER).expect("the key is written");
    let tool = Tool::new(sops()).args(["decrypt", "x.yaml"]).dir(folder.path());
    let output = tool.env("SOPS_AGE_KEY_FILE", key).run_unchecked().expect("sops runs");
    assert_eq!(output.exit, Some(exit), "{}", output.stderr_text());

    let identities = Identities::parse(OWNER).expect("the test key is whole");
    let opened = open("x.yaml", &text, &identities).map(drop);
    let is_damaged = matches!(
        opened,
        Err(OpenError::BadMac { what: "the file", .. } | OpenError::MacMissing { .. })
    );
    assert_eq!((opened.is_ok(), is_damaged), (exit == FINE, exit == MAC_MISMATCH), "{opened:?}");
    assert_eq!(flux_opens("x.yaml", &text, &identities).is_ok(), opens_in_flux);
}
