//! The run as SARIF 2.1.0, for code scanning and editors.
//!
//! Rules are the scenarios that were judged and the names of defects. A violated trial and a
//! defect are errors, an undetermined trial is a warning, what is not judged is a note. Files
//! are named from the repository's root (`%SRCROOT%`) where the layout was given as a relative
//! path.

mod log;
mod rules;
mod run;

pub use run::{NOT_JUDGED, render};
