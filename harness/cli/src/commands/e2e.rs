//! `partywall e2e`: the main job from an empty machine to an empty machine.

use std::path::PathBuf;
use std::time::Instant;

use partywall_core::Exit;

use super::{diagnose, doctor, down, images, mutants, test, up};
use crate::args::{
    Diagnose, Doctor, E2e, ImageSource, LayoutArgs, Mutants, Test, Up,
};
use crate::failure::Failure;
use crate::{paths, print};

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
    phases.print();
    Ok(result?.and(removed?))
}

fn judged(arguments: &E2e, phases: &mut Phases) -> Result<Exit, Failure> {
    let fix = Doctor { fix: true };
    let exit = phases.run("doctor", || doctor::doctor(&fix))?;
    let exit = exit.and(phases.run("images", || images::build(&paths::cache(), &[], ImageSource::Bundle, None))?);
    let exit = exit.and(phases.run("up", || up::up(&up_of(arguments)))?);
    let exit = exit.and(phases.run("reference layout", || test::test(&test_of(arguments)))?);
    if exit != Exit::Holds {
        return Ok(exit);
    }
    let mutants = Mutants {
        filter: None,
        name: arguments.name.clone(),
        mutants: None,
        reports: arguments.reports.join("mutants"),
    };
    phases.run("mutants", || mutants::mutants(&mutants))
}

fn reference() -> LayoutArgs {
    LayoutArgs { layout: None, keys: None }
}

fn up_of(arguments: &E2e) -> Up {
    Up {
        name: arguments.name.clone(),
        layout: reference(),
        nodes: 1,
        images: ImageSource::Bundle,
        registry_mirror: None,
    }
}

fn test_of(arguments: &E2e) -> Test {
    Test {
        filter: None,
        name: arguments.name.clone(),
        layout: reference(),
        scenarios: None,
        list: false,
        reports: arguments.reports.clone(),
    }
}

/// What a failure needs to be understood goes into the log of whoever runs this.
fn collect_diagnostics(arguments: &E2e) {
    let out: PathBuf = arguments.reports.join("diagnostics");
    let diagnose = Diagnose { name: arguments.name.clone(), out };
    if let Err(failure) = diagnose::diagnose(&diagnose) {
        print::note(&format!("no diagnostics: {failure}"));
    }
    print::note(&format!("state: {}", paths::state().display()));
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

    fn print(&self) {
        let rows = self.times.iter().map(|(name, seconds)| format!("{name:<18} {seconds:>7.1} s"));
        print::result(&rows.collect::<Vec<_>>().join("\n"));
    }
}
