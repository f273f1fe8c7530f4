//! From a layout's folder to what `up`, `push` and `test` need.

use std::path::{Path, PathBuf};

use partywall_core::cluster::Backend;
use partywall_core::contract::Contract;
use partywall_core::plan::{Trial, trials};
use partywall_core::scenario::Scenario;
use partywall_live::{LayoutSpec, RepositorySpec, TenantSecrets};
use partywall_offline::sops::{is_sealed, recipients};
use partywall_runner::{CONTRACT_FILE, Project, load_project, load_scenarios};

use crate::args::LayoutArgs;
use crate::failure::Failure;
use crate::{paths, print};

/// The reference layout, used where no other is named.
const REFERENCE: &str = "fixtures/deployments";
/// Its TEST-ONLY keys, and those of the other fixtures.
const REFERENCE_KEYS: &str = "fixtures/keys";

/// The folder that the arguments name.
pub fn directory(arguments: &LayoutArgs) -> PathBuf {
    arguments.layout.clone().unwrap_or_else(reference)
}

/// The layout of a command that needs no cluster and was given none: the folder one stands in. At
/// the root of this project, which is none, the reference layout.
pub fn default_layout() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir()?;
    if here.join(CONTRACT_FILE).is_file() {
        return Ok(PathBuf::from("."));
    }
    if here.canonicalize().ok() == paths::root().canonicalize().ok() {
        print::note(&format!("no layout is named: judging {REFERENCE}"));
        return Ok(reference());
    }
    Err(Failure::usage(format!(
        "no layout is named, and {} has no {CONTRACT_FILE}\nhint: name a layout's root",
        here.display()
    )))
}

/// The reference layout.
pub fn reference() -> PathBuf {
    paths::root().join(REFERENCE)
}

/// The TEST-ONLY keys, for a layout of the fixtures.
pub fn fixture_keys(directory: &Path) -> Option<PathBuf> {
    let fixtures = paths::root().join("fixtures").canonicalize().ok()?;
    let is_fixture = directory.canonicalize().is_ok_and(|place| place.starts_with(fixtures));
    is_fixture.then(|| paths::root().join(REFERENCE_KEYS))
}

/// Load the layout that the arguments name.
pub fn project(arguments: &LayoutArgs) -> Result<Project, Failure> {
    let directory = directory(arguments);
    if !directory.is_dir() {
        return Err(Failure::usage(format!(
            "{} is not a folder\nhint: --layout names a layout's root",
            directory.display()
        )));
    }
    if let Some(keys) = arguments.keys.as_ref().filter(|keys| !keys.is_dir()) {
        return Err(Failure::usage(format!(
            "{} is not a folder\nhint: --keys names a folder of `*.agekey` files",
            keys.display()
        )));
    }
    let project = load_project(&directory)?;
    must_be_sealed(&project)?;
    Ok(project)
}

/// A cluster that has no key service opens nothing that is sealed to one.
const NO_AGE_RECIPIENT: &str = "it is encrypted for no age recipient, and what a key service \
     opens is judged by `partywall check` alone";

/// A tenant's secrets that nobody sealed are refused before anything is made of the layout: a
/// push would find it too late.
fn must_be_sealed(project: &Project) -> Result<(), Failure> {
    for tenant in &project.contract.tenants {
        for file in tenant.secrets.iter().flat_map(|secrets| &secrets.files) {
            let text = project.layout.files.get(file).map_or("", String::as_str);
            let problem = match recipients(file, text) {
                _ if !is_sealed(text) => "it has no `sops` block: it is not encrypted".to_string(),
                Ok(found) if found.is_empty() => NO_AGE_RECIPIENT.to_string(),
                Ok(_) => continue,
                Err(error) => error.to_string(),
            };
            return Err(Failure::usage(format!(
                "{file} is named as a secret of {}, but {problem}\nhint: encrypt it with \
                 `sops encrypt`, or correct partywall.yaml",
                tenant.name
            )));
        }
    }
    Ok(())
}

/// The layout as the live backend pushes it. Layouts of the fixtures are opened with their own
/// TEST-ONLY keys; a user's layout only with keys that the user names.
pub fn layout_spec(project: &Project, keys: Option<&Path>) -> LayoutSpec {
    LayoutSpec {
        secrets: project.contract.tenants.iter().filter_map(TenantSecrets::of).collect(),
        repositories: project
            .contract
            .repositories
            .iter()
            .map(|one| RepositorySpec { url: one.url.clone(), path: one.path.clone() })
            .collect(),
        keys: keys.map(Path::to_path_buf).or_else(|| fixture_keys(&project.directory)),
        ..LayoutSpec::new(&project.directory)
    }
}

/// The built-in scenarios, and those of a user's folder.
pub fn scenarios(further: Option<&Path>) -> Result<Vec<Scenario>, Failure> {
    let mut files: Vec<(String, String)> = partywall_scenarios::BUILT_IN
        .iter()
        .map(|(path, text)| ((*path).to_string(), (*text).to_string()))
        .collect();
    if let Some(folder) = further {
        let layout = partywall_offline::load::working_tree(folder).map_err(Failure::usage)?;
        let is_scenario = |(path, _): &(String, String)| path.ends_with(".yaml");
        let found: Vec<(String, String)> = layout.files.into_iter().filter(is_scenario).collect();
        if found.is_empty() {
            return Err(Failure::usage(format!(
                "{} holds no scenario\nhint: a scenario is a file `<topic>/<claim>.yaml` in it",
                folder.display()
            )));
        }
        files.extend(found);
    }
    let pairs = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    Ok(load_scenarios(pairs)?)
}

/// The trials of a layout whose name contains the filter.
pub fn selected_trials(
    backend: Backend,
    scenarios: &[Scenario],
    contract: &Contract,
    filter: Option<&str>,
) -> Result<Vec<Trial>, Failure> {
    let all = trials(backend, scenarios, contract);
    let fits = |trial: &Trial| filter.is_none_or(|filter| trial.name.contains(filter));
    let selected: Vec<Trial> = all.into_iter().filter(fits).collect();
    if selected.is_empty() {
        return Err(Failure::usage(format!(
            "no trial's name contains `{}`\nhint: `--list` lists them",
            filter.unwrap_or_default()
        )));
    }
    Ok(selected)
}
