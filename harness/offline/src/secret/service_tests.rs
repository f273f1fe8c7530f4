//! Tenants whose files a key service keeps closed.

use partywall_core::Layout;
use partywall_core::contract::Contract;
use rstest::rstest;

use crate::secret::samples::{OWNER_KEY, in_service, keys, said};
use crate::secret::{History, Keys};
use crate::wiring::samples::{OTHER, OWNER, SEALED, contract, layout};

const KEY_OF_A: &str = "projects/a/locations/global/keyRings/r/cryptoKeys/a";
const KEY_OF_B: &str = "projects/b/locations/global/keyRings/r/cryptoKeys/b";
const FLUX: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: a, namespace: f}
spec:
  path: ./customers/a
  decryption: {provider: sops, secretRef: {name: key-a}}
";

/// A contract whose tenants have a key of Google's each.
fn by_service() -> Contract {
    let mut contract = contract();
    for (tenant, key) in contract.tenants.iter_mut().zip([KEY_OF_A, KEY_OF_B]) {
        tenant.secrets.as_mut().unwrap().recipients = vec![key.to_string()];
    }
    contract
}

/// The same, and no Secret of the cluster has a key: the controller has rights at the service.
fn without_key_secrets() -> Contract {
    let mut contract = by_service();
    for tenant in &mut contract.tenants {
        tenant.secrets.as_mut().unwrap().key_secret = String::new();
    }
    contract
}

fn world(own: &str) -> Layout {
    let other = in_service(SEALED, KEY_OF_B);
    layout(&[
        ("flux.yaml", FLUX),
        ("customers/a/secrets.yaml", own),
        ("customers/b/secrets.yaml", &other),
    ])
}

#[rstest]
#[case::own("opens-with-own-key-only", KEY_OF_A, "holds")]
#[case::neighbours("opens-with-own-key-only", KEY_OF_B, "violated: the key of customer-b opens")]
#[case::strangers(
    "opens-with-own-key-only",
    "projects/c",
    "violated: customers/a/secrets.yaml is sealed to projects/c (customers/a/secrets.yaml:"
)]
#[case::wrong_key("refuses-wrong-key", KEY_OF_A, "undetermined: the probe could not be made: what")]
#[case::copied("refuses-neighbours-file", KEY_OF_A, "undetermined: customers/b/secrets.yaml of")]
#[case::copied_alike("refuses-neighbours-file", KEY_OF_B, "violated: a copy of customers/b/")]
#[case::sealed("as-sealed", KEY_OF_A, "undetermined: customers/a/secrets.yaml:")]
fn files_are_judged_by_recipient_and_not_opened(
    #[case] ask: &str,
    #[case] key: &str,
    #[case] expected: &str,
) {
    let layout = world(&in_service(SEALED, key));
    let said = said(ask, &layout, &by_service(), &Keys::default(), &History::default());
    assert!(said.starts_with(expected), "{said}");
    if expected.starts_with("undetermined") {
        assert!(said.contains("is not decrypted here"), "{said}");
    }
}

/// The tenant's age key is at hand, and its other key, a service's, is not.
#[test]
fn a_key_at_hand_does_not_hide_one_that_is_not() {
    let mut contract = contract();
    for (tenant, keys) in contract.tenants.iter_mut().zip([[OWNER, KEY_OF_A], [OTHER, KEY_OF_B]]) {
        tenant.secrets.as_mut().unwrap().recipients = keys.map(str::to_string).to_vec();
    }
    let keys = keys(&contract, OWNER_KEY);
    let layout = world(&in_service(SEALED, KEY_OF_A));
    let own = said("opens-with-own-key-only", &layout, &contract, &keys, &History::default());
    assert_eq!(own, "holds");
}

/// Without a key Secret nobody shares one: each is judged by its own recipients.
#[rstest]
#[case::own("opens-with-own-key-only", KEY_OF_A, "holds")]
#[case::neighbours("opens-with-own-key-only", KEY_OF_B, "violated: the key of customer-b opens")]
#[case::strangers("opens-with-own-key-only", "projects/c", "violated: customers/a/secrets.yaml is")]
#[case::arrives("arrives-decrypted", KEY_OF_A, "undetermined")]
#[case::wrong_key("refuses-wrong-key", KEY_OF_A, "undetermined")]
#[case::copied("refuses-neighbours-file", KEY_OF_A, "undetermined")]
#[case::sealed("as-sealed", KEY_OF_A, "undetermined")]
fn no_key_secret_has_to_be_named_and_nothing_is_green_by_that(
    #[case] ask: &str,
    #[case] key: &str,
    #[case] expected: &str,
) {
    let own = in_service(SEALED, key);
    let other = in_service(SEALED, KEY_OF_B);
    let bare = FLUX.replace(", secretRef: {name: key-a}", "");
    let layout = layout(&[
        ("flux.yaml", &bare),
        ("customers/a/secrets.yaml", &own),
        ("customers/b/secrets.yaml", &other),
    ]);
    let contract = without_key_secrets();
    let said = said(ask, &layout, &contract, &Keys::default(), &History::default());
    assert!(said.starts_with(expected), "{said}");
}

/// What an operator keeps for the worst day is no stranger, if the contract says so.
#[test]
fn a_recovery_recipient_is_nobodys_and_known() {
    let mut contract = without_key_secrets();
    let extra = "        - resource_id: projects/recovery\n          enc: x\n    lastmodified:";
    let layout = world(&in_service(SEALED, KEY_OF_A).replacen("    lastmodified:", extra, 1));
    let ask = |contract: &Contract| {
        said("opens-with-own-key-only", &layout, contract, &Keys::default(), &History::default())
    };
    let unknown = ask(&contract);
    assert!(unknown.contains("is sealed to projects/recovery"), "{unknown}");
    contract.recovery_recipients = vec!["projects/recovery".to_string()];
    assert_eq!(ask(&contract), "holds");
}
