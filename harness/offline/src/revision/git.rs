//! The few questions that are put to Git.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use partywall_tool::{Output, Tool, ToolError};

use super::error::RevisionError;

/// A repository whose objects take longer is no layout.
const LIMIT: Duration = Duration::from_secs(60);

/// A run does not wait longer for earlier commits.
const HISTORY_LIMIT: Duration = Duration::from_secs(10);

/// A commit means what its name says, whatever the repository's own configuration asks for: no
/// object stands for another, nothing is fetched, nobody is asked, no lock is taken.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
];

/// Git, in a folder.
pub(super) struct Git {
    directory: PathBuf,
}

/// One line of `ls-tree`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TreeEntry {
    pub(super) mode: String,
    pub(super) object: String,
    /// None for what is no blob.
    pub(super) size: Option<u64>,
    pub(super) path: Vec<u8>,
}

/// What commits brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) commits: usize,
    pub(super) files: Vec<Change>,
}

/// A file that a commit brought or changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) commit: String,
    pub(super) object: String,
    pub(super) path: String,
}

impl Git {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf() }
    }

    /// The full name of the commit that a revision means.
    pub(super) fn commit(&self, revision: &str) -> Result<String, RevisionError> {
        let malformed = revision.trim().is_empty()
            || revision.starts_with('-')
            || revision.chars().any(char::is_control);
        if malformed {
            return Err(RevisionError::Malformed { revision: revision.to_string() });
        }
        let commit = format!("{revision}^{{commit}}");
        let tool = self.tool().args(["rev-parse", "--verify", "--end-of-options", &commit]);
        let output = tool.run().map_err(|error| self.told(error, revision))?;
        let name = output.stdout_text().trim().to_string();
        if name.len() < 40 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(RevisionError::Answer("a commit's name was expected"));
        }
        Ok(name)
    }

    /// The folder's path in the repository, without a slash at its end.
    pub(super) fn prefix(&self) -> Result<String, RevisionError> {
        let output = self.tool().args(["rev-parse", "--show-prefix"]).run()?;
        let prefix = String::from_utf8(output.stdout)
            .map_err(|_| RevisionError::Answer("the folder's path is not UTF-8"))?;
        let prefix = prefix.strip_suffix('\n').unwrap_or(&prefix);
        Ok(prefix.trim_end_matches('/').to_string())
    }

    /// Every file below a folder of a commit.
    pub(super) fn entries(
        &self,
        commit: &str,
        folder: &str,
    ) -> Result<Vec<TreeEntry>, RevisionError> {
        let tree = format!("{commit}:{folder}");
        let tool = self.tool().args(["ls-tree", "-r", "-z", "-l", "--full-tree", &tree]);
        let output = tool.run().map_err(|error| match error.tail() {
            tail if tail.contains("Not a valid object name") || tail.contains("not a tree") => {
                let (commit, folder) = (commit.to_string(), folder.to_string());
                RevisionError::NoFolder { commit, folder }
            }
            _ => error.into(),
        })?;
        let lines = output.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let entry = |line| tree_entry(line).ok_or(RevisionError::Answer("a line of `ls-tree`"));
        lines.map(entry).collect()
    }

    /// The content of blobs, by their names.
    pub(super) fn blobs(
        &self,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Vec<u8>>, RevisionError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked: String = names.iter().flat_map(|name| [name, "\n"]).collect();
        let output = self.tool().args(["cat-file", "--batch"]).stdin(asked).run()?;
        contents(&output).ok_or(RevisionError::Answer("a blob of `cat-file`"))
    }

    /// Every file that a commit of the folder brought or changed, the newest first: of the commits
    /// that lead to this one and, where they are asked for, of every branch and tag.
    pub(super) fn changes(
        &self,
        commit: &str,
        all: bool,
        commits_max: usize,
    ) -> Result<Changes, RevisionError> {
        let most = commits_max.saturating_add(1).to_string();
        // Without the full history Git leaves out branches whose changes a merge threw away.
        let tool = self.tool().args(["-c", "log.showRoot=true", "log", "--full-history", "-m"]);
        let tool = tool.args(["--raw", "--no-abbrev", "--no-renames", "-z", "--diff-filter=AMT"]);
        let tool = tool.args(["--relative", "--no-color", "--format=%x01%H", "-n", &most, commit]);
        let others: &[&str] = if all { &["--branches", "--tags", "--remotes"] } else { &[] };
        let output = tool.args(others).args(["--", "."]).timeout(HISTORY_LIMIT).run()?;
        changes(&output.stdout).ok_or(RevisionError::Answer("a line of `log`"))
    }

    /// The sizes of those blobs that are here.
    pub(super) fn sizes(
        &self,
        names: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, u64>, RevisionError> {
        let asked: String = names.iter().flat_map(|name| [name, "\n"]).collect();
        let output = self.tool().args(["cat-file", "--batch-check"]).stdin(asked).run()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let size = |line: &str| {
            let mut words = line.split(' ');
            let (name, "blob", size) = (words.next()?, words.next()?, words.next()?) else {
                return None;
            };
            Some((name.to_string(), size.parse().ok()?))
        };
        Ok(text.lines().filter_map(size).collect())
    }

    /// Whether earlier commits were left out when the repository was cloned.
    pub(super) fn is_shallow(&self) -> Result<bool, RevisionError> {
        let output = self.tool().args(["rev-parse", "--is-shallow-repository"]).run()?;
        Ok(output.stdout_text().trim() == "true")
    }

    fn tool(&self) -> Tool {
        let tool = Tool::new("git").arg("-C").arg(&self.directory).timeout(LIMIT);
        ENVIRONMENT.iter().fold(tool, |tool, (name, value)| tool.env(name, value))
    }

    /// The first question tells what is wrong with the repository itself.
    fn told(&self, error: ToolError, revision: &str) -> RevisionError {
        let (directory, tail) = (self.directory.clone(), error.tail());
        if tail.contains("dubious ownership") {
            RevisionError::Ownership { directory }
        } else if tail.contains("not a git repository") {
            RevisionError::NoRepository { directory }
        } else if error.exit() == Some(128) && directory.is_dir() {
            RevisionError::Unknown { revision: revision.to_string(), directory }
        } else {
            error.into()
        }
    }
}

/// `MODE TYPE OBJECT SIZE\tPATH`.
fn tree_entry(line: &[u8]) -> Option<TreeEntry> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let about = std::str::from_utf8(line.get(..tab)?).ok()?;
    let mut words = about.split_ascii_whitespace();
    let (mode, _, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(TreeEntry {
        mode: mode.to_string(),
        object: object.to_string(),
        size: size.parse().ok(),
        path: line.get(tab + 1..)?.to_vec(),
    })
}

/// `\u{1}COMMIT\0`, and behind it `:MODE MODE OBJECT OBJECT STATUS\0PATH\0`, again and again.
fn changes(stdout: &[u8]) -> Option<Changes> {
    let mut found = Changes::default();
    let mut commit = String::new();
    let mut tokens = stdout.split(|byte| *byte == 0).filter(|token| !token.is_empty());
    while let Some(token) = tokens.next() {
        let token = std::str::from_utf8(token).ok()?.trim_start_matches('\n');
        if let Some(name) = token.strip_prefix('\u{1}') {
            // A merge is told once for each of its parents.
            if commit != name {
                found.commits += 1;
                commit = name.to_string();
            }
            continue;
        }
        let mut words = token.strip_prefix(':')?.split(' ');
        let (_, mode, _, object) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let path = String::from_utf8_lossy(tokens.next()?).into_owned();
        // Links and submodules hold no text of their own.
        if mode.starts_with("100") {
            let (commit, object) = (commit.clone(), object.to_string());
            found.files.push(Change { commit, object, path });
        }
    }
    Some(found)
}

/// `OBJECT blob SIZE\nCONTENT\n`, again and again.
fn contents(output: &Output) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut contents = BTreeMap::new();
    let mut rest = output.stdout.as_slice();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let about = std::str::from_utf8(rest.get(..end)?).ok()?;
        let mut words = about.split(' ');
        let (name, "blob", size) = (words.next()?, words.next()?, words.next()?) else {
            return None;
        };
        let (from, size): (usize, usize) = (end + 1, size.parse().ok()?);
        contents.insert(name.to_string(), rest.get(from..from.checked_add(size)?)?.to_vec());
        rest = rest.get(from + size + 1..)?;
    }
    Some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::owner("fatal: detected dubious ownership in repository at '/x'", "another user")]
    #[case::nowhere(
        "fatal: not a git repository (or any of the parent directories): .git",
        "no Git repository"
    )]
    #[case::unknown("fatal: Needed a single revision", "no commit `HEAD~9`")]
    fn says_what_is_wrong_with_a_repository(#[case] tail: &str, #[case] said: &str) {
        let error = ToolError::Failed {
            command: "git".to_string(),
            exit: Some(128),
            tail: tail.to_string(),
            duration: Duration::ZERO,
        };
        let told = Git::new(Path::new(".")).told(error, "HEAD~9").to_string();
        assert!(told.contains(said), "{told}");
    }

    #[rstest]
    #[case::file(b"100644 blob 0123abc      12\ta b.yaml", Some(("100644", Some(12), "a b.yaml")))]
    #[case::submodule(b"160000 commit 0123abc       -\tvendor", Some(("160000", None, "vendor")))]
    #[case::no_path(b"100644 blob 0123abc 12", None)]
    #[case::short(b"100644 blob\ta", None)]
    fn reads_a_line_of_a_tree(
        #[case] line: &[u8],
        #[case] expected: Option<(&str, Option<u64>, &str)>,
    ) {
        let entry = tree_entry(line);
        let read = entry.as_ref().map(|entry| {
            (entry.mode.as_str(), entry.size, std::str::from_utf8(&entry.path).unwrap())
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn reads_what_commits_brought() {
        let log = b"\x01c2\0\n:100644 100644 a b M\0x y.yaml\0:000000 120000 0 l A\0link\0\x01c1\0\x01c1\0\n:000000 100755 0 a A\0x y.yaml\0";
        let found = changes(log).unwrap();
        let files: Vec<String> = found
            .files
            .iter()
            .map(|one| format!("{} {} {}", one.commit, one.object, one.path))
            .collect();
        assert_eq!((found.commits, files.join("; ").as_str()), (2, "c2 b x y.yaml; c1 a x y.yaml"));
        assert_eq!(changes(b""), Some(Changes::default()));
        assert_eq!(changes(b"x"), None);
        assert_eq!(changes(b":100644 100644 a b M\0"), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(stdout in proptest::collection::vec(0_u8..130, 0..80)) {
            let _ = changes(&stdout);
        }
    }

    #[rstest]
    #[case::one(b"ab blob 3\nx\ny\n", Some(1))]
    #[case::none(b"", Some(0))]
    #[case::missing(b"ab missing\n", None)]
    #[case::cut(b"ab blob 9\nx\n", None)]
    #[case::overflow(b"ab blob 18446744073709551615\nx\n", None)]
    fn reads_blobs(#[case] stdout: &[u8], #[case] expected: Option<usize>) {
        let output = Output {
            command: String::new(),
            exit: Some(0),
            stdout: stdout.to_vec(),
            stderr: Vec::new(),
            duration: Duration::ZERO,
        };
        assert_eq!(contents(&output).map(|blobs| blobs.len()), expected);
    }
}
