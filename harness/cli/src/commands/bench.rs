//! `partywall bench`: one line for every budget, `NAME: measured (bar)`.

use std::collections::BTreeMap;
use std::time::Instant;

use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_core::event::Event;
use partywall_core::plan::Trial;
use partywall_offline::defect::FluxObject;
use partywall_runner::{Deploy, Deployed, Project};

use super::run::block_on;
use super::test::{judge, load_session};
use super::{bench_files, down, images, up};
use crate::args::{Bench, ImageSource, LayoutArgs, Name, Up};
use crate::failure::Failure;
use crate::project::{layout_spec, project, scenarios, selected_trials};
use crate::session_deploy::{SessionDeploy, origin_of};
use crate::{machine, paths, print};

const SESSION: &str = "partywall-bench";
/// A change of a tenant's values is what a commit usually is: a new ConfigMap, a new release.
const CHANGED_FILE: &str = "customers/customer-a/values.yaml";

/// Run `partywall bench` in a session of its own.
pub fn bench(arguments: &Bench) -> Result<Exit, Failure> {
    print::result(&format!("machine: {}", machine::describe()));
    bench_files::files()?;
    if arguments.files {
        return Ok(Exit::Holds);
    }
    bundle(arguments)?;
    let name = Name { session: SESSION.to_string() };
    down::down(&name)?;
    let measured = measure(&name);
    down::down(&name)?;
    measured
}

/// Print one line.
pub fn line(name: &str, measured: &str, bar: &str) {
    print::result(&format!("{name}: {measured} ({bar})"));
}

fn bundle(arguments: &Bench) -> Result<(), Failure> {
    let name = "bundle from nothing";
    if !arguments.bundle {
        line(name, "not measured, `bench --bundle` does", "45 min");
        return Ok(());
    }
    let scratch = tempfile::tempdir_in(paths::cache())?;
    let started = Instant::now();
    images::build(scratch.path(), &[], ImageSource::Bundle, None)?;
    line(name, &format!("{:.1} min", started.elapsed().as_secs_f64() / 60.0), "45 min");
    Ok(())
}

fn measure(name: &Name) -> Result<Exit, Failure> {
    images::build(&paths::cache(), &[], ImageSource::Bundle, None)?;
    let layout = LayoutArgs { layout: None, keys: None };
    let started = Instant::now();
    let exit = up::up(&Up {
        name: name.clone(),
        layout: layout.clone(),
        nodes: 1,
        images: ImageSource::Bundle,
        registry_mirror: None,
    })?;
    must_hold("up", exit)?;
    line("up", &seconds(started), "60 s");
    let project = project(&layout)?;
    commit(name, &project)?;
    let scenarios = scenarios(None)?;
    let all = selected_trials(Backend::Kind, &scenarios, &project.contract, None)?;
    let is_reach = |trial: &&Trial| ["reach", "isolation"].contains(&trial.topic());
    let reach: Vec<Trial> = all.iter().filter(is_reach).cloned().collect();
    // The first run makes twins and control clients; a matrix is measured on a warm session.
    run(name, &project, &reach)?;
    let (took, cells) = run(name, &project, &reach)?;
    let rate = cells as f64 / took;
    let measured = format!("{took:.1} s, {cells} cells, {rate:.0} cells a second");
    line("full live reach matrix, with canaries, controls and receipts", &measured, "10 s");
    let (took, cells) = run(name, &project, &all)?;
    line("whole conformance run on a warm session", &format!("{took:.1} s, {cells} cells"), "60 s");
    Ok(Exit::Holds)
}

fn seconds(started: Instant) -> String {
    format!("{:.1} s", started.elapsed().as_secs_f64())
}

fn commit(name: &Name, project: &Project) -> Result<(), Failure> {
    let Some(text) = project.layout.files.get(CHANGED_FILE) else { return Ok(()) };
    let changed = BTreeMap::from([(CHANGED_FILE.to_string(), format!("{text}# changed\n"))]);
    let started = Instant::now();
    let objects = deploy(name, project, &changed)?;
    let took = seconds(started);
    if let Some(object) = objects.iter().find(|object| !object.ready) {
        let name = format!("{} {}/{}", object.kind, object.namespace, object.name);
        return Err(Failure::environment(format!("{name} is not ready: {}", object.message)));
    }
    line("commit to reconciled", &format!("{took}, {} objects", objects.len()), "5 s");
    // What is measured next is the layout as it stands.
    deploy(name, project, &BTreeMap::new()).map(|_objects| ())
}

fn deploy(
    name: &Name,
    project: &Project,
    changed: &BTreeMap<String, String>,
) -> Result<Vec<FluxObject>, Failure> {
    block_on(async {
        let mut session = load_session(&name.session)?;
        let spec = layout_spec(project, None);
        let origin = origin_of(&project.directory);
        SessionDeploy { session: &mut session, spec, origin }.deploy(changed).await
    })
}

/// A number of a run that does not hold is worth nothing.
pub fn must_hold(what: &str, exit: Exit) -> Result<(), Failure> {
    match exit {
        Exit::Holds => Ok(()),
        exit => Err(Failure { message: format!("{what} does not hold: nothing to measure"), exit }),
    }
}

fn run(name: &Name, project: &Project, trials: &[Trial]) -> Result<(f64, usize), Failure> {
    let started = Instant::now();
    let outcome = block_on(async {
        let session = load_session(&name.session)?;
        let deployed = Deployed { ready: true, ..Deployed::default() };
        judge(session, project, trials, &deployed, "partywall test {trial}").await
    })?;
    must_hold("the run", outcome.exit)?;
    let cells = outcome.events.iter().filter(|event| matches!(event, Event::CellJudged(_))).count();
    Ok((started.elapsed().as_secs_f64(), cells))
}
