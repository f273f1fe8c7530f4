use partywall_core::Layout;
use rstest::rstest;

use crate::secret::samples::{OTHER_KEY, OWNER_KEY, in_service, keys, said};
use crate::secret::{History, Keys, Vault};
use crate::wiring::samples::{SEALED, contract, layout, rendered};

const MANIFEST: &str = include_str!("../../tests/data/regex.yaml");

fn world(text: &str) -> Layout {
    layout(&[("customers/a/secrets.yaml", text), ("customers/b/secrets.yaml", SEALED)])
}

fn word(layout: &Layout, key: Option<&str>) -> String {
    let contract = contract();
    let keys = key.map_or_else(Keys::default, |key| keys(&contract, key));
    said("as-sealed", layout, &contract, &keys, &History::default())
}

/// Without a tenant's key, why its files cannot be asked.
fn lack(layout: &Layout) -> Option<String> {
    let (contract, keys, rendered) = (contract(), Keys::default(), rendered(layout, &[]));
    let vault = Vault::new(layout, &rendered, &contract, &keys);
    vault.without_keys().remove("customer-a")
}

/// Flux opens all of these but the last, and applies what is in them.
#[rstest]
#[case::rehomed(MANIFEST.replace("name: open-webui", "name: gateway"))]
#[case::another_namespace(MANIFEST.replace("metadata:\n", "metadata:\n    namespace: customer-b\n"))]
#[case::date(SEALED.replace("lastmodified: \"2026", "lastmodified: \"2027"))]
#[case::value_taken_out(without(SEALED, "password: ENC"))]
#[case::value_moved(SEALED.replace("password: ENC", "passwort: ENC"))]
fn what_was_changed_is_found_with_the_key_alone(#[case] text: String) {
    let layout = world(&text);
    let said = word(&layout, Some(OWNER_KEY));
    assert!(said.starts_with("violated: customers/a/secrets.yaml:"), "{said}");
    assert!(said.contains("was changed after it was sealed"), "{said}");
    assert!(word(&layout, None).starts_with("undetermined"), "a MAC that nobody checked");
    assert!(lack(&layout).unwrap().contains("nobody can check the MAC"), "no reason");
}

/// The text without the first line that holds this.
fn without(text: &str, what: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let place = lines.iter().position(|line| line.contains(what)).unwrap();
    lines.remove(place);
    lines.join("\n") + "\n"
}

#[test]
fn a_missing_mac_is_found_without_a_key() {
    let layout = world(&without(SEALED, "    mac: ENC"));
    for key in [None, Some(OWNER_KEY)] {
        let said = word(&layout, key);
        assert!(said.contains("the file has no MAC, so nobody can tell"), "{said}");
    }
    assert_eq!(lack(&layout), None);
}

#[test]
fn an_untouched_file_holds_with_its_key_and_is_not_asked_without() {
    assert_eq!(word(&world(SEALED), Some(OWNER_KEY)), "holds");
    assert_eq!(word(&world(MANIFEST), Some(OWNER_KEY)), "holds");
    let said = word(&world(SEALED), Some(OTHER_KEY));
    assert!(said.starts_with("undetermined"), "{said}");
}

#[test]
fn what_a_key_service_keeps_is_said_not_to_be_decrypted() {
    let text = in_service(SEALED, "projects/a/key");
    let lack = lack(&world(&text)).unwrap();
    assert!(
        lack.contains("projects/a/key, a key of a key service, and is not decrypted"),
        "{lack}"
    );
}
