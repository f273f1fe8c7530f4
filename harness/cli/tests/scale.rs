//! The reference layout with as many tenants as one likes, judged from its files.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test runs programs as a user does"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::fs;

use rstest::rstest;
use support::Place;

const POLICIES: &str = "large/deployments/platform/tenants/tenant-007/network-policies.yaml";

fn written(tenants: &str) -> Place {
    let place = Place::new();
    place.run(&["bench", "--tenants", tenants, "--write", "large"]).ends(0, &[]);
    place
}

fn check(place: &Place) -> support::Outcome {
    place.run(&["check", "large/deployments", "--keys", "large/keys", "--no-cache"])
}

#[rstest]
#[case("2")]
#[case("3")]
#[case("12")]
fn every_claim_holds_by_the_files(#[case] tenants: &str) {
    let place = written(tenants);
    let outcome = check(&place);
    outcome.ends(0, &[]);
    assert!(outcome.stdout.contains("every claim holds by the files"), "{outcome:#?}");
}

/// A wall of one tenant among many that is open to one other tenant alone.
#[test]
fn one_broken_wall_among_many_is_found() {
    let place = written("12");
    let path = place.path(POLICIES);
    let text = fs::read_to_string(&path).unwrap();
    let own = "    - from:\n        - podSelector: {}\n";
    let hole =
        "        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: tenant-004}}\n";
    assert_eq!(text.matches(own).count(), 1);
    fs::write(&path, text.replace(own, &format!("{own}{hole}"))).unwrap();
    // The other side has to open as well, or its own egress wall would hide the hole.
    let other = path.to_string_lossy().replace("tenant-007", "tenant-004");
    let text = fs::read_to_string(&other).unwrap();
    let own = "    - to:\n        - podSelector: {}\n";
    let hole =
        "        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: tenant-007}}\n";
    fs::write(&other, text.replacen(own, &format!("{own}{hole}"), 1)).unwrap();
    let outcome = check(&place);
    outcome.ends(1, &[]);
    assert!(outcome.stdout.contains("tenant_004_to_tenant_007"), "{outcome:#?}");
    assert!(!outcome.stdout.contains("tenant_007_to_tenant_004"), "{outcome:#?}");
}

#[test]
fn keys_are_for_their_owner_and_secrets_are_sealed_each_for_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let place = written("3");
    let mut recipients = Vec::new();
    for tenant in ["tenant-001", "tenant-002", "tenant-003"] {
        let key = place.path(&format!("large/keys/{tenant}.agekey"));
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let sealed = place.path(&format!("large/deployments/customers/{tenant}/secrets.yaml"));
        let sealed = fs::read_to_string(sealed).unwrap();
        assert!(!sealed.contains("made-up"), "a value stands in the clear");
        let recipient = sealed.lines().find(|line| line.contains("recipient: ")).unwrap();
        recipients.push(recipient.trim().to_string());
    }
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 3);
}

#[rstest]
#[case(&["--tenants", "0", "--write", "large"], "0 tenants cannot be made (hint: from 1 to 999)")]
#[case(&["--tenants", "1000", "--write", "large"], "1000 tenants cannot be made")]
#[case(&["--write", "."], ". is there already\nhint: name a folder that is not")]
fn what_cannot_be_made_is_refused(#[case] arguments: &[&str], #[case] message: &str) {
    let place = Place::new();
    let words: Vec<&str> = ["bench"].into_iter().chain(arguments.iter().copied()).collect();
    place.run(&words).ends(2, &[message]);
}
