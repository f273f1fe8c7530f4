//! `partywall rotate` as a person uses it, on a copy of the reference layout.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test runs programs as a user does"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use partywall_offline::mutant::copy;
use support::{Outcome, Place, root};

const SEALED: &str = "layout/customers/customer-a/secrets.yaml";

fn place() -> Place {
    let place = Place::new();
    copy(&root().join("fixtures/deployments"), &place.path("layout")).unwrap();
    copy(&root().join("fixtures/keys"), &place.path("keys")).unwrap();
    place
}

fn rotate(place: &Place, more: &[&str]) -> Outcome {
    let mut words = vec!["rotate", "customer-a", "--layout", "layout", "--keys", "keys"];
    words.extend(more);
    place.run(&words)
}

fn tree(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
    found.sort();
    found
}

#[test]
fn a_person_rotates_a_key_from_plan_to_verify() {
    let place = place();
    let before = tree(&place.path("layout"));
    let plan = rotate(&place, &[]);
    plan.ends(0, &[]);
    for told in ["flux-system/sops-age-customer-a", ".sops.yaml:5", "--do reseal", "kubectl"] {
        assert!(plan.stdout.contains(told), "no `{told}` in {plan:#?}");
    }
    let dry = rotate(&place, &["--new-key", "new.agekey", "--do", "add", "--dry-run"]);
    dry.ends(0, &[]);
    assert!(!place.path("new.agekey").exists());
    assert_eq!(tree(&place.path("layout")), before, "the plan and the dry run wrote something");

    rotate(&place, &["--new-key", "new.agekey", "--do", "add"]).ends(0, &[]);
    let key = place.path("new.agekey");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let early = rotate(&place, &["--new-key", "new.agekey", "--verify"]);
    assert_eq!(early.code, Some(1), "{early:#?}");
    assert!(early.stdout.contains("still sealed to the old key"), "{early:#?}");
    rotate(&place, &["--new-key", "new.agekey", "--do", "reseal"]).ends(0, &[]);
    rotate(&place, &["--new-key", "new.agekey", "--do", "remove"]).ends(0, &[]);
    let done = rotate(&place, &["--new-key", "new.agekey", "--verify"]);
    done.ends(0, &[]);
    assert!(done.stdout.contains("open with the new key"), "{done:#?}");

    // What the commands say has no value either.
    for said in [&plan, &dry, &early, &done] {
        assert!(!said.stdout.contains("TEST-ONLY-8yZv") && !said.stderr.contains("TEST-ONLY-8yZv"));
    }
    let private = fs::read_to_string(&key).unwrap();
    let private = private.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    for (file, text) in tree(&place.path("layout")) {
        assert!(!text.contains(private) && !text.contains("TEST-ONLY-8yZv"), "{file}");
    }
    let changed = tree(&place.path("layout")).into_iter().zip(before);
    assert_eq!(changed.filter(|(after, before)| after != before).count(), 3);
}

#[test]
fn steps_out_of_order_and_keys_in_the_layout_are_refused() {
    let place = place();
    let early = rotate(&place, &["--new-key", "absent.agekey", "--do", "remove"]);
    early.ends(2, &["absent.agekey is not there", "--do add"]);
    let inside = rotate(&place, &["--new-key", "layout/new.agekey", "--do", "add"]);
    inside.ends(2, &["lies in the layout"]);
    let nobody = place.run(&["rotate", "nobody", "--layout", "layout"]);
    nobody.ends(2, &["`nobody` is no tenant with secrets", "customer-a, customer-b"]);
    let text = fs::read_to_string(place.path(SEALED)).unwrap();
    let damaged = text.replacen("data:cXL0", "data:dXL0", 1);
    assert_ne!(text, damaged, "the case is out of date");
    place.write(SEALED, &damaged);
    let refused = rotate(&place, &["--new-key", "new.agekey", "--do", "add"]);
    refused.ends(2, &["customers/customer-a/secrets.yaml:3", "was changed after it was sealed"]);
    assert_eq!(fs::read_to_string(place.path(SEALED)).unwrap(), damaged);
}
