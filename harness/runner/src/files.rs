//! Judging a layout from its files: render it as Flux would, go on behind defects in scratch
//! copies, and put the same trials to the offline backend.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use partywall_core::contract::{self, Contract};
use partywall_core::event::{Defect, NotJudged};
use partywall_core::layout::Layout;
use partywall_core::plan::Trial;
use partywall_core::source::SourceLocation;
use partywall_offline::cluster::{OfflineCluster, Surroundings};
use partywall_offline::defect::FluxObject;
use partywall_offline::render::{self, Programs, RenderError, Rendered, Repository};
use partywall_offline::secret::{History, Keys};
use partywall_offline::{draft, load, revision, rights, wiring};

use crate::deploy::{Deploy, Deployed, deploy_with_scratch_mends};
use crate::execute::{Run, RunOutcome, execute};
use crate::load::{CONTRACT_FILE, Project, ProjectError};

/// Where a layout's files are read.
#[derive(Clone, Debug)]
pub struct Place {
    /// The layout's root.
    pub directory: PathBuf,
    /// The folder that the contract's paths of other repositories begin at: the layout's root,
    /// unless `directory` is a scratch copy of it.
    pub base: PathBuf,
    /// A Git revision; the working tree where there is none.
    pub revision: Option<String>,
}

/// What rendering needs besides the layout.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The programs.
    pub programs: Programs,
    /// Where results are kept by content; nowhere where there is none.
    pub cache: Option<PathBuf>,
    /// Which cluster of several, by its `gotk-sync.yaml`.
    pub entry: Option<String>,
}

/// A layout and its contract, ready to be judged from the files.
#[derive(Clone, Debug)]
pub struct Files {
    /// The layout and contract.
    pub project: Project,
    /// What stands for the addresses of Git repositories.
    pub repositories: Vec<Repository>,
    /// What could not be read, and whether the contract is a draft.
    pub not_judged: Vec<NotJudged>,
    /// The commit, where the files are those of one.
    pub commit: Option<String>,
    /// What earlier commits held, once it was read.
    pub history: History,
}

/// A layout that was rendered, behind whatever defects it has.
#[derive(Debug)]
pub struct Judgeable {
    /// What Flux would apply once the defects before it are mended.
    pub rendered: Rendered,
    /// Defects, in the order in which they were found.
    pub deployed: Deployed,
    /// What else is wrong with the wiring.
    pub findings: Vec<Defect>,
}

/// Read a layout. Without a contract one is drafted, and the run is marked as judged by a draft.
pub fn load_files(place: &Place, rendering: &Rendering) -> Result<Files, ProjectError> {
    let (layout, commit) = match &place.revision {
        None => (load::working_tree_lenient(&place.directory)?, None),
        Some(revision) => {
            let found = revision::git_revision(&place.directory, revision)?;
            (found.layout, Some(found.commit))
        }
    };
    let mut not_judged: Vec<NotJudged> = layout.unread.iter().map(unread).collect();
    let contract = match layout.files.get(CONTRACT_FILE) {
        Some(text) => {
            let contract = Contract::load(CONTRACT_FILE, text)?;
            let errors = contract::check(CONTRACT_FILE, &contract, &layout);
            if !errors.is_empty() {
                return Err(ProjectError::Contract(errors));
            }
            contract
        }
        None => {
            let (contract, notes) = drafted(&layout, rendering)?;
            not_judged.extend(notes);
            contract
        }
    };
    if contract.draft {
        not_judged.push(by_draft());
    }
    let repositories = repositories(place, &layout, &contract)?;
    let project = Project { directory: place.directory.clone(), layout, contract };
    let history = History::default();
    Ok(Files { project, repositories, not_judged, commit, history })
}

fn unread(error: &partywall_core::source::LoadError) -> NotJudged {
    NotJudged {
        subject: error.location.file.clone(),
        reason: format!("it is not read: {}", error.message),
        location: Some(error.location.clone()),
    }
}

fn by_draft() -> NotJudged {
    NotJudged {
        subject: CONTRACT_FILE.to_string(),
        reason: "the contract is a draft: it says what is, not what was meant. Write it with \
                 `partywall init`, read it, correct it, and remove `draft: true`"
            .to_string(),
        location: Some(SourceLocation::new(CONTRACT_FILE, 1)),
    }
}

/// Draft a contract for a layout that has none. Charts of other repositories are not known yet.
fn drafted(
    layout: &Layout,
    rendering: &Rendering,
) -> Result<(Contract, Vec<NotJudged>), ProjectError> {
    let (text, notes) = draft_text(layout, rendering)?;
    Ok((Contract::load(CONTRACT_FILE, &text)?, notes))
}

/// The text of a drafted contract, and what the draft could not tell.
pub fn draft_text(
    layout: &Layout,
    rendering: &Rendering,
) -> Result<(String, Vec<NotJudged>), ProjectError> {
    let rendered = render::render(layout, &own_addresses(layout), &rendering.options())?;
    let draft = draft::draft(layout, &rendered);
    Ok((draft.contract_text, draft.notes))
}

/// The layout itself under every address by which Flux is told to sync it.
fn own_addresses(layout: &Layout) -> Vec<Repository> {
    let syncs = layout
        .of_kind("GitRepository")
        .filter(|document| document.location.file.rsplit('/').next() == Some("gotk-sync.yaml"));
    let urls = syncs.filter_map(|document| document.root.text(&["spec", "url"]));
    urls.map(|url| own(url.to_string())).collect()
}

fn own(url: String) -> Repository {
    Repository { url, prefix: ".".to_string(), files: BTreeMap::new() }
}

/// The folders that the contract names for the addresses of Git repositories.
fn repositories(
    place: &Place,
    layout: &Layout,
    contract: &Contract,
) -> Result<Vec<Repository>, ProjectError> {
    let (owns, others): (Vec<_>, Vec<_>) =
        contract.repositories.iter().partition(|one| is_layout(&one.path));
    let mut repositories: Vec<Repository> = owns.iter().map(|one| own(one.url.clone())).collect();
    if repositories.is_empty() {
        repositories = own_addresses(layout);
    }
    for other in others {
        let files = match &place.revision {
            None => load::folder_files(&place.base.join(&other.path))?,
            Some(revision) => revision::git_revision_of_other(&place.base, &other.path, revision)?,
        };
        let (url, prefix) = (other.url.clone(), other.path.trim_end_matches('/').to_string());
        repositories.push(Repository { url, prefix, files });
    }
    Ok(repositories)
}

fn is_layout(path: &str) -> bool {
    matches!(path, "." | "./" | "")
}

impl Rendering {
    fn options(&self) -> render::Options<'_> {
        render::Options {
            programs: &self.programs,
            cache: self.cache.as_deref(),
            entry: self.entry.as_deref(),
        }
    }
}

impl Files {
    /// Read what earlier commits held: those that lead to the revision that the files are of, or
    /// all that the repository knows.
    pub fn read_history(&mut self) {
        let Project { directory, layout, .. } = &self.project;
        self.history = History::read(directory, self.commit.as_deref(), layout);
    }

    /// Render the layout; behind a defect that stops everything, in a scratch copy without it.
    pub async fn deploy(&self, rendering: &Rendering) -> Result<Judgeable, RenderError> {
        let mut deploy = OfflineDeploy { files: self, rendering, rendered: Rendered::default() };
        let layout = &self.project.layout;
        let deployed = deploy_with_scratch_mends(&mut deploy, layout, &[]).await?;
        let rendered = deploy.rendered;
        let contract = &self.project.contract;
        let is_known = |finding: &Defect| {
            let mut known = deployed.defects.iter();
            known.any(|one| one.name == finding.name && one.location == finding.location)
        };
        let mut findings = wiring::findings(layout, &rendered, contract);
        findings.extend(rights::findings(&rendered));
        findings.retain(|finding| !is_known(finding));
        Ok(Judgeable { rendered, deployed, findings })
    }
}

/// Renders in place of deploying.
struct OfflineDeploy<'a> {
    files: &'a Files,
    rendering: &'a Rendering,
    rendered: Rendered,
}

impl Deploy for OfflineDeploy<'_> {
    type Error = RenderError;

    async fn deploy(
        &mut self,
        replaced: &BTreeMap<String, String>,
    ) -> Result<Vec<FluxObject>, RenderError> {
        let original = &self.files.project.layout;
        let layout = if replaced.is_empty() {
            original.clone()
        } else {
            let mut files = original.files.clone();
            files.extend(replaced.clone());
            Layout::lenient(files)
        };
        let repositories = &self.files.repositories;
        self.rendered = render::render(&layout, repositories, &self.rendering.options())?;
        Ok(self.rendered.flux.clone())
    }
}

/// Judge trials from the files.
pub async fn judge_files(
    files: &Files,
    judgeable: &Judgeable,
    trials: &[Trial],
    keys: &Keys,
    around: &Surroundings,
    repeat: &str,
) -> Result<RunOutcome, partywall_core::cluster::ObserveError> {
    let project = &files.project;
    let (layout, contract) = (&project.layout, &project.contract);
    let cluster = OfflineCluster::new(layout, &judgeable.rendered, contract, keys, around)
        .with_history(&files.history);
    let mut not_judged = files.not_judged.clone();
    not_judged.extend(cluster.not_judged());
    let mut findings = cluster.defects();
    findings.extend(judgeable.findings.iter().cloned());
    let run = Run {
        project,
        trials,
        commit: files.commit.clone(),
        defects: &judgeable.deployed.defects,
        findings: &findings,
        not_judged: &not_judged,
        repeat,
    };
    execute(&cluster, &run).await
}

/// The keys of a folder of `*.agekey` files; none without a folder.
pub fn load_keys(folder: Option<&Path>, contract: &Contract) -> Result<Keys, ProjectError> {
    match folder {
        None => Ok(Keys::default()),
        Some(folder) => Ok(Keys::from_folder(folder, contract)?),
    }
}
