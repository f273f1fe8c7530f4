//! A generated mutant.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::layout::is_yaml;
use partywall_core::source::SourceLocation;

use super::catalogue::Operator;
use super::unified::unified;

/// The changed files by their path: the new text, or nothing where the file is gone.
pub type MutantFiles = BTreeMap<String, Option<String>>;

/// One mutant of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its name, unique among the mutants of a layout: `policy-removed/customer-a/deny-all`.
    pub name: String,
    /// The operator that made it.
    pub operator: &'static Operator,
    /// What is changed, in one line.
    pub change: String,
    /// Where.
    pub location: SourceLocation,
    /// Words of which one must be in what goes red: the namespaces that it is about. Nothing where
    /// it is about all.
    pub about: Vec<String>,
    /// The changed files, or why it could not be made.
    pub files: Result<MutantFiles, String>,
}

impl Generated {
    /// What is changed, as a patch.
    pub fn diff(&self, layout: &Layout) -> String {
        let Ok(files) = &self.files else { return String::new() };
        let parts = files.iter().map(|(file, text)| {
            let before = layout.files.get(file).map(String::as_str);
            unified(file, before, text.as_deref())
        });
        parts.collect()
    }

    /// The layout with the change made. What is not changed is not read again.
    pub fn applied(&self, layout: &Layout) -> Result<Layout, String> {
        let changes = self.files.as_ref().map_err(Clone::clone)?;
        let mut files = layout.files.clone();
        let mut changed = BTreeMap::new();
        for (file, text) in changes {
            match text {
                Some(text) => {
                    files.insert(file.clone(), text.clone());
                    changed.insert(file.clone(), text.clone());
                }
                None => {
                    files.remove(file);
                }
            }
        }
        // Whether a file is a chart's template is told by a file beside it.
        if changes.keys().any(|file| file.ends_with("Chart.yaml") || !is_yaml(file)) {
            return Ok(Layout::lenient(files));
        }
        let read = Layout::new(changed).map_err(|error| error.to_string())?;
        let is_same = |file: &str| !changes.contains_key(file);
        let kept = layout.documents.iter().filter(|one| is_same(&one.location.file));
        let mut documents: Vec<_> = kept.cloned().chain(read.documents).collect();
        documents.sort_by(|one, other| one.location.cmp(&other.location));
        let unread = layout.unread.iter().filter(|one| is_same(&one.location.file));
        Ok(Layout { files, documents, unread: unread.cloned().collect() })
    }
}
