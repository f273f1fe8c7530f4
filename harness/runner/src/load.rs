//! Loading what a run is about: the layout, its contract, and the scenarios.

use std::path::{Path, PathBuf};

use partywall_core::contract::{self, Contract, ContractError};
use partywall_core::layout::Layout;
use partywall_core::scenario::{Scenario, load_scenario};
use partywall_core::source::LoadError;
use thiserror::Error;

/// The contract's file at the root of a layout.
pub const CONTRACT_FILE: &str = "partywall.yaml";

/// A layout with its contract, which agree.
#[derive(Clone, Debug)]
pub struct Project {
    /// The working tree.
    pub directory: PathBuf,
    /// Its files.
    pub layout: Layout,
    /// The contract at its root.
    pub contract: Contract,
}

/// Input that no run can be made of. All are usage errors (exit 2).
#[derive(Debug, Error)]
pub enum ProjectError {
    /// A file cannot be read as what it should be.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The layout cannot be rendered at all.
    #[error(transparent)]
    Render(#[from] partywall_offline::render::RenderError),
    /// The revision cannot be read.
    #[error(transparent)]
    Revision(#[from] partywall_offline::revision::RevisionError),
    /// The folder holds no contract.
    #[error(
        "{directory} has no {CONTRACT_FILE}\nhint: a layout states its intent in a contract at \
         its root; fixtures/deployments/{CONTRACT_FILE} is one"
    )]
    NoContract {
        /// The folder.
        directory: PathBuf,
    },
    /// Contract and layout disagree.
    #[error("{}", join(.0))]
    Contract(Vec<ContractError>),
    /// Two scenarios would make trials of the same name, or there is none at all.
    #[error("{0}")]
    Scenarios(String),
}

fn join(errors: &[ContractError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Load a layout and its contract, and hold one against the other.
pub fn load_project(directory: &Path) -> Result<Project, ProjectError> {
    let layout = partywall_offline::load::working_tree(directory)?;
    let Some(text) = layout.files.get(CONTRACT_FILE) else {
        return Err(ProjectError::NoContract { directory: directory.to_path_buf() });
    };
    let contract = Contract::load(CONTRACT_FILE, text)?;
    let errors = contract::check(CONTRACT_FILE, &contract, &layout);
    if errors.is_empty() {
        Ok(Project { directory: directory.to_path_buf(), layout, contract })
    } else {
        Err(ProjectError::Contract(errors))
    }
}

/// Read scenarios from their paths (below `scenarios/`) and texts.
pub fn load_scenarios<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Scenario>, ProjectError> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (path, text) in files {
        let scenario = load_scenario(path, text)?;
        if scenarios.iter().any(|other| other.path == scenario.path) {
            let message = format!("two scenarios have the path {}", scenario.path);
            return Err(ProjectError::Scenarios(message));
        }
        scenarios.push(scenario);
    }
    if scenarios.is_empty() {
        return Err(ProjectError::Scenarios(
            "there is no scenario: nothing would be judged".into(),
        ));
    }
    Ok(scenarios)
}
