use super::*;

use std::fs;
use std::os::unix::fs::symlink;

use partywall_core::source::TEXT_BYTES_MAX;
use partywall_tool::Tool;
use rstest::rstest;

use crate::load::{working_tree, working_tree_lenient};

/// A repository with a layout in the folder `deploy` and charts in `charts`.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        files.iter().for_each(|(name, content)| repository.write(name, content));
        repository
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let tool = Tool::new("git").arg("-C").arg(self.0.path()).args(identity).args(args);
        tool.run().unwrap().stdout_text().trim().to_string()
    }

    fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn layout(&self) -> std::path::PathBuf {
        self.0.path().join("deploy")
    }

    fn read(&self) -> Result<Revision, RevisionError> {
        git_revision(&self.layout(), "HEAD")
    }
}

const NAMESPACE: &[u8] = b"kind: Namespace\nmetadata: {name: a}\n";

#[test]
fn reads_what_was_committed_and_not_what_lies_there() {
    let repository = Repository::new(&[
        ("deploy/ns.yaml", NAMESPACE),
        ("deploy/logo.png", b"\x89PNG\0\xff"),
        ("deploy/chart/Chart.yaml", b"name: c\n"),
        ("deploy/chart/templates/x.yaml", b"{{ if }}\n"),
        ("charts/a.txt", b"old"),
        ("README.md", b"not of the layout"),
    ]);
    let first = repository.commit();
    repository.write("deploy/ns.yaml", b"not committed");
    repository.write("deploy/new.yaml", b"not committed");
    repository.write("charts/a.txt", b"new");
    let status = repository.git(&["status", "--porcelain"]);
    let read = repository.read().unwrap();
    assert_eq!(read.commit, first);
    let names: Vec<&str> = read.layout.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["chart/Chart.yaml", "chart/templates/x.yaml", "ns.yaml"]);
    assert_eq!(read.layout.namespaces()["a"].to_string(), "ns.yaml:1");
    let charts = git_revision_of_other(&repository.layout(), "../charts", "main").unwrap();
    assert_eq!(charts, [("a.txt".to_string(), "old".to_string())].into());
    assert_eq!(repository.git(&["status", "--porcelain"]), status);
}

#[test]
fn agrees_with_the_working_tree_it_was_made_of() {
    let repository =
        Repository::new(&[("deploy/base/a.yaml", NAMESPACE), ("deploy/broken.yaml", b"a: [\n")]);
    symlink("base", repository.layout().join("link")).unwrap();
    symlink("link/../base/a.yaml", repository.layout().join("b.yaml")).unwrap();
    repository.commit();
    let (read, lying) = (repository.read().unwrap(), working_tree_lenient(&repository.layout()));
    let lying = lying.unwrap();
    assert_eq!(read.layout.files, lying.files);
    assert_eq!(read.layout.unread, lying.unread);
    assert_eq!(read.layout.files.len(), 4);
}

#[test]
fn a_folder_outside_of_the_repository_is_read_as_it_lies() {
    let outer = tempfile::tempdir().unwrap();
    fs::create_dir_all(outer.path().join("charts")).unwrap();
    fs::write(outer.path().join("charts/a.txt"), "lies").unwrap();
    let inner = outer.path().join("layout");
    fs::create_dir(&inner).unwrap();
    let git =
        |args: &[&str]| drop(Tool::new("git").arg("-C").arg(&inner).args(args).run().unwrap());
    git(&["init", "--quiet"]);
    let author = ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet"];
    git(&[&author[..], &["--allow-empty", "--message", "x"]].concat());
    let files = git_revision_of_other(&inner, "../charts", "HEAD").unwrap();
    assert_eq!(files["a.txt"], "lies");
    let error = git_revision_of_other(&inner, "../nowhere", "HEAD").unwrap_err();
    assert!(error.to_string().contains("failed to open"), "{error}");
}

#[rstest]
#[case::empty("")]
#[case::blank(" ")]
#[case::option("--upload-pack=touch x")]
#[case::short_option("-x")]
#[case::nul("HEAD\0")]
#[case::line("HEAD\n--all")]
fn refuses_what_is_no_revision(#[case] revision: &str) {
    let repository = Repository::new(&[("deploy/ns.yaml", NAMESPACE)]);
    repository.commit();
    for error in [
        git_revision(&repository.layout(), revision).unwrap_err(),
        git_revision_of_other(&repository.layout(), ".", revision).unwrap_err(),
    ] {
        assert!(matches!(error, RevisionError::Malformed { .. }), "{error}");
    }
}

#[rstest]
#[case::nobody("no-such-branch")]
#[case::blob("HEAD:deploy/ns.yaml")]
#[case::range("HEAD..HEAD")]
#[case::two("HEAD HEAD")]
fn names_what_git_does_not_know(#[case] revision: &str) {
    let repository = Repository::new(&[("deploy/ns.yaml", NAMESPACE)]);
    repository.commit();
    let error = git_revision(&repository.layout(), revision).unwrap_err();
    assert!(matches!(error, RevisionError::Unknown { .. }), "{error}");
}

#[test]
fn a_folder_in_no_repository_is_said_to_be_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = git_revision(dir.path(), "HEAD").unwrap_err();
    assert!(matches!(error, RevisionError::NoRepository { .. }), "{error}");
}

#[test]
fn a_folder_that_the_commit_does_not_have_is_named() {
    let repository = Repository::new(&[("other/ns.yaml", NAMESPACE)]);
    repository.commit();
    repository.write("deploy/ns.yaml", NAMESPACE);
    let error = repository.read().unwrap_err();
    assert!(error.to_string().ends_with("has no folder `deploy`"), "{error}");
}

#[rstest]
#[case::absolute("/etc/hostname", "leads out of the layout")]
#[case::out_of_the_folder("../charts/a.txt", "leads out of the layout")]
#[case::nowhere("gone", "leads nowhere")]
#[case::through_a_file("ns.yaml/x", "leads nowhere")]
#[case::itself("link.yaml", "back to itself")]
#[case::above(".", "back to a folder above")]
fn a_link_that_leads_astray_is_an_error_with_its_place(
    #[case] target: &str,
    #[case] message: &str,
) {
    let repository = Repository::new(&[("deploy/ns.yaml", NAMESPACE), ("charts/a.txt", b"x")]);
    symlink(target, repository.layout().join("link.yaml")).unwrap();
    repository.commit();
    let error = repository.read().unwrap_err().to_string();
    assert!(error.starts_with("link.yaml:1: ") && error.contains(message), "{error}");
    assert!(working_tree(&repository.layout()).is_err());
}

#[test]
fn links_that_multiply_are_an_error() {
    let repository = Repository::new(&[("deploy/30/ns.yaml", NAMESPACE)]);
    for level in 0..30 {
        let folder = repository.layout().join(format!("{level:02}"));
        fs::create_dir(&folder).unwrap();
        for link in ["one", "two"] {
            symlink(format!("../{:02}", level + 1), folder.join(link)).unwrap();
        }
    }
    repository.commit();
    let error = repository.read().unwrap_err().to_string();
    assert!(error.contains("more than 20000"), "{error}");
}

#[test]
fn a_submodule_is_named() {
    let repository = Repository::new(&[("deploy/ns.yaml", NAMESPACE)]);
    let commit = repository.commit();
    let entry = format!("160000,{commit},deploy/vendor");
    repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    repository.git(&["commit", "--quiet", "--message", "x"]);
    let unread = repository.read().unwrap().layout.unread;
    let unread: Vec<String> = unread.iter().map(ToString::to_string).collect();
    assert_eq!(unread, ["vendor:1: a Git submodule, whose files are in another repository"]);
    assert_eq!(git_revision_of_other(&repository.layout(), ".", "HEAD").unwrap().len(), 1);
}

#[test]
fn large_texts_are_named_and_large_binaries_left_out() {
    let mut large = vec![b'#'; TEXT_BYTES_MAX + 1];
    let repository = Repository::new(&[("deploy/big.yaml", &large)]);
    large[10] = 0;
    repository.write("deploy/chart.tgz", &large);
    repository.commit();
    let layout = repository.read().unwrap().layout;
    assert_eq!(layout.unread.len(), 1);
    assert_eq!(layout.unread[0].location.file, "big.yaml");
    assert!(layout.files.is_empty());
    let error = git_revision_of_other(&repository.layout(), ".", "HEAD").unwrap_err();
    assert!(error.to_string().starts_with("big.yaml:1"), "{error}");
}

#[test]
fn neither_filters_nor_replacements_change_a_commit() {
    let repository = Repository::new(&[
        ("deploy/ns.yaml", NAMESPACE),
        ("deploy/.gitattributes", b"*.yaml filter=evil text eol=crlf\n"),
    ]);
    repository.commit();
    let marker = repository.0.path().join("ran");
    let touch = format!("touch {}", marker.display());
    repository.git(&["config", "filter.evil.smudge", &touch]);
    repository.git(&["config", "core.fsmonitor", &touch]);
    let (ours, other) = (repository.0.path().join("other"), b"kind: Other\n");
    fs::write(&ours, other).unwrap();
    let other = repository.git(&["hash-object", "-w", "--no-filters", "other"]);
    let own = repository.git(&["rev-parse", "HEAD:deploy/ns.yaml"]);
    repository.git(&["replace", &own, &other]);
    let _ = fs::remove_file(&marker);
    let layout = repository.read().unwrap().layout;
    assert_eq!(layout.files["ns.yaml"].as_bytes(), NAMESPACE);
    assert!(!marker.exists());
}

#[rstest]
#[case("a/b", "../charts", Some("a/charts"))]
#[case("", "charts/", Some("charts"))]
#[case("a", "..", Some(""))]
#[case("a", "../..", None)]
#[case("a", "/etc", None)]
fn finds_the_other_folder(
    #[case] prefix: &str,
    #[case] path: &str,
    #[case] expected: Option<&str>,
) {
    assert_eq!(inside(prefix, path).as_deref(), expected);
}
