//! `partywall agree`: every trial put to the files and to the session.

use std::path::{Path, PathBuf};

use futures::executor::block_on as block_on_files;
use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_core::plan::Trial;
use partywall_live::LayoutSpec;
use partywall_offline::cluster::Surroundings;
use partywall_offline::mutant::{Mutant, apply};
use partywall_report::agreement::{self, Agreement};
use partywall_runner::{
    Project, Rendering, RunOutcome, deploy_with_scratch_mends, judge_files, load_project,
};

use super::mutants::MUTANTS;
use super::run::block_on;
use super::test::{judge, load_session};
use crate::agreement::{Ledger, compare};
use crate::args::{Agree, LayoutArgs};
use crate::failure::Failure;
use crate::mutation::Home;
use crate::offline::{BACKEND, open_copy, rendering};
use crate::project::{directory, layout_spec, project, scenarios, selected_trials};
use crate::session_deploy::{SessionDeploy, origin_of, turn};
use crate::{paths, print, reports};

/// The ledger of squares that are left to the implementation.
const LEDGER: &str = "fixtures/ledger.yaml";
const FIRST_DRAFT: &str = "fixtures/layouts/first-draft";

/// What holds the files against a cluster.
pub struct Arbiter {
    rendering: Rendering,
    ledger: Ledger,
}

impl Arbiter {
    /// With the ledger of this file, or the project's own.
    pub fn new(ledger: Option<&Path>) -> Result<Self, Failure> {
        let own = paths::root().join(LEDGER);
        let ledger = Ledger::read(ledger.unwrap_or(&own))?;
        Ok(Self { rendering: rendering(None, true)?, ledger })
    }

    /// Put the topics of these trials to the files of a layout, which is `base` or a scratch copy
    /// of it, and hold the answers against those of the cluster.
    pub fn compare(
        &self,
        project: &Project,
        base: &Path,
        is_asked: impl Fn(&Trial) -> bool,
        live: &RunOutcome,
    ) -> Result<Agreement, Failure> {
        let opened = open_copy(&project.directory, base, None, None, &self.rendering)?;
        let contract = &opened.files.project.contract;
        let mut trials = selected_trials(BACKEND, &scenarios(None)?, contract, None)?;
        trials.retain(is_asked);
        let around = Surroundings::around(&live.inventory, &opened.judgeable.rendered);
        let (files, judgeable, keys) = (&opened.files, &opened.judgeable, &opened.keys);
        let repeat = "partywall check --filter {trial}";
        let judged = judge_files(files, judgeable, &trials, keys, &around, repeat);
        let offline = block_on_files(judged)?;
        Ok(compare(&live.events, &offline.events, &self.ledger))
    }
}

/// Run `partywall agree`.
pub fn agree(arguments: &Agree) -> Result<Exit, Failure> {
    load_session(&arguments.name.session)?;
    let arbiter = Arbiter::new(arguments.ledger.as_deref())?;
    let is_wanted = |name: &str| arguments.filter.as_ref().is_none_or(|part| name.contains(part));
    let mut exit = Exit::Holds;
    let mut compared = 0;
    if is_wanted("reference") {
        compared += 1;
        let folder = directory(&layout_args(arguments));
        let project = project(&layout_args(arguments))?;
        exit = exit.and(one(arguments, &arbiter, "reference", &project, &folder)?);
    }
    if !arguments.all && arguments.filter.is_none() {
        return Ok(exit);
    }
    if is_wanted("first-draft") {
        compared += 1;
        let folder = paths::root().join(FIRST_DRAFT);
        let project = load_project(&folder)?;
        exit = exit.and(one(arguments, &arbiter, "first-draft", &project, &folder)?);
    }
    let mutants = Mutant::load_all(&paths::root().join(MUTANTS)).map_err(Failure::usage)?;
    let is_asked = |mutant: &&Mutant| !mutant.expect.only_files && is_wanted(&mutant.name);
    for mutant in mutants.iter().filter(is_asked) {
        compared += 1;
        let scratch = tempfile::tempdir()?;
        let (tree, base) = (scratch.path().join("layout"), mutant.layout_dir());
        apply(mutant, &base, &tree).map_err(Failure::usage)?;
        let project = load_project(&tree)?;
        exit = exit.and(one(arguments, &arbiter, &mutant.name, &project, &base)?);
    }
    if compared == 0 {
        return Err(Failure::usage("no layout and no mutant is named so: nothing was compared"));
    }
    let folder = directory(&layout_args(arguments));
    let project = project(&layout_args(arguments))?;
    deploy(arguments, &project, &layout_spec(&project, None), &folder, None)?;
    Ok(exit)
}

fn layout_args(arguments: &Agree) -> LayoutArgs {
    LayoutArgs { layout: arguments.layout.clone(), keys: None }
}

fn one(
    arguments: &Agree,
    arbiter: &Arbiter,
    name: &str,
    project: &Project,
    base: &Path,
) -> Result<Exit, Failure> {
    let base: PathBuf = base.canonicalize()?;
    let home = Home { session: &arguments.name.session, base: &base, keys: None };
    let spec = home.spec_of(project);
    let trials = selected_trials(Backend::Kind, &scenarios(None)?, &project.contract, None)?;
    let live = deploy(arguments, project, &spec, &base, Some(&trials))?;
    let Some(live) = live else { return Ok(Exit::Environment) };
    let agreement = arbiter.compare(project, &base, |_trial| true, &live)?;
    print::result(&format!("{name}:"));
    print::result(&agreement::text(&agreement, &reports::console_options()));
    Ok(agreement.exit())
}

/// Deploy a layout into the session, and judge these trials there.
fn deploy(
    arguments: &Agree,
    project: &Project,
    spec: &LayoutSpec,
    base: &Path,
    trials: Option<&[Trial]>,
) -> Result<Option<RunOutcome>, Failure> {
    let (spec, origin) = (spec.clone(), origin_of(base));
    block_on(async {
        let _turn = turn(&arguments.name.session).await?;
        let mut session = load_session(&arguments.name.session)?;
        let mut deploy = SessionDeploy { session: &mut session, spec, origin };
        let deployed = deploy_with_scratch_mends(&mut deploy, &project.layout, &[]).await?;
        match trials {
            None => Ok(None),
            Some(trials) => {
                let repeat = "partywall test {trial}";
                judge(session, project, trials, &deployed, repeat).await.map(Some)
            }
        }
    })
}
