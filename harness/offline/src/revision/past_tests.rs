use super::*;
use std::fs;

use partywall_tool::Tool;

struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository
    }

    fn git(&self, args: &[&str]) -> String {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let tool = Tool::new("git").arg("-C").arg(self.0.path()).args(identity).args(args);
        tool.run().unwrap().stdout_text().trim().to_string()
    }

    fn commit(&self, files: &[(&str, &[u8])]) -> String {
        for (name, content) in files {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn past(&self, revision: Option<&str>) -> Past {
        past(&self.0.path().join("deploy"), revision).unwrap()
    }
}

fn told(past: &Past) -> Vec<String> {
    past.files.iter().map(|one| format!("{}={}", one.path, one.text)).collect()
}

#[test]
fn every_version_of_the_layout_is_read_and_nothing_beside_it() {
    let repository = Repository::new();
    let first = repository.commit(&[("deploy/a.yaml", b"1"), ("other/a.yaml", b"x")]);
    repository.commit(&[("deploy/a.yaml", b"2"), ("deploy/logo", b"\0")]);
    repository.commit(&[("other/a.yaml", b"y")]);
    repository.git(&["rm", "--quiet", "deploy/a.yaml"]);
    repository.commit(&[]);
    let past = repository.past(None);
    assert_eq!(told(&past), ["a.yaml=2", "a.yaml=1"]);
    assert_eq!(past.files[1].commit, first);
    assert_eq!(past.cut, None);
    assert_eq!(told(&repository.past(Some(&first))), ["a.yaml=1"]);
}

/// A branch is read, and so is one whose changes the merge threw away.
#[test]
fn branches_are_read_also_behind_a_merge() {
    let repository = Repository::new();
    repository.commit(&[("deploy/a.yaml", b"1")]);
    repository.git(&["checkout", "--quiet", "-b", "thrown"]);
    repository.commit(&[("deploy/key", b"secret")]);
    repository.git(&["rm", "--quiet", "deploy/key"]);
    repository.commit(&[]);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.commit(&[("deploy/b.yaml", b"2")]);
    repository.git(&["merge", "--quiet", "--no-edit", "--no-ff", "thrown"]);
    repository.git(&["branch", "--quiet", "-D", "thrown"]);
    assert!(told(&repository.past(None)).contains(&"key=secret".to_string()));
    repository.git(&["checkout", "--quiet", "-b", "open"]);
    repository.commit(&[("deploy/other", b"draft")]);
    repository.git(&["checkout", "--quiet", "main"]);
    assert!(told(&repository.past(None)).contains(&"other=draft".to_string()));
    assert!(!told(&repository.past(Some("main"))).contains(&"other=draft".to_string()));
}

#[test]
fn a_shallow_clone_says_so() {
    let repository = Repository::new();
    repository.commit(&[("deploy/a.yaml", b"1")]);
    repository.commit(&[("deploy/a.yaml", b"2")]);
    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", repository.0.path().display());
    let to = clone.path().join("clone");
    let git = Tool::new("git").args(["clone", "--quiet", "--depth", "1", &from]).arg(&to);
    git.run().unwrap();
    let past = past(&to.join("deploy"), None).unwrap();
    assert_eq!(told(&past), ["a.yaml=2"]);
    assert!(past.cut.unwrap().contains("shallow"));
}

#[test]
fn without_a_commit_there_is_nothing_to_read() {
    let repository = Repository::new();
    fs::create_dir(repository.0.path().join("deploy")).unwrap();
    assert!(past(&repository.0.path().join("deploy"), None).is_err());
}
