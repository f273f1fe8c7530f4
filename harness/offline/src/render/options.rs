//! What a rendering is given, and why it cannot start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use partywall_tool::ToolError;

/// The pinned programs that render.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `kustomize`.
    pub kustomize: PathBuf,
    /// `helm`.
    pub helm: PathBuf,
}

/// A folder that stands for a Git repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// The address as GitRepository objects write it.
    pub url: String,
    /// The folder relative to the layout's root: `../charts`; `.` is the layout itself, whose
    /// files need not be given again.
    pub prefix: String,
    /// Its text files by their path relative to the folder.
    pub files: BTreeMap<String, String>,
}

/// How to render.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The programs.
    pub programs: &'a Programs,
    /// A folder that keeps what the programs wrote, by the content of what they read.
    pub cache: Option<&'a Path>,
    /// The `gotk-sync.yaml`, or its folder, of the cluster that is meant, where there are several.
    pub entry: Option<&'a str>,
}

/// Why nothing could be rendered. What is wrong with a part of the layout is no such error: it is
/// a Flux object that is not ready, or is named as not judged.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The layout describes several clusters.
    #[error(
        "the layout describes {} clusters: {} (hint: name one of these files)",
        files.len(),
        files.join(", ")
    )]
    ManyClusters {
        /// The files that say how each is synced.
        files: Vec<String>,
    },
    /// The cluster that was asked for is not in the layout.
    #[error("`{entry}` names no gotk-sync.yaml of the layout{}", known(files))]
    UnknownEntry {
        /// What was asked for.
        entry: String,
        /// The files that there are.
        files: Vec<String>,
    },
    /// A program could not be run.
    #[error("failed to render")]
    Tool(#[from] ToolError),
    /// A program did not come to its end. Rendering goes on without what it was to give.
    #[error("`{program}` {why}")]
    Cut {
        /// The program.
        program: &'static str,
        /// How it was ended.
        why: String,
    },
    /// The folder in which the programs work could not be made.
    #[error("failed to prepare a folder for `{program}`")]
    Scratch {
        /// The program.
        program: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

fn known(files: &[String]) -> String {
    if files.is_empty() { String::new() } else { format!(" (there are: {})", files.join(", ")) }
}
