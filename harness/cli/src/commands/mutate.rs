//! `partywall mutate`: mutants of any layout, generated from it, and who notices each.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use partywall_core::Exit;
use partywall_core::event::{Event, MutantResult};
use partywall_core::scenario::Scenario;
use partywall_live::Session;
use partywall_offline::mutate::{Generated, Ground, generate};
use partywall_report::mutation::{self, Score};
use partywall_runner::{Bench, with_mutants};

use super::mutate_live::{Live, put_to_cluster};
use crate::args::{LiveMutants, Mutate, MutateFormat};
use crate::failure::Failure;
use crate::offline::{BACKEND, Opened, folder, open_at, rendering};
use crate::project::{scenarios, selected_trials};
use crate::{leaks, paths, print, reports};

/// Progress is told every so many mutants.
const TOLD_EVERY: usize = 25;

/// Run `partywall mutate`.
pub fn mutate(arguments: &Mutate) -> Result<Exit, Failure> {
    let started = Instant::now();
    let directory = folder(&arguments.files)?;
    let rendering = rendering(arguments.files.entry.clone(), !arguments.files.no_cache)?;
    let opened = open_at(&directory, None, arguments.files.keys.as_deref(), &rendering)?;
    let mutants = selected(arguments, &opened)?;
    if arguments.list {
        list(arguments, &opened, &mutants);
        return Ok(Exit::Holds);
    }
    let live = live(arguments)?;
    reports::remove(&arguments.reports)?;
    let scenarios = scenarios(arguments.scenarios.as_deref())?;
    let trials = selected_trials(BACKEND, &scenarios, &opened.files.project.contract, None)?;
    let bench = Bench {
        files: &opened.files,
        judgeable: &opened.judgeable,
        keys: &opened.keys,
        trials: &trials,
        rendering: &rendering,
    };
    let unmutated = bench.unmutated()?;
    let done = AtomicUsize::new(0);
    let told = |_: &MutantResult| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(TOLD_EVERY) {
            print::note(&format!("{done} of {} mutants put to the files", mutants.len()));
        }
    };
    let mut results = bench.judge(&unmutated, &mutants, &told);
    let elapsed = started.elapsed().as_secs_f64();
    print::note(&format!("{} mutants put to the files in {elapsed:.1} s", mutants.len()));
    let run = &unmutated.outcome.events;
    let mut exit = Exit::Holds;
    if live != LiveMutants::None {
        // What is known so far is kept, should the cluster's part not come to its end.
        reports::write(&arguments.reports, &with_mutants(run, &results))?;
        let cluster = Live { arguments, base: &directory, which: live, scenarios: &scenarios };
        let put = put_to_cluster(&cluster, &mutants, &mut results);
        if put.is_err() {
            // Also what a run that was cut off wrote is searched; why it was comes first.
            let _clean = clean(arguments, &opened);
        }
        exit = put?;
    }
    conclude(arguments, &opened, run, &results).map(|concluded| exit.and(concluded))
}

/// The mutants that are asked for.
fn selected(arguments: &Mutate, opened: &Opened) -> Result<Vec<Generated>, Failure> {
    let project = &opened.files.project;
    let ground = Ground {
        layout: &project.layout,
        rendered: &opened.judgeable.rendered,
        contract: &project.contract,
        keys: &opened.keys,
    };
    let mut mutants = generate(&ground);
    if let Some(wanted) = &arguments.operator {
        mutants.retain(|mutant| mutant.name.contains(wanted));
    }
    if mutants.is_empty() {
        return Err(Failure::usage(
            "no mutant can be made so\nhint: `partywall mutate --list` lists them",
        ));
    }
    Ok(mutants)
}

fn list(arguments: &Mutate, opened: &Opened, mutants: &[Generated]) {
    if arguments.format == MutateFormat::Json {
        let entry = |mutant: &Generated| {
            serde_json::json!({
                "name": mutant.name,
                "operator": mutant.operator.name,
                "breaks": mutant.operator.breaks,
                "change": mutant.change,
                "location": mutant.location,
                "patch": mutant.diff(&opened.files.project.layout),
            })
        };
        let all: Vec<_> = mutants.iter().map(entry).collect();
        print::result(&serde_json::Value::from(all).to_string());
        return;
    }
    for mutant in mutants {
        let made = match &mutant.files {
            Ok(_) => &mutant.change,
            Err(why) => why,
        };
        print::result(&format!("{}\n    {}: {made}", mutant.name, mutant.location));
        if arguments.verbose {
            print::result(&mutant.diff(&opened.files.project.layout));
        }
    }
    print::note(&format!("{} mutants", mutants.len()));
}

/// What the cluster is asked: as told, or the covering set where there is a session.
fn live(arguments: &Mutate) -> Result<LiveMutants, Failure> {
    let has_session = Session::exists(&paths::state(), &arguments.name.session);
    match (arguments.offline, arguments.live) {
        (true, _) => Ok(LiveMutants::None),
        (false, Some(which)) if which != LiveMutants::None && !has_session => {
            super::test::load_session(&arguments.name.session).map(|_session| which)
        }
        (false, Some(which)) => Ok(which),
        (false, None) if has_session => Ok(LiveMutants::Covering),
        (false, None) => {
            print::note("there is no session: only the files are asked");
            Ok(LiveMutants::None)
        }
    }
}

/// Whether the reports are free of the session's secret values, where there is one.
fn clean(arguments: &Mutate, opened: &Opened) -> Result<Exit, Failure> {
    let session = &arguments.name.session;
    if !Session::exists(&paths::state(), session) {
        return Ok(Exit::Holds);
    }
    leaks::clean(session, &opened.files.project.contract, std::slice::from_ref(&arguments.reports))
}

fn conclude(
    arguments: &Mutate,
    opened: &Opened,
    run: &[Event],
    results: &[MutantResult],
) -> Result<Exit, Failure> {
    let events = with_mutants(run, results);
    reports::write(&arguments.reports, &events)?;
    let text = match arguments.format {
        MutateFormat::Console => mutation::text(&events, &reports::console_options()),
        MutateFormat::Json => mutation::json(&events).map_err(Failure::environment)?,
        MutateFormat::Markdown => mutation::markdown(&events),
    };
    print::result(&text);
    print::note(&format!("reports: {}", arguments.reports.display()));
    Ok(Score::of(&events).exit().and(clean(arguments, opened)?))
}

/// The trials' topics: `isolation` of `isolation/other-tenants`.
pub(super) fn topic(scenario: &str) -> &str {
    scenario.split('/').next().unwrap_or_default()
}

/// A folder for the events of one mutant's run on the cluster.
pub(super) fn live_folder(reports: &Path, name: &str) -> PathBuf {
    reports.join("live").join(name.replace('/', "."))
}

/// Whether any of these scenarios has such a topic.
pub(super) fn has_topic(scenarios: &[Scenario], wanted: &str) -> bool {
    scenarios.iter().any(|scenario| topic(&scenario.path) == wanted)
}

#[cfg(test)]
#[path = "mutate_tests.rs"]
mod tests;
