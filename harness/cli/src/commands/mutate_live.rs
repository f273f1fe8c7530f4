//! Mutants on the session's cluster, through Git.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_core::event::{Event, Fate, MutantResult};
use partywall_core::plan::Trial;
use partywall_core::scenario::Scenario;
use partywall_offline::defect::{DECRYPTION_FAILED, MISSING_RIGHTS, NOT_READY};
use partywall_offline::mutant::copy;
use partywall_offline::mutate::{Generated, Witness, covering, fate, reds};
use partywall_runner::{Project, load_project};

use super::block_on;
use super::mutate::{has_topic, live_folder, topic};
use crate::args::{LiveMutants, Mutate};
use crate::failure::Failure;
use crate::mutation::Home;
use crate::project::selected_trials;
use crate::{print, reports};

/// What Flux itself says of a layout that it cannot apply.
const BY_FLUX: [&str; 3] = [MISSING_RIGHTS, DECRYPTION_FAILED, NOT_READY];
/// Asked where only Flux is to say something: a run needs some trial.
const ANY_TOPIC: &str = "secrets";

/// The cluster's part of a run.
pub struct Live<'a> {
    /// What was asked for.
    pub arguments: &'a Mutate,
    /// The layout's folder.
    pub base: &'a Path,
    /// Which mutants.
    pub which: LiveMutants,
    /// What is asked.
    pub scenarios: &'a [Scenario],
}

impl Live<'_> {
    fn home(&self) -> Home<'_> {
        Home {
            session: &self.arguments.name.session,
            base: self.base,
            keys: self.arguments.files.keys.as_deref(),
        }
    }

    fn trials(&self, project: &Project, topics: &BTreeSet<&str>) -> Result<Vec<Trial>, Failure> {
        let contract = &project.contract;
        let mut trials = selected_trials(Backend::Kind, self.scenarios, contract, None)?;
        trials.retain(|trial| topics.contains(trial.topic()));
        Ok(trials)
    }

    /// The topics whose scenarios can see a mutant: those that saw it in the files; where none
    /// did, all that its operator names.
    fn topics<'a>(&self, mutant: &Generated, result: &'a MutantResult) -> BTreeSet<&'a str> {
        let mut topics = BTreeSet::new();
        if let Fate::Killed { by, also, trial: Some(_), .. } = &result.offline {
            topics.extend(
                [by].into_iter().chain(also).filter(|by| by.contains('/')).map(|by| topic(by)),
            );
        }
        if topics.is_empty() {
            for killer in mutant.operator.killers {
                if let Witness::Scenario(path) = killer.witness
                    && has_topic(self.scenarios, topic(path))
                {
                    topics.insert(topic(path));
                }
            }
        }
        if topics.is_empty() {
            topics.insert(ANY_TOPIC);
        }
        topics
    }
}

/// Put the chosen mutants to the cluster, and the layout back.
pub fn put_to_cluster(
    live: &Live<'_>,
    mutants: &[Generated],
    results: &mut [MutantResult],
) -> Result<Exit, Failure> {
    let chosen = chosen(live.which, mutants, results);
    for (index, result) in results.iter_mut().enumerate() {
        let reason = if chosen.contains(&index) {
            "the run did not get to it".to_string()
        } else {
            not_asked(&mutants[index], result)
        };
        result.live = Fate::NotRun { reason };
    }
    if chosen.is_empty() {
        print::note("no mutant is one that a cluster can tell anything of");
        return Ok(Exit::Holds);
    }
    let project = load_project(live.base)?;
    let home = live.home();
    print::note(&format!("{} mutants are put to session `{}`", chosen.len(), home.session));
    let pairs = chosen.iter().map(|index| live.topics(&mutants[*index], &results[*index]));
    let topics: BTreeSet<String> = pairs.flatten().map(str::to_string).collect();
    let topics = topics.iter().map(String::as_str).collect();
    let mut exit = Exit::Holds;
    let work = async {
        let trials = live.trials(&project, &topics)?;
        let before = home.judged_as_written(&project, &trials).await?;
        for (count, index) in chosen.iter().enumerate() {
            let (mutant, result) = (&mutants[*index], &mut results[*index]);
            let judged = one(live, mutant, result, &before.events).await;
            result.live = judged.unwrap_or_else(|failure| {
                exit = exit.and(failure.exit);
                Fate::NotRun { reason: failure.message }
            });
            let (count, all) = (count + 1, chosen.len());
            print::note(&format!("{count} of {all}: {} {}", result.live.word(), mutant.name));
        }
        Ok(())
    };
    home.restoring(|| block_on(work))?;
    Ok(exit)
}

/// The mutants that the cluster is asked about.
fn chosen(which: LiveMutants, mutants: &[Generated], results: &[MutantResult]) -> Vec<usize> {
    let can_run = |index: usize| can_be_seen(&mutants[index], &results[index]);
    match which {
        LiveMutants::None => Vec::new(),
        LiveMutants::All => (0..results.len()).filter(|index| can_run(*index)).collect(),
        LiveMutants::Covering => {
            let unseen = |result: &MutantResult| {
                let mut of_it = mutants.iter().filter(|mutant| mutant.name == result.name);
                of_it.any(|mutant| mutant.operator.unseen_by_clusters().is_some())
            };
            let by_scenario = |result: &MutantResult| {
                matches!(&result.offline, Fate::Killed { trial: Some(_), .. }) && !unseen(result)
            };
            let mut chosen = covering(results, by_scenario);
            // Operators that no scenario of the files sees: one mutant each, if a cluster may.
            let mut shown: BTreeSet<&str> =
                chosen.iter().map(|index| mutants[*index].operator.name).collect();
            for (index, mutant) in mutants.iter().enumerate() {
                if can_run(index) && shown.insert(mutant.operator.name) {
                    chosen.push(index);
                }
            }
            chosen
        }
    }
}

/// Whether anything on a cluster could tell: packets, or Flux itself.
fn can_be_seen(mutant: &Generated, result: &MutantResult) -> bool {
    if mutant.operator.unseen_by_clusters().is_some() {
        return false;
    }
    let by_scenario = || {
        let mut killers = mutant.operator.killers.iter();
        killers.any(|killer| matches!(killer.witness, Witness::Scenario(_)))
    };
    match &result.offline {
        Fate::Killed { trial: Some(_), .. } => true,
        Fate::Killed { .. } => says_flux(mutant),
        Fate::Survived { .. } => by_scenario() || says_flux(mutant),
        Fate::NotRun { .. } => mutant.files.is_ok() && says_flux(mutant),
        Fate::Equivalent { .. } => false,
    }
}

fn says_flux(mutant: &Generated) -> bool {
    let mut killers = mutant.operator.killers.iter();
    killers.any(|killer| matches!(killer.witness, Witness::Defect(name) if BY_FLUX.contains(&name)))
}

fn not_asked(mutant: &Generated, result: &MutantResult) -> String {
    if let Some(reason) = mutant.operator.unseen_by_clusters() {
        return reason.to_string();
    }
    match &result.offline {
        Fate::Equivalent { .. } => "it changes nothing".to_string(),
        Fate::NotRun { reason } if mutant.files.is_err() || !says_flux(mutant) => reason.clone(),
        Fate::Killed { by, trial: None, .. } if !says_flux(mutant) => {
            format!("only the files tell it: {by}")
        }
        _ => "others show the same operator and scenarios".to_string(),
    }
}

/// One mutant, deployed through Git and judged.
async fn one(
    live: &Live<'_>,
    mutant: &Generated,
    result: &MutantResult,
    before: &[Event],
) -> Result<Fate, Failure> {
    let scratch = tempfile::tempdir()?;
    let tree = scratch.path().join("layout");
    write(mutant, live.base, &tree)?;
    let project = load_project(&tree)?;
    let trials = live.trials(&project, &live.topics(mutant, result))?;
    let outcome = live.home().judged(&project, &trials).await?;
    reports::write(&live_folder(&live.arguments.reports, &mutant.name), &outcome.events)?;
    Ok(fate(mutant, &reds(before, &outcome.events)))
}

/// A copy of the layout with the change made.
fn write(mutant: &Generated, base: &Path, tree: &Path) -> Result<(), Failure> {
    copy(base, tree).map_err(Failure::usage)?;
    let files = mutant.files.as_ref().map_err(Failure::usage)?;
    for (file, text) in files {
        let path = tree.join(file);
        match text {
            Some(text) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(&path, text)?;
            }
            None => fs::remove_file(&path)?,
        }
    }
    Ok(())
}
