//! What a user sees who gets something wrong: a clear message, the right exit code, nothing lost.
//! None of it needs Docker; where the message depends on it, `docker` is absent or a script.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test runs programs as a user does"
)]

mod support;

use std::fs;

use partywall::trials::Conformance;
use partywall_offline::mutant::copy;
use rstest::rstest;
use support::{Place, root};

/// What the client says when no daemon listens.
const SILENT: &str = "echo 'Cannot connect to the Docker daemon at unix:///nowhere.' >&2; exit 1";
/// A daemon that answers, and has nothing of ours.
const EMPTY: &str = r#"case "$1" in
version) echo 29.0.0 ;;
network) exit 1 ;;
esac"#;

/// The reference layout with one file changed, on a machine without any program.
fn changed(file: &str, change: impl Fn(&str) -> String) -> Place {
    let place = Place::new();
    copy(&root().join("fixtures/deployments"), &place.path("layout")).unwrap();
    let path = place.path("layout").join(file);
    let before = fs::read_to_string(&path).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "the change of {file} changes nothing");
    fs::write(path, after).unwrap();
    bare(place)
}

/// Without any program to be found.
fn bare(place: Place) -> Place {
    let nowhere = place.path("nowhere");
    place.with("PATH", nowhere)
}

const LIST: [&str; 4] = ["test", "--list", "--layout", "layout"];

#[test]
fn a_contract_that_names_a_missing_namespace() {
    let change = |text: &str| text.replace("namespaces: [customer-b]", "namespaces: [customer-x]");
    changed("partywall.yaml", change).run(&LIST).ends(
        2,
        &[
            "error: partywall.yaml: tenant `customer-b` names namespace `customer-x`, which the \
             layout does not create\nhint: add the Namespace, or correct the name",
            "namespace.yaml:",
            "namespace `customer-b` is in no tenant and not in `platform` of the contract",
        ],
    );
}

#[test]
fn a_namespace_that_no_contract_classifies() {
    let file = "platform/tenants/customer-a/namespace.yaml";
    let more = "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: forgotten\n";
    changed(file, |text| format!("{text}{more}")).run(&LIST).ends(
        2,
        &[
            &format!("{file}:"),
            "namespace `forgotten` is in no tenant and not in `platform` of the contract\n\
             hint: add it to a tenant or to `platform` in partywall.yaml",
        ],
    );
}

#[test]
fn a_contract_with_an_unknown_key() {
    let change = |text: &str| text.replacen("flows:\n", "flow: []\nflows:\n", 1);
    let place = changed("partywall.yaml", change);
    let text = fs::read_to_string(place.path("layout/partywall.yaml")).unwrap();
    let line = text.lines().position(|line| line == "flow: []").unwrap() + 1;
    place.run(&LIST).ends(2, &[&format!("error: partywall.yaml:{line}: "), "flow"]);
}

#[test]
fn a_contract_without_recipients() {
    let change = |text: &str| {
        let lines = text.lines().map(|line| match line.split_once("recipients: [") {
            Some((before, _)) => format!("{before}recipients: []\n"),
            None => format!("{line}\n"),
        });
        lines.collect()
    };
    changed("partywall.yaml", change).run(&LIST).ends(
        2,
        &["partywall.yaml: tenant `customer-a`: `recipients` is empty: nobody could decrypt"],
    );
}

#[rstest]
#[case::plain("stringData:\n  password: hunter2\n", "it has no `sops` block: it is not encrypted")]
#[case::for_nobody(
    "a: x\nsops:\n  age: []\n  lastmodified: 2026-01-01T00:00:00Z\n  mac: x\n  version: 3.12.1\n",
    "it is encrypted for no age recipient"
)]
fn a_secrets_file_that_is_not_sealed(#[case] text: &str, #[case] problem: &str) {
    let place = changed("customers/customer-a/secrets.yaml", |_| text.to_string());
    for arguments in [&LIST[..], &["up", "--layout", "layout"], &["push", "--layout", "layout"]] {
        let outcome = place.run(arguments);
        let file = "customers/customer-a/secrets.yaml is named as a secret of customer-a, but ";
        outcome.ends(2, &[file, problem, "hint: encrypt it with `sops encrypt`"]);
        assert!(!outcome.stderr.contains("hunter2"), "{outcome:?}");
    }
    assert!(!place.path("state").exists());
}

#[test]
fn a_layout_that_is_not_there() {
    bare(Place::new())
        .run(&LIST)
        .ends(2, &["error: layout is not a folder\nhint: --layout names a layout's root"]);
}

#[test]
fn a_layout_without_a_contract() {
    let place = bare(Place::new());
    place.write("layout/a.yaml", "kind: Namespace\nmetadata: {name: a}\n");
    place.run(&LIST).ends(2, &["error: layout has no partywall.yaml\nhint: a layout states"]);
}

#[test]
fn keys_that_are_not_there() {
    let keys = ["up", "--keys", "nowhere"];
    bare(Place::new()).run(&keys).ends(2, &["nowhere is not a folder\nhint: --keys names a"]);
}

const SCENARIO: &str = "\
claim: a claim
because: a reason
for: each-tenant
probe:
  reach: {from: \"{tenant}\", to: contracted, ports: uncontracted, by: [pod]}
";

#[rstest]
#[case::unknown_key("expect: reached\nexpects: denied\n", &["error: reach/x.yaml:7: ", "expects"])]
#[case::deny_without_control(
    "expect: denied\ncontrols: [receipt]\n",
    &[
        "error: reach/x.yaml:6: the expectation `denied` needs the control `client-reaches-allowed`",
        "hint: a deny without proof is not a pass: list it under `controls`",
    ]
)]
#[case::answer_to_another_question("expect: sealed\n", &["error: reach/x.yaml:6: "])]
fn a_scenario(#[case] rest: &str, #[case] messages: &[&str]) {
    let place = bare(Place::new());
    place.write("more/reach/x.yaml", &format!("{SCENARIO}{rest}"));
    place.run(&["test", "--list", "--scenarios", "more"]).ends(2, messages);
}

#[test]
fn a_filter_that_fits_nothing() {
    bare(Place::new())
        .run(&["test", "no-such-trial"])
        .ends(2, &["error: no trial's name contains `no-such-trial`\nhint: `--list` lists them"]);
}

#[rstest]
#[case::verb(&["destroy"], "unrecognized subcommand 'destroy'")]
#[case::three_nodes(&["up", "--nodes", "3"], "3 is not in 1..=2")]
#[case::session_of_another_folder(&["down", "--session", "../x"], "cannot name a session")]
#[case::session_in_capitals(&["up", "--session", "Wall"], "use 1 to 40 of a-z, 0-9 and `-`")]
#[case::image_source(&["up", "--images", "usb"], "invalid value 'usb'")]
#[case::report_of_nothing(&["report", "nowhere"], "nowhere")]
fn a_command_line(#[case] arguments: &[&str], #[case] message: &str) {
    bare(Place::new()).run(arguments).ends(2, &[message]);
}

#[test]
fn help_is_no_error() {
    let outcome = bare(Place::new()).run(&["--help"]);
    outcome.ends(0, &[]);
    assert!(outcome.stdout.contains("exit codes: 0 holds, 1 violated, 2 usage"), "{outcome:?}");
}

#[test]
fn listing_needs_nothing_and_agrees_with_the_conformance_trials() {
    let place = bare(Place::new());
    let outcome = place.run(&["test", "--list"]);
    outcome.ends(0, &[]);
    let names: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(names, Conformance::from_environment().unwrap().names());
    assert!(!place.path("state").exists());
}

#[rstest]
#[case(&["up"])]
#[case(&["down"])]
#[case(&["doctor"])]
fn docker_is_absent(#[case] arguments: &[&str]) {
    let place = bare(Place::new());
    place.run(arguments).ends(
        3,
        &["error: Docker is not installed\nhint: `partywall doctor --fix` installs and starts it"],
    );
    assert!(!place.path("state").exists());
}

#[rstest]
#[case(&["up"])]
#[case(&["down"])]
#[case(&["doctor"])]
fn docker_is_silent(#[case] arguments: &[&str]) {
    let place = Place::new().with_docker(SILENT);
    place.run(arguments).ends(
        3,
        &[
            "error: the Docker daemon does not answer: ",
            "Cannot connect to the Docker daemon",
            "hint: `partywall doctor --fix`",
        ],
    );
    assert!(!place.path("state").exists());
}

#[test]
fn images_that_were_never_built() {
    let place = Place::new().with_docker(EMPTY);
    let cache = place.path("cache");
    let up = ["up", "--images", "bundle"];
    place.with("PARTYWALL_CACHE", cache).run(&up).ends(3, &["hint: partywall images build"]);
}

#[rstest]
#[case(&["test"])]
#[case(&["push"])]
#[case(&["diagnose"])]
#[case(&["mutants"])]
fn there_is_no_session(#[case] arguments: &[&str]) {
    bare(Place::new())
        .run(arguments)
        .ends(3, &["there is no session `partywall` (hint: `partywall up` makes one)"]);
}

#[test]
fn a_session_file_that_nobody_can_read() {
    let place = Place::new().with_docker(EMPTY);
    let file = place.write("state/sessions/partywall/session.json", "{\"format\": 1,");
    place.run(&["test"]).ends(
        3,
        &[
            "failed to understand the session file FOLDER/state/sessions/partywall/session.json",
            "hint: `partywall down` removes the session",
        ],
    );
    assert!(file.exists());
    place.run(&["down"]).ends(0, &["removed"]);
    assert!(!place.path("state").exists());
}

#[test]
fn the_disk_of_the_sessions_is_full() {
    let (place, possible) = Place::new().with_docker(EMPTY).with_tiny_disk("state", "nr_inodes=1");
    // Only some machines let a test mount a disk; tests/live.rs shows Docker's own disk.
    if possible {
        let full = "No space left on device (os error 28) (hint: the disk is full; free some";
        place.run(&["down"]).ends(3, &["error: failed to lock FOLDER/state/sessions/", full]);
    }
}
