//! `partywall e2e`: the main job from an empty machine to an empty machine.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use partywall_core::Exit;
use partywall_core::event::Event;
use partywall_core::verdict::{ProofLevel, Verdict};
use partywall_tool::Tool;

use super::{
    agree, check, diagnose, doctor, down, e2e_depth, e2e_red, enforcement, images, mutants, test,
    up,
};
use crate::args::{
    Agree, Check, Diagnose, Doctor, E2e, FilesArgs, Format, ImageSource, IpFamilyChoice,
    LayoutArgs, Mutants, Test, Up,
};
use crate::failure::Failure;
use crate::{paths, print, reports};

/// The reference layout with workloads that are not our agent.
const FOREIGN_WORKLOADS: &str = "fixtures/layouts/foreign-workloads";
/// The layout as it was first written down.
const FIRST_DRAFT: &str = "fixtures/layouts/first-draft";
/// What a run on it must name, each with file and line.
const FIRST_DRAFT_DEFECTS: [&str; 4] = [
    "patch-does-not-apply",
    "cross-namespace-reference",
    "telemetry-cannot-leave",
    "dns-over-tcp-denied",
];
const RUN_LIMIT: Duration = Duration::from_secs(1200);

/// Run `partywall e2e`. The cluster is removed at the end, whatever happened in between.
pub fn e2e(arguments: &E2e) -> Result<Exit, Failure> {
    let mut phases = Phases::default();
    let result = judged(arguments, &mut phases);
    if !matches!(result, Ok(Exit::Holds)) {
        collect_diagnostics(arguments);
    }
    let removed = if arguments.keep {
        Ok(Exit::Holds)
    } else {
        phases.run("down", || down::down(&arguments.name))
    };
    let result = result.and_then(|exit| match exit {
        // One machine carries one cluster well: the second comes when the first is gone.
        Exit::Holds if !arguments.keep => {
            phases.run("two nodes", || e2e_depth::two_nodes(arguments))
        }
        exit => Ok(exit),
    });
    phases.print();
    Ok(result?.and(removed?))
}

fn judged(arguments: &E2e, phases: &mut Phases) -> Result<Exit, Failure> {
    let build = || images::build(&paths::cache(), &[], ImageSource::Bundle, None);
    phases.must_hold("doctor", || doctor::doctor(&Doctor { fix: true }))?;
    phases.must_hold("images", build)?;
    let exit = phases.run("files", || files(arguments))?;
    if exit != Exit::Holds {
        return Ok(exit);
    }
    let exit = phases.run("up", || up::up(&up_of(arguments)))?;
    let reference = test_of(arguments, None);
    let exit = exit.and(phases.run("reference layout", || test::test(&reference))?);
    if exit != Exit::Holds {
        return Ok(exit);
    }
    let mut exit = exit;
    if let Some(command) = &arguments.run {
        exit = exit.and(phases.run("trials", || run_command(arguments, command))?);
    }
    exit = exit.and(phases.run("agreement", || agree::agree(&agree_of(arguments)))?);
    // While the reference layout stands: the phases after this one bring others.
    let lost = || enforcement::enforcement_lost(&arguments.name.session);
    exit = exit.and(phases.run("enforcement lost", lost)?);
    let mutants = || mutants::mutants(&mutants_of(arguments));
    exit = exit.and(phases.run("mutants", mutants)?);
    exit = exit.and(phases.run("generated mutants", || e2e_depth::generated_mutants(arguments))?);
    exit = exit.and(phases.run("exposure", || e2e_depth::exposure(arguments))?);
    exit = exit.and(phases.run("foreign workloads", || foreign_workloads(arguments))?);
    exit = exit.and(phases.run("red layouts", || e2e_red::by_cluster(arguments))?);
    Ok(exit.and(phases.run("first draft", || first_draft(arguments))?))
}

pub(super) fn up_of(arguments: &E2e) -> Up {
    Up {
        name: arguments.name.clone(),
        layout: LayoutArgs { layout: None, keys: None },
        nodes: 1,
        ip_family: IpFamilyChoice::Ipv4,
        images: ImageSource::Bundle,
        registry_mirror: None,
    }
}

pub(super) fn test_of(arguments: &E2e, layout: Option<PathBuf>) -> Test {
    let reports = match layout.as_ref().and_then(|layout| layout.file_name()) {
        Some(name) => arguments.reports.join(name),
        None => arguments.reports.clone(),
    };
    Test {
        filter: None,
        name: arguments.name.clone(),
        layout: LayoutArgs { layout, keys: None },
        scenarios: None,
        list: false,
        reports,
    }
}

/// A command of the caller's while the session stands, such as the trials under a test runner.
fn run_command(arguments: &E2e, command: &str) -> Result<Exit, Failure> {
    let tool = Tool::new("sh").args(["-c", command]).dir(paths::root());
    let tool = tool.env("PARTYWALL_SESSION", &arguments.name.session).timeout(RUN_LIMIT);
    // The command must find the same sessions and results, wherever the caller keeps them.
    let tool = tool.env("PARTYWALL_STATE", paths::state()).env("PARTYWALL_CACHE", paths::cache());
    let kept = ["CARGO_TARGET_DIR", "CARGO_INCREMENTAL"];
    let values = kept.iter().filter_map(|name| Some((*name, paths::variable(name)?)));
    let tool = values.fold(tool, |tool, (name, value)| tool.env(name, value));
    let output = tool.run_unchecked().map_err(Failure::environment)?;
    print::result(&output.stdout_text());
    if output.success() {
        return Ok(Exit::Holds);
    }
    print::note(&output.stderr_text());
    Ok(Exit::Violated)
}

/// The layout whose workloads are not ours must hold, with receipts that only twins can give.
fn foreign_workloads(arguments: &E2e) -> Result<Exit, Failure> {
    let test = test_of(arguments, Some(paths::root().join(FOREIGN_WORKLOADS)));
    let exit = test::test(&test)?;
    let events = reports::read(&test.reports)?;
    let by_twin = events.iter().filter(|event| {
        matches!(event, Event::CellJudged(cell)
            if cell.column.starts_with("shared-services/")
                && cell.verdict == Verdict::Holds { proof: Some(ProofLevel::Receipt) })
    });
    let by_twin = by_twin.count();
    print::result(&format!("{by_twin} denies toward foreign workloads have a twin's receipt"));
    Ok(if by_twin == 0 { exit.and(Exit::Undetermined) } else { exit })
}

/// The run on the first draft must be red, and name each of its defects at its line.
fn first_draft(arguments: &E2e) -> Result<Exit, Failure> {
    let test = test_of(arguments, Some(paths::root().join(FIRST_DRAFT)));
    let exit = test::test(&test)?;
    is_first_draft(exit, &reports::read(&test.reports)?)
}

/// Whether a run was red, and named each defect of the first draft at its line.
fn is_first_draft(exit: Exit, events: &[Event]) -> Result<Exit, Failure> {
    let is_named = |name: &str| {
        events.iter().any(|event| {
            matches!(event, Event::DefectFound(defect)
                if defect.name == name && defect.location.is_some())
        })
    };
    let missing: Vec<&str> =
        FIRST_DRAFT_DEFECTS.into_iter().filter(|name| !is_named(name)).collect();
    if exit != Exit::Violated || !missing.is_empty() {
        let missing = missing.join(", ");
        print::result(&format!("the first draft exited {}; not named: {missing}", exit.code()));
        return Ok(Exit::Violated);
    }
    print::result("the first draft is red, and its four defects are named");
    Ok(Exit::Holds)
}

/// Without a cluster: the reference layout holds by its files, and those that must not do not.
fn files(arguments: &E2e) -> Result<Exit, Failure> {
    let exit = check::check(&check_of(arguments, None))?;
    let draft = check_of(arguments, Some(paths::root().join(FIRST_DRAFT)));
    let red = check::check(&draft)?;
    let events = draft.reports.as_ref().map(|folder| reports::read(folder)).transpose()?;
    let exit = exit.and(is_first_draft(red, &events.unwrap_or_default())?);
    Ok(exit.and(e2e_red::by_files(arguments)?))
}

pub(super) fn check_of(arguments: &E2e, path: Option<PathBuf>) -> Check {
    let name = path.as_ref().and_then(|path| path.file_name()).unwrap_or("reference".as_ref());
    let reports = Some(arguments.reports.join("files").join(name));
    Check {
        files: FilesArgs { path, keys: None, entry: None, no_cache: false },
        rev: None,
        filter: None,
        scenarios: None,
        list: false,
        format: Format::Console,
        reports,
    }
}

pub(super) fn agree_of(arguments: &E2e) -> Agree {
    Agree { filter: None, name: arguments.name.clone(), all: false, ledger: None, layout: None }
}

pub(super) fn mutants_of(arguments: &E2e) -> Mutants {
    Mutants {
        filter: None,
        // All of them are put to the files by the unit tests; `make mutants` puts all to a cluster.
        one_each: true,
        name: arguments.name.clone(),
        mutants: None,
        reports: arguments.reports.join("mutants"),
    }
}

/// What a failure needs to be understood goes into the log of whoever runs this.
fn collect_diagnostics(arguments: &E2e) {
    let out = arguments.reports.join("diagnostics");
    let diagnose = Diagnose { name: arguments.name.clone(), out };
    if let Err(failure) = diagnose::diagnose(&diagnose) {
        print::note(&format!("no diagnostics: {failure}"));
    }
}

/// Phases with their times.
#[derive(Default)]
struct Phases {
    times: Vec<(&'static str, f64)>,
}

impl Phases {
    fn run(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        print::note(&format!("── {name}"));
        let started = Instant::now();
        let result = work();
        self.times.push((name, started.elapsed().as_secs_f64()));
        result
    }

    /// A phase without which the next makes no sense.
    fn must_hold(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<Exit, Failure>,
    ) -> Result<(), Failure> {
        match self.run(name, work)? {
            Exit::Holds => Ok(()),
            exit => Err(Failure { message: format!("phase `{name}` failed"), exit }),
        }
    }

    fn print(&self) {
        let rows = self.times.iter().map(|(name, seconds)| format!("{name:<18} {seconds:>7.1} s"));
        print::result(&rows.collect::<Vec<_>>().join("\n"));
    }
}
