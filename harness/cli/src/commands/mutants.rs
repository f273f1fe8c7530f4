//! `partywall mutants`: every claim can go red, shown on the live cluster through Git.

use std::path::{Path, PathBuf};

use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_core::event::{CellResult, Event};
use partywall_core::plan::Trial;
use partywall_live::{LayoutSpec, RepositorySpec};
use partywall_offline::mutant::{Mutant, apply};
use partywall_report::{account, agreement};
use partywall_runner::{Project, RunOutcome, deploy_with_scratch_mends, load_project};

use super::agree::Arbiter;
use super::run::block_on;
use super::test::{judge, load_session};
use crate::args::Mutants;
use crate::failure::Failure;
use crate::project::{layout_spec, scenarios, selected_trials};
use crate::session_deploy::{SessionDeploy, origin_of, turn};
use crate::{paths, print, reports};

/// The folder of mutants.
pub const MUTANTS: &str = "fixtures/mutants";

/// Run `partywall mutants`: exit 0 when each was killed by the trial that it names.
pub fn mutants(arguments: &Mutants) -> Result<Exit, Failure> {
    let folder = arguments.mutants.clone().unwrap_or_else(|| paths::root().join(MUTANTS));
    let all = Mutant::load_all(&folder).map_err(Failure::usage)?;
    let fits = |mutant: &Mutant| {
        arguments.filter.as_ref().is_none_or(|filter| mutant.name.contains(filter))
    };
    let selected: Vec<Mutant> = all.into_iter().filter(fits).collect();
    if selected.is_empty() {
        return Err(Failure::usage(format!("no mutant in {} is named so", folder.display())));
    }
    load_session(&arguments.name.session)?;
    let arbiter = Arbiter::new(None)?;
    let mut survivors = 0;
    for mutant in &selected {
        match kill(arguments, &arbiter, mutant)? {
            Ok(how) => print::result(&format!("killed    {:<34} {how}", mutant.name)),
            Err(why) => {
                survivors += 1;
                print::result(&format!("SURVIVED  {:<34} {why}", mutant.name));
            }
        }
    }
    restore(arguments, &selected)?;
    let killed = selected.len() - survivors;
    print::result(&format!("{killed} of {} mutants killed", selected.len()));
    Ok(if survivors == 0 { Exit::Holds } else { Exit::Violated })
}

/// Apply one mutant, run the trials of its question, and say whether the named one went red
/// for the named reason, and whether the files alone say the same of every square.
fn kill(
    arguments: &Mutants,
    arbiter: &Arbiter,
    mutant: &Mutant,
) -> Result<Result<String, String>, Failure> {
    let scratch = tempfile::tempdir()?;
    let tree = scratch.path().join("layout");
    let base = mutant.layout_dir();
    apply(mutant, &base, &tree).map_err(Failure::usage)?;
    let project = load_project(&tree)?;
    let spec = spec_at(&project, &base);
    let outcome = run(arguments, &project, spec, origin_of(&base), mutant)?;
    reports::write(&arguments.reports.join(&mutant.name), &outcome.events)?;
    let killed = verdict(mutant, &outcome);
    let base = base.canonicalize()?;
    let agreement = arbiter.compare(&project, &base, |trial| is_asked(trial, mutant), &outcome)?;
    Ok(match killed {
        Ok(how) if agreement.is_agreed() => {
            Ok(format!("{how}; the files say the same of {} squares", agreement.both))
        }
        Ok(_) => {
            print::result(&agreement::text(&agreement, &reports::console_options()));
            Err("the files and the cluster disagree".to_string())
        }
        survived => survived,
    })
}

/// A scratch copy's layout, with the repositories and keys of the original.
pub fn spec_at(project: &Project, base: &Path) -> LayoutSpec {
    let original = Project { directory: base.to_path_buf(), ..project.clone() };
    let mut spec = layout_spec(&original, None);
    let absolute = |repository: &RepositorySpec| RepositorySpec {
        url: repository.url.clone(),
        path: match repository.path.as_str() {
            "." => ".".to_string(),
            path => base.join(path).display().to_string(),
        },
    };
    spec.repositories = spec.repositories.iter().map(absolute).collect();
    spec.directory.clone_from(&project.directory);
    spec
}

fn run(
    arguments: &Mutants,
    project: &Project,
    spec: LayoutSpec,
    origin: String,
    mutant: &Mutant,
) -> Result<RunOutcome, Failure> {
    let scenarios = scenarios(None)?;
    let mut trials = selected_trials(Backend::Kind, &scenarios, &project.contract, None)?;
    trials.retain(|trial| is_asked(trial, mutant));
    block_on(async {
        let _turn = turn(&arguments.name.session).await?;
        let mut session = load_session(&arguments.name.session)?;
        let mut deploy = SessionDeploy { session: &mut session, spec, origin };
        let deployed = deploy_with_scratch_mends(&mut deploy, &project.layout, &[]).await?;
        judge(session, project, &trials, &deployed, "partywall test {trial}").await
    })
}

fn is_asked(trial: &Trial, mutant: &Mutant) -> bool {
    trial.topic() == mutant.expect.question
}

/// `Ok` with how it was killed, `Err` with why it survived: the trial that the mutant names must
/// be red in every cell that it names, for the reason that it names.
fn verdict(mutant: &Mutant, outcome: &RunOutcome) -> Result<String, String> {
    let expect = &mutant.expect;
    if let Err(error) = account(&outcome.events) {
        return Err(format!("the run does not add up: {error}"));
    }
    let word = if expect.exit == Exit::Undetermined.code() { "undetermined" } else { "violated" };
    if outcome.exit.code() != expect.exit {
        return Err(format!("the run exited {}, expected {}", outcome.exit.code(), expect.exit));
    }
    let cells = outcome.events.iter().filter_map(|event| match event {
        Event::CellJudged(cell) => Some(cell),
        _ => None,
    });
    let red: Vec<&CellResult> = cells
        .filter(|cell| cell.trial.contains(&expect.trial))
        .filter(|cell| cell.verdict.word() == word)
        .filter(|cell| cell.verdict.reason().contains(&expect.reason))
        .collect();
    let Some(first) = red.first() else {
        return Err(format!("no cell of `{}` is {word} with `{}`", expect.trial, expect.reason));
    };
    let text = |cell: &CellResult| format!("{} -> {}", cell.row, cell.to);
    let missing = expect
        .cells
        .iter()
        .find(|wanted| !red.iter().any(|cell| text(cell).contains(wanted.as_str())));
    match missing {
        Some(wanted) => Err(format!("no cell `{wanted}` is {word} with `{}`", expect.reason)),
        None => Ok(first.verdict.reason().to_string()),
    }
}

/// Put the layout back that the mutants were made of.
fn restore(arguments: &Mutants, mutants: &[Mutant]) -> Result<(), Failure> {
    let Some(base) = mutants.first().map(Mutant::layout_dir) else { return Ok(()) };
    let base: PathBuf = base;
    let project = load_project(&base)?;
    let spec = layout_spec(&project, None);
    let origin = origin_of(&base);
    block_on(async {
        let _turn = turn(&arguments.name.session).await?;
        let mut session = load_session(&arguments.name.session)?;
        let mut deploy = SessionDeploy { session: &mut session, spec, origin };
        let deployed = deploy_with_scratch_mends(&mut deploy, &project.layout, &[]).await?;
        match deployed.ready {
            true => Ok(()),
            false => Err(Failure::environment("the original layout does not become ready again")),
        }
    })
}
