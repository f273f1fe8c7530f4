//! `partywall watch`: experiments under the exposure meter.

use std::path::PathBuf;

use clap::ValueEnum;
use partywall_core::Exit;
use partywall_live::watch::Site;
use partywall_live::{LayoutSpec, Session};
use partywall_report::exposure;
use partywall_runner::{Project, deploy_with_scratch_mends};

use super::run::interrupted;
use super::test::load_session;
use crate::args::{LayoutArgs, Name, Watch};
use crate::bundle::session_images;
use crate::failure::Failure;
use crate::project::{layout_spec, project};
use crate::session_deploy::{SessionDeploy, holds, is_reconciled, origin_of, turn};
use crate::watch::{Act, Outcome, Request, Scene, Trial, restore, run, surprises};
use crate::{leaks, offline, print, reports};

const INTERRUPTED: &str = "interrupted; the layout was put back";

/// Run `partywall watch`.
pub fn watch(arguments: &Watch) -> Result<Exit, Failure> {
    if arguments.list {
        let lines = Trial::value_variants().iter();
        let lines = lines.map(|trial| format!("{:<26} {}", trial.name(), trial.summary()));
        print::result(&lines.collect::<Vec<_>>().join("\n"));
        return Ok(Exit::Holds);
    }
    let scene = scene(arguments, project(&arguments.layout)?)?;
    let outcome = watched(arguments, &scene)?;
    let leaks = outcome.leaks.unwrap_or(Exit::Undetermined);
    Ok(outcome.exit.unwrap_or(Exit::Undetermined).and(leaks))
}

/// Does every experiment that is asked for, writes and prints what came of it.
fn watched(arguments: &Watch, scene: &Scene) -> Result<Outcome, Failure> {
    let request = Request {
        acts: match (&arguments.command, arguments.experiments.as_slice()) {
            (Some(command), _) => vec![Act::Command(command.clone())],
            (None, []) => Trial::value_variants().iter().copied().map(Act::Trial).collect(),
            (None, named) => named.iter().copied().map(Act::Trial).collect(),
        },
        per_second: arguments.rate,
        repeat: arguments.repeat as usize,
    };
    reports::remove(&arguments.reports)?;
    let mut outcome = Outcome::default();
    let done = watch_and_restore(arguments, &request, scene, &mut outcome);
    reports::write_events(&arguments.reports, &outcome.events)?;
    print::result(&exposure::text(&outcome.events, &reports::console_options()));
    print::note(&format!("events: {}", arguments.reports.display()));
    // Also what an experiment that was cut off wrote is searched, and remembered.
    let own = [arguments.reports.clone()];
    let clean = leaks::clean(&arguments.name.session, &scene.project.contract, &own);
    done?;
    outcome.leaks = Some(clean?);
    Ok(outcome)
}

fn scene(arguments: &Watch, project: Project) -> Result<Scene, Failure> {
    let rendering = offline::rendering(None, true)?;
    let keys = arguments.layout.keys.as_deref();
    let opened = offline::open_at(&project.directory, None, keys, &rendering)?;
    let tenants: Vec<&str> =
        project.contract.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    let subject = match &arguments.tenant {
        Some(name) if tenants.contains(&name.as_str()) => name.clone(),
        Some(name) => {
            let known = tenants.join(", ");
            return Err(Failure::usage(format!("`{name}` is no tenant\nhint: there are {known}")));
        }
        None => tenants.first().map(ToString::to_string).unwrap_or_default(),
    };
    let (rendered, findings) = (opened.judgeable.rendered, opened.judgeable.findings);
    Ok(Scene { project, rendered, findings, subject })
}

/// Experiments as a phase of a longer run. It holds where the cluster showed what is known
/// beforehand: a tenant without policies is open for a while and closed again, and one that is
/// born is open if the files say that its workloads come before its policies, and not otherwise.
pub fn watch_phase(
    name: &Name,
    layout: Option<PathBuf>,
    experiments: &[Trial],
    reports: PathBuf,
) -> Result<Exit, Failure> {
    let arguments = Watch {
        experiments: experiments.to_vec(),
        name: name.clone(),
        layout: LayoutArgs { layout, keys: None },
        tenant: None,
        rate: 50,
        repeat: 1,
        command: None,
        list: false,
        reports,
    };
    let scene = scene(&arguments, project(&arguments.layout)?)?;
    let outcome = watched(&arguments, &scene)?;
    if outcome.is_undetermined || outcome.events.is_empty() {
        return Ok(Exit::Undetermined);
    }
    let wrong = scene.wrong_order();
    let surprises = surprises(&outcome.events, wrong.as_ref());
    for surprise in &surprises {
        print::note(surprise);
    }
    let exit = if surprises.is_empty() { Exit::Holds } else { Exit::Violated };
    Ok(exit.and(outcome.leaks.unwrap_or(Exit::Undetermined)))
}

/// Every experiment, then the layout as it was: also after a failure or an interrupt.
fn watch_and_restore(
    arguments: &Watch,
    request: &Request,
    scene: &Scene,
    outcome: &mut Outcome,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let _turn = turn(&arguments.name.session).await?;
        let mut session = load_session(&arguments.name.session)?;
        let mut spec = layout_spec(&scene.project, arguments.layout.keys.as_deref());
        spec.images = session_images(&session.bundle.components)?;
        deploy(&mut session, scene, &spec).await?;
        let mut site = Site::attach(session, spec).await.map_err(Failure::environment)?;
        let watched = tokio::select! {
            watched = run(request, &mut site, scene, outcome) => watched,
            () = interrupted() => Err(Failure::environment(INTERRUPTED)),
        };
        if is_reconciled(site.session()) {
            return watched;
        }
        print::note("putting the layout back");
        match (watched, restore(&mut site).await) {
            (watched, Ok(())) => watched,
            (Ok(()), failed) => failed,
            (Err(first), Err(second)) => {
                Err(Failure { message: format!("{first}\nand then: {second}"), ..first })
            }
        }
    })
}

/// Push and reconcile the layout, unless the session already holds exactly this one.
async fn deploy(session: &mut Session, scene: &Scene, spec: &LayoutSpec) -> Result<(), Failure> {
    if holds(session, spec)? {
        return Ok(());
    }
    print::note(&format!("deploying {} through Git", scene.project.directory.display()));
    let origin = origin_of(&scene.project.directory);
    let mut deploy = SessionDeploy { session, spec: spec.clone(), origin };
    let deployed = deploy_with_scratch_mends(&mut deploy, &scene.project.layout, &[]).await?;
    match deployed.ready && deployed.mended.is_empty() {
        true => Ok(()),
        false => Err(Failure::environment(
            "the layout does not become ready, so nothing can be watched in it\nhint: `partywall \
             test` names its defects",
        )),
    }
}
