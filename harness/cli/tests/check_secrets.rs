//! `partywall check` on secrets: one key for all is red with its lines, and so is what an earlier
//! commit held.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test runs programs as a user does"
)]

#[path = "support/git.rs"]
mod git;
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::fs;

use git::git;
use partywall_offline::mutant::copy;
use support::{Place, root};

#[test]
fn one_key_for_all_is_red_with_its_lines() {
    let layout = root().join("fixtures/layouts/shared-key").display().to_string();
    let outcome = Place::new().run(&["check", &layout, "--filter", "secrets"]);
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    for line in [
        "key-shared-between-tenants",
        "flux-system/tenants/customer-a.yaml:27",
        "flux-system/tenants/customer-b.yaml:27",
        "flux-system/tenants/soev-internal.yaml:27",
        ".sops.yaml:5",
        "secrets::neighbour_ciphertext::customer_a",
    ] {
        assert!(outcome.stdout.contains(line), "no `{line}` in {outcome:#?}");
    }
}

#[test]
fn what_an_earlier_commit_held_is_named_and_never_shown() {
    let place = Place::new();
    for part in ["deployments", "charts"] {
        copy(&root().join("fixtures").join(part), &place.path("repository").join(part)).unwrap();
    }
    let (folder, keys) = (place.path("repository"), root().join("fixtures/keys"));
    let sealed = folder.join("deployments/customers/customer-a/secrets.yaml");
    let text = fs::read_to_string(&sealed).unwrap();
    let check = || {
        let keys = keys.display().to_string();
        let arguments = ["check", "repository/deployments", "--keys", &keys, "--filter", "secrets"];
        place.run(&arguments)
    };
    git(&folder, &["init", "--quiet", "--initial-branch=main"]);
    assert!(check().stdout.contains("earlier commits are not read"), "{:#?}", check());
    fs::write(&sealed, "secrets:\n    postgresPassword: canary-in-history\n").unwrap();
    git(&folder, &["add", "--all"]);
    git(&folder, &["commit", "--quiet", "--message=readable"]);
    fs::write(&sealed, text).unwrap();
    git(&folder, &["commit", "--quiet", "--all", "--message=sealed"]);
    let outcome = check();
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    let place = ":customers/customer-a/secrets.yaml:2";
    for said in
        ["secrets::nothing_readable_in_history::customer_a", "which was sealed later", place]
    {
        assert!(outcome.stdout.contains(said), "no `{said}` in {outcome:#?}");
    }
    assert!(!outcome.stdout.contains("canary-in-history"), "{outcome:#?}");
}
