use super::*;
use crate::wiring::samples::{OTHER, OWNER, contract};

const OWNER_KEY: &str = include_str!("../../tests/data/owner-TEST-ONLY.key");
const OTHER_KEY: &str = include_str!("../../tests/data/other-TEST-ONLY.key");

#[test]
fn a_key_is_the_tenants_who_lists_its_public_half() {
    let both = format!("{OWNER_KEY}\n{OTHER_KEY}");
    let keys = Keys::from_texts([("keys", both.as_str())], &contract()).unwrap();
    assert_eq!(keys.tenants().collect::<Vec<_>>(), ["customer-a", "customer-b"]);
    assert!(OWNER_KEY.contains(keys.of("customer-a").unwrap().trim()));
    let keys = Keys::from_texts([("keys", OTHER_KEY)], &contract()).unwrap();
    assert_eq!(keys.tenants().collect::<Vec<_>>(), ["customer-b"]);
}

#[test]
fn an_operators_key_is_nobodys_own() {
    let mut contract = contract();
    for tenant in &mut contract.tenants {
        let secrets = tenant.secrets.as_mut().unwrap();
        secrets.recipients.push("age1operator".to_string());
    }
    assert_eq!(own_recipients(&contract, &contract.tenants[0]), [OWNER].into());
    assert_eq!(own_recipients(&contract, &contract.tenants[1]), [OTHER].into());
}

#[test]
fn one_key_for_all_is_everybodys() {
    let mut contract = contract();
    for tenant in &mut contract.tenants {
        let secrets = tenant.secrets.as_mut().unwrap();
        secrets.recipients = vec![OWNER.to_string()];
        secrets.key_secret = "f/one".to_string();
    }
    let keys = Keys::from_texts([("keys", OWNER_KEY)], &contract).unwrap();
    assert_eq!(keys.tenants().count(), 2);
}

#[test]
fn a_folder_is_read_and_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.agekey"), OWNER_KEY).unwrap();
    std::fs::write(folder.path().join("b.txt"), "not a key").unwrap();
    let keys = Keys::from_folder(folder.path(), &contract()).unwrap();
    assert_eq!(format!("{keys:?}"), r#"{"customer-a": "***"}"#);
    std::fs::write(folder.path().join("c.agekey"), "# note\nAGE-SECRET-KEY-1BROKEN\n").unwrap();
    let error = Keys::from_folder(folder.path(), &contract()).unwrap_err();
    assert!(error.location.file.ends_with("c.agekey"));
    assert_eq!(error.location.line, 2);
    assert!(!error.to_string().contains("BROKEN"), "{error}");
    assert!(Keys::from_folder(&folder.path().join("gone"), &contract()).is_err());
    assert!(Keys::default().is_empty());
}
