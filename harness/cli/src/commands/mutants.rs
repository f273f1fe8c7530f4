//! `partywall mutants`: every claim can go red, shown on the live cluster through Git.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_core::event::{CellResult, Event};
use partywall_core::plan::Trial;
use partywall_offline::mutant::{Mutant, apply};
use partywall_report::{account, agreement};
use partywall_runner::{RunOutcome, load_project};

use super::agree::Arbiter;
use super::run::block_on;
use super::test::load_session;
use crate::args::Mutants;
use crate::failure::Failure;
use crate::mutation::Home;
use crate::project::{scenarios, selected_trials};
use crate::{leaks, paths, print, reports};

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
    let nodes = load_session(&arguments.name.session)?.nodes;
    let selected = asked(selected, nodes, arguments.one_each);
    if selected.is_empty() {
        return Ok(Exit::Undetermined);
    }
    let arbiter = Arbiter::new(None)?;
    // The layout that is put back is the one that the first was made of.
    let base = selected.first().map(Mutant::layout_dir).unwrap_or_default();
    let survivors = home(arguments, &base).restoring(|| {
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
        Ok(survivors)
    })?;
    let folders: Vec<PathBuf> =
        selected.iter().map(|mutant| arguments.reports.join(&mutant.name)).collect();
    let contract = load_project(&base)?.contract;
    let own = leaks::clean(&arguments.name.session, &contract, &folders)?;
    let killed = selected.len() - survivors;
    print::result(&format!("{killed} of {} mutants killed", selected.len()));
    let exit = if survivors == 0 { Exit::Holds } else { Exit::Violated };
    Ok(exit.and(own))
}

/// Those that this session is asked about; the others are named with the reason.
fn asked(selected: Vec<Mutant>, nodes: u8, one_each: bool) -> Vec<Mutant> {
    let shown = one_each.then(|| first_of_each(&selected));
    let reason = |mutant: &Mutant| {
        if mutant.expect.only_files {
            return Some("the files alone can tell".to_string());
        }
        if mutant.expect.nodes > nodes {
            return Some(format!("it takes {} nodes", mutant.expect.nodes));
        }
        let is_shown = shown.as_ref().is_none_or(|shown| shown.contains(&mutant.name));
        (!is_shown).then(|| "another one shows the same scenario".to_string())
    };
    let keep = |mutant: &Mutant| match reason(mutant) {
        Some(reason) => {
            print::result(&format!("not asked {:<34} {reason}", mutant.name));
            false
        }
        None => true,
    };
    selected.into_iter().filter(keep).collect()
}

/// For each scenario the first mutant that turns it red; of the layout that most are made of,
/// where there is such a one, since to bring another takes as long as to judge it.
fn first_of_each(mutants: &[Mutant]) -> BTreeSet<String> {
    let usual = mutants.first().map(|mutant| mutant.layout.as_str()).unwrap_or_default();
    let mut live: Vec<&Mutant> = mutants
        .iter()
        .filter(|mutant| !mutant.expect.only_files && mutant.expect.nodes <= 1)
        .collect();
    live.sort_by_key(|mutant| mutant.layout != usual);
    let mut shown = BTreeSet::new();
    let first = live.into_iter().filter(|mutant| shown.insert(scenario_of(mutant)));
    first.map(|mutant| mutant.name.clone()).collect()
}

/// `isolation::other_tenants` of a trial's name.
fn scenario_of(mutant: &Mutant) -> Vec<String> {
    let trial = mutant.expect.trial.as_str();
    trial.split("::").take(2).map(str::to_string).collect()
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
    let scenarios = scenarios(None)?;
    let mut trials = selected_trials(Backend::Kind, &scenarios, &project.contract, None)?;
    trials.retain(|trial| is_asked(trial, mutant));
    let outcome = block_on(home(arguments, &base).judged(&project, &trials))?;
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

fn home<'a>(arguments: &'a Mutants, base: &'a Path) -> Home<'a> {
    Home { session: &arguments.name.session, base, keys: None }
}

/// A question is a topic, or one scenario of it.
fn is_asked(trial: &Trial, mutant: &Mutant) -> bool {
    let path = trial.name.split_once("::").map_or(trial.name.as_str(), |(_, path)| path);
    let rest = path.strip_prefix(mutant.expect.question.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
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
