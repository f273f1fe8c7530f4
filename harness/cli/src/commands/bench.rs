//! `partywall bench`: one line for every budget, `NAME: measured (bar)`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_core::event::Event;
use partywall_core::plan::Trial;
use partywall_live::LayoutSpec;
use partywall_offline::defect::FluxObject;
use partywall_runner::{Deploy, Deployed, Project};

use super::run::block_on;
use super::test::{judge, load_session};
use super::{bench_files, bench_scale, down, images, up};
use crate::args::{Bench, ImageSource, IpFamilyChoice, LayoutArgs, Name, Up};
use crate::failure::Failure;
use crate::project::{layout_spec, project, scenarios, selected_trials};
use crate::session_deploy::{SessionDeploy, origin_of};
use crate::{machine, paths, print, reports};

const SESSION: &str = "partywall-bench";
/// A change of a tenant's values is what a commit usually is: a new ConfigMap, a new release.
const CHANGED_FILE: &str = "customers/customer-a/values.yaml";

/// Run `partywall bench` in a session of its own.
pub fn bench(arguments: &Bench) -> Result<Exit, Failure> {
    if let Some(folder) = &arguments.write {
        return bench_scale::write(folder, arguments.tenants);
    }
    print::result(&format!("machine: {}", machine::describe()));
    bench_files::files()?;
    if arguments.files {
        return Ok(Exit::Holds);
    }
    bundle(arguments)?;
    let name = Name { session: SESSION.to_string() };
    down::down(&name)?;
    let measured = measure(&name, arguments.tenants);
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

fn measure(name: &Name, tenants: usize) -> Result<Exit, Failure> {
    images::build(&paths::cache(), &[], ImageSource::Bundle, None)?;
    let layout = LayoutArgs { layout: None, keys: None };
    let started = Instant::now();
    let exit = up::up(&Up {
        name: name.clone(),
        layout: layout.clone(),
        nodes: 1,
        ip_family: IpFamilyChoice::Ipv4,
        images: ImageSource::Bundle,
        registry_mirror: None,
    })?;
    must_hold("up", exit)?;
    line("up", &seconds(started), "60 s");
    let project = project(&layout)?;
    commit(name, &project)?;
    let scenarios = scenarios(None)?;
    let all = selected_trials(Backend::Kind, &scenarios, &project.contract, None)?;
    let matrix = matrix(name, &project, "10 s")?;
    let whole = run(name, &project, &all)?;
    let measured = format!("{:.1} s, {} cells", whole.took, whole.cells);
    line("whole conformance run on a warm session", &measured, "60 s");
    bench_scale::measure(name, &project, &matrix, tenants)
}

/// The whole reach matrix of a layout that a session holds, and its line.
pub fn matrix(name: &Name, project: &Project, bar: &str) -> Result<Matrix, Failure> {
    let all = selected_trials(Backend::Kind, &scenarios(None)?, &project.contract, None)?;
    let is_reach = |trial: &Trial| ["reach", "isolation"].contains(&trial.topic());
    let trials: Vec<Trial> = all.into_iter().filter(is_reach).collect();
    // The first run makes twins and control clients; a matrix is measured on a warm session.
    run(name, project, &trials)?;
    let matrix = run(name, project, &trials)?;
    let Matrix { took, cells, probes } = matrix;
    let rate = probes as f64 / took;
    let measured =
        format!("{took:.1} s, {cells} cells, {probes} probes, {rate:.0} probes a second");
    let tenants = project.contract.tenants.len();
    line(
        &format!("live reach matrix of {tenants} tenants, canaries and receipts included"),
        &measured,
        bar,
    );
    Ok(matrix)
}

/// What one run of a matrix took.
#[derive(Clone, Copy, Debug)]
pub struct Matrix {
    /// Seconds from attaching to the session to the last verdict.
    pub took: f64,
    /// Squares.
    pub cells: usize,
    /// Probes, controls included.
    pub probes: usize,
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

/// Push a layout into the session and wait for it.
pub fn deploy_layout(
    name: &Name,
    project: &Project,
    keys: &Path,
) -> Result<Vec<FluxObject>, Failure> {
    let spec = layout_spec(project, Some(keys));
    deploy_spec(name, project, spec, &BTreeMap::new())
}

fn deploy(
    name: &Name,
    project: &Project,
    changed: &BTreeMap<String, String>,
) -> Result<Vec<FluxObject>, Failure> {
    deploy_spec(name, project, layout_spec(project, None), changed)
}

fn deploy_spec(
    name: &Name,
    project: &Project,
    spec: LayoutSpec,
    changed: &BTreeMap<String, String>,
) -> Result<Vec<FluxObject>, Failure> {
    block_on(async {
        let mut session = load_session(&name.session)?;
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

fn run(name: &Name, project: &Project, trials: &[Trial]) -> Result<Matrix, Failure> {
    let started = Instant::now();
    let outcome = block_on(async {
        let session = load_session(&name.session)?;
        let deployed = Deployed { ready: true, ..Deployed::default() };
        judge(session, project, trials, &deployed, "partywall test {trial}").await
    })?;
    if outcome.exit != Exit::Holds {
        print::note(&reports::console(&outcome.events));
    }
    must_hold("the run", outcome.exit)?;
    let took = started.elapsed().as_secs_f64();
    let ended = outcome.events.iter().find_map(|event| match event {
        Event::RunFinished { probes, cells, .. } => Some((*probes, *cells)),
        _ => None,
    });
    let (probes, cells) = ended.unwrap_or_default();
    Ok(Matrix { took, cells, probes })
}
