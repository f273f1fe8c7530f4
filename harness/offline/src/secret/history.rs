//! What earlier commits held readable and should not have. Whoever may read the repository may
//! read every commit of it, so that sealing a file today takes nothing back.

use std::collections::BTreeMap;
use std::path::Path;

use partywall_core::Layout;
use partywall_core::layout::is_yaml;
use partywall_core::source::SourceLocation;

use crate::revision::{Past, PastFile, RevisionError, past};
use crate::scan::readable_secrets;
use crate::sops;

/// So many characters of a commit's name are enough for Git, and for people.
const SHORT: usize = 12;
/// A text without any of these holds no Secret, no kubeconfig and no private key.
const MARKS: [&str; 6] = ["Secret", "secretGenerator", "sops:", "users:", "PRIVATE KEY", "LS0t"];
/// What private age keys begin with.
const AGE: &str = "AGE-SECRET-KEY-";

/// What the earlier commits of a layout held.
#[derive(Clone, Debug)]
pub struct History {
    /// How many versions of files were read.
    pub(super) files: usize,
    /// What lay readable in them.
    pub(super) findings: Vec<Once>,
    /// Why nothing can be said of them as a whole, where it cannot.
    pub(super) lack: Option<String>,
}

/// Something that lay readable once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Once {
    /// Its path.
    pub(super) path: String,
    /// `COMMIT:PATH` and the line.
    pub(super) location: SourceLocation,
    /// What; never the value.
    pub(super) what: String,
}

impl Default for History {
    fn default() -> Self {
        Self::unread("`partywall check` alone reads them")
    }
}

impl History {
    /// Read the commits that lead to a revision, or, without one, all that the repository knows.
    pub fn read(directory: &Path, revision: Option<&str>, layout: &Layout) -> Self {
        match past(directory, revision) {
            Ok(Past { files, cut: None, .. }) if files.is_empty() => {
                Self::unread("no commit has a file of the layout")
            }
            Ok(past) => Self::of(&past, layout),
            Err(RevisionError::NoRepository { .. }) => {
                Self::unread("the layout is in no Git repository")
            }
            Err(error) => Self::unread(error.to_string().lines().next().unwrap_or_default()),
        }
    }

    fn unread(why: &str) -> Self {
        let lack = Some(format!("not asked: earlier commits are not read: {why}"));
        Self { files: 0, findings: Vec::new(), lack }
    }

    /// What is found in these versions and does not lie there in the same way today; that is
    /// found by whoever looks at today's files.
    fn of(past: &Past, layout: &Layout) -> Self {
        let mut found: BTreeMap<(String, String), (SourceLocation, usize)> = BTreeMap::new();
        let mut files = 0;
        for one in &past.files {
            files += 1;
            if layout.files.get(&one.path) == Some(&one.text) {
                continue;
            }
            let commit: String = one.commit.chars().take(SHORT).collect();
            for (place, what) in readable(one, layout) {
                let location = SourceLocation::new(format!("{commit}:{}", one.path), place.line);
                let entry = found.entry((one.path.clone(), what)).or_insert((location, 0));
                entry.1 += 1;
            }
        }
        let once = |((path, what), (location, versions)): ((String, String), _)| {
            let what = match versions {
                1 => format!("{what}, in an earlier commit"),
                _ => format!("{what}, in {versions} earlier versions"),
            };
            Once { path, location, what }
        };
        let findings: Vec<Once> = found.into_iter().map(once).collect();
        // What was found is found, however much was left out.
        let cut = past.cut.as_ref().filter(|_| findings.is_empty());
        let lack = cut.map(|why| format!("not asked: earlier commits are not all read: {why}"));
        Self { files, findings, lack }
    }
}

/// What lies readable in one version of a file.
fn readable(one: &PastFile, layout: &Layout) -> Vec<(SourceLocation, String)> {
    let (path, text) = (&one.path, &one.text);
    let is_sealed_now =
        || is_yaml(path) && layout.files.get(path).is_some_and(|today| sops::is_sealed(today));
    if is_sealed_now() && !sops::is_sealed(text) {
        let first = sops::first_value(path, text);
        let what = format!("a readable value of {path}, which was sealed later");
        return first.map(|place| (place, what)).into_iter().collect();
    }
    let has_mark = MARKS.iter().any(|mark| text.contains(mark)) || text.contains(AGE);
    if !has_mark {
        return Vec::new();
    }
    let files = BTreeMap::from([(path.clone(), text.clone())]);
    let mut found: BTreeMap<String, SourceLocation> = BTreeMap::new();
    for (place, what) in readable_secrets(&Layout::lenient(files)) {
        found.entry(what).or_insert(place);
    }
    found.into_iter().map(|(what, place)| (place, what)).collect()
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
