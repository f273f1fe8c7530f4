//! `partywall test`: deploy the layout if it is not the one the session holds, judge, report.

use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_core::event::Event;
use partywall_core::plan::Trial;
use partywall_live::{LiveCluster, Session};
use partywall_runner::{Deployed, Project, Run, RunOutcome, deploy_with_scratch_mends, execute};

use super::run::block_on;
use crate::args::Test;
use crate::failure::Failure;
use crate::project::{layout_spec, project, scenarios, selected_trials};
use crate::session_deploy::{SessionDeploy, holds, origin_of, turn};
use crate::{leaks, paths, print, reports};

/// Run `partywall test`.
pub fn test(arguments: &Test) -> Result<Exit, Failure> {
    let project = project(&arguments.layout)?;
    let scenarios = scenarios(arguments.scenarios.as_deref())?;
    let trials =
        selected_trials(Backend::Kind, &scenarios, &project.contract, arguments.filter.as_deref())?;
    if arguments.list {
        let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
        print::result(&names.join("\n"));
        return Ok(Exit::Holds);
    }
    let keys = arguments.layout.keys.as_deref();
    // A run that gives no verdict must not leave an earlier one's reports behind.
    reports::remove(&arguments.reports)?;
    let outcome = block_on(async {
        let _turn = turn(&arguments.name.session).await?;
        let mut session = load_session(&arguments.name.session)?;
        let spec = layout_spec(&project, keys);
        let deployed = deploy_if_needed(&mut session, &project, spec).await?;
        judge(session, &project, &trials, &deployed, &repeat(arguments)).await
    })?;
    reports::write(&arguments.reports, &outcome.events)?;
    reports::show(&outcome.events, &arguments.reports)?;
    if outcome.coverage.pairs > 0 {
        print::result(&outcome.coverage.to_string());
    }
    let own = [arguments.reports.clone()];
    Ok(outcome.exit.and(leaks::clean(&arguments.name.session, &project.contract, &own)?))
}

fn repeat(arguments: &Test) -> String {
    let mut command = "partywall test {trial}".to_string();
    if let Some(layout) = &arguments.layout.layout {
        command.push_str(&format!(" --layout {}", layout.display()));
    }
    if arguments.name.session != "partywall" {
        command.push_str(&format!(" --session {}", arguments.name.session));
    }
    command
}

/// The session of this name, or a failure that says how to get one.
pub fn load_session(name: &str) -> Result<Session, Failure> {
    Session::load(&paths::state(), name).map_err(Failure::environment)
}

/// Push and reconcile the layout, unless the session already holds exactly this one.
async fn deploy_if_needed(
    session: &mut Session,
    project: &Project,
    spec: partywall_live::LayoutSpec,
) -> Result<Deployed, Failure> {
    if holds(session, &spec)? {
        return Ok(Deployed { ready: true, ..Deployed::default() });
    }
    print::note(&format!("deploying {} through Git", project.directory.display()));
    let origin = origin_of(&project.directory);
    let mut deploy = SessionDeploy { session, spec, origin };
    deploy_with_scratch_mends(&mut deploy, &project.layout, &[]).await
}

/// Judge trials on a session.
pub async fn judge(
    session: Session,
    project: &Project,
    trials: &[Trial],
    deployed: &Deployed,
    repeat: &str,
) -> Result<RunOutcome, Failure> {
    let commit = session.pushed.as_ref().map(|pushed| pushed.commit.clone());
    let cluster = LiveCluster::attach(session).await?;
    let run = Run {
        project,
        trials,
        commit,
        defects: &deployed.defects,
        findings: &[],
        not_judged: &[],
        repeat,
    };
    Ok(execute(&cluster, &run).await?)
}

/// Judge trials on the session of this name as it stands: the conformance trials' entrance.
pub fn judge_session(
    name: &str,
    project: &Project,
    trials: &[Trial],
) -> Result<Vec<Event>, Failure> {
    block_on(async {
        // Trials of different processes would lift each other's canary.
        let _turn = turn(name).await?;
        let session = load_session(name)?;
        let spec = layout_spec(project, None);
        if !holds(&session, &spec)? {
            return Err(Failure::environment(format!(
                "session `{name}` does not hold {} as it is now\nhint: `partywall push` pushes it",
                project.directory.display()
            )));
        }
        let deployed = Deployed { ready: true, ..Deployed::default() };
        let repeat = "cargo test --test conformance -- --exact {trial}";
        let outcome = judge(session, project, trials, &deployed, repeat).await?;
        reports::accounted(&outcome.events)?;
        // Under nextest every trial is a process of its own, with events of its own.
        let folder = match trials {
            [one] => one.name.replace("::", "."),
            _ => "all".to_string(),
        };
        let folder = paths::root().join("reports/trials").join(folder);
        reports::write(&folder, &outcome.events)?;
        load_session(name)?.wrote(&folder).map_err(Failure::environment)?;
        Ok(outcome.events)
    })
}
