use partywall_core::Layout;
use partywall_tool::Tool;
use rstest::rstest;

use super::*;
use crate::secret::Keys;
use crate::secret::samples::{OWNER_KEY, said};
use crate::wiring::samples::{SEALED, contract, layout};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const FILE: &str = "customers/a/secrets.yaml";

fn today() -> Layout {
    layout(&[(FILE, SEALED), ("customers/b/secrets.yaml", SEALED), ("a.yaml", "x: y\n")])
}

fn version(path: &str, text: &str) -> PastFile {
    PastFile { commit: COMMIT.to_string(), path: path.to_string(), text: text.to_string() }
}

fn told(files: Vec<PastFile>, cut: Option<&str>) -> (History, String) {
    let past = Past { commits: files.len(), files, cut: cut.map(str::to_string) };
    let layout = today();
    let history = History::of(&past, &layout);
    let told =
        said("nothing-readable-in-history", &layout, &contract(), &Keys::default(), &history);
    (history, told)
}

#[rstest]
#[case::secret(
    "customers/a/smtp.yaml",
    "kind: Secret\nmetadata: {name: smtp}\nstringData:\n  password: hunter2\n",
    "a readable value of Secret `smtp`, in an earlier commit at 0123456789ab:customers/a/smtp.yaml:4"
)]
#[case::sealed_later(
    FILE,
    "# values\npostgres:\n  password: hunter2\n",
    "a readable value of customers/a/secrets.yaml, which was sealed later, in an earlier commit at 0123456789ab:customers/a/secrets.yaml:3"
)]
#[case::key(
    "notes.txt",
    OWNER_KEY,
    "a private age key, in an earlier commit at 0123456789ab:notes.txt:3"
)]
#[case::pem(
    "tls/x.txt",
    "-----BEGIN EC PRIVATE KEY-----\nhunter2\n",
    "a private key (PEM), in an earlier commit at 0123456789ab:tls/x.txt:1"
)]
fn what_lay_readable_once_is_found(#[case] path: &str, #[case] text: &str, #[case] expected: &str) {
    let (_, told) = told(vec![version(path, text)], None);
    assert!(told.starts_with(&format!("violated: {expected}")), "{told}");
    assert!(!told.contains("hunter2") && !told.contains("AGE-SECRET"), "{told}");
}

#[rstest]
#[case::sealed(FILE, SEALED)]
#[case::talk("README.md", "a Secret is sealed; keys begin with AGE-SECRET-KEY-1\n")]
#[case::of_a_neighbour("customers/b/smtp.yaml", "kind: Secret\nstringData: {p: hunter2}\n")]
#[case::empty(FILE, "")]
fn what_is_not_readable_or_not_the_tenants_is_passed(#[case] path: &str, #[case] text: &str) {
    assert_eq!(told(vec![version(path, text)], None).1, "holds");
}

#[test]
fn what_lies_there_today_is_left_to_who_looks_at_today() {
    let plain = "kind: Secret\nmetadata: {name: x}\nstringData: {p: hunter2}\n";
    let layout = layout(&[("x.yaml", plain)]);
    let past = Past { files: vec![version("x.yaml", plain)], commits: 1, cut: None };
    assert_eq!(History::of(&past, &layout).findings, []);
}

#[test]
fn versions_are_counted_and_the_newest_is_named() {
    let old = |text: &str| version(FILE, text);
    let (history, _) = told(vec![old("a: 1\n"), old("\na: 2\n")], None);
    assert_eq!(history.findings.len(), 1);
    assert_eq!(history.findings[0].location.line, 1);
    assert!(history.findings[0].what.ends_with("in 2 earlier versions"));
}

#[test]
fn what_was_cut_is_not_called_clean() {
    let clean = vec![version("a.yaml", "x: z\n")];
    assert!(told(clean, Some("the clone is shallow")).0.lack.unwrap().contains("shallow"));
    let found = vec![version("k.txt", OWNER_KEY)];
    assert_eq!(told(found, Some("the clone is shallow")).0.lack, None);
}

#[test]
fn without_commits_the_reason_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let lack = History::read(folder.path(), None, &today()).lack.unwrap();
    assert_eq!(lack, "not asked: earlier commits are not read: the layout is in no Git repository");
    assert!(History::default().lack.is_some());
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let tool = Tool::new("git").arg("-C").arg(folder.path()).args(identity).args(arguments);
        tool.run().unwrap();
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "x"]);
    let lack = History::read(folder.path(), None, &today()).lack.unwrap();
    assert_eq!(lack, "not asked: earlier commits are not read: no commit has a file of the layout");
}

proptest::proptest! {
    #[test]
    fn never_panics(path in "[a-z./]{1,20}", text in "(?s)(kind: Secret\n)?.{0,200}") {
        let _ = readable(&version(&path, &text), &today());
    }
}
