//! Taking one defect out of a layout, in memory, so that a run can see what it hides.
//!
//! As little as possible is changed, and lines stay where they are: what goes is turned into a
//! comment, what comes is added at the end of a file. The places that a later finding names are
//! then those of the layout as it was written.

mod patch;
mod source;

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::event::Defect;
use partywall_core::source::LoadError;

use crate::defect::{CROSS_NAMESPACE_REFERENCE, PATCH_DOES_NOT_APPLY};

pub(crate) use patch::operation_line;

/// A change that takes a defect out of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mend {
    /// What is changed, in one line.
    pub description: String,
    /// The changed files: path and whole new text.
    pub files: BTreeMap<String, String>,
}

/// A change that takes this defect out, wherever the layout has it; none where we know no change
/// that would leave everything else as it is.
pub fn mend(layout: &Layout, defect: &Defect) -> Option<Mend> {
    match defect.name.as_str() {
        PATCH_DOES_NOT_APPLY => patch::mend(layout, defect),
        CROSS_NAMESPACE_REFERENCE => source::mend(layout, defect),
        _ => None,
    }
}

/// The layout with a change made.
pub fn mended(layout: &Layout, mend: &Mend) -> Result<Layout, LoadError> {
    let mut files = layout.files.clone();
    files.extend(mend.files.clone());
    Layout::new(files)
}
