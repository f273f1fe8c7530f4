//! `partywall check`: judge a layout from its files alone.

use std::path::PathBuf;
use std::time::Instant;

use futures::executor::block_on;
use partywall_core::Exit;
use partywall_offline::cluster::Surroundings;
use partywall_runner::judge_files;

use crate::args::{Check, FilesArgs, Format};
use crate::failure::Failure;
use crate::offline::{BACKEND, open};
use crate::project::{scenarios, selected_trials};
use crate::{print, reports};

/// Run `partywall check`.
pub fn check(arguments: &Check) -> Result<Exit, Failure> {
    let started = Instant::now();
    if let Some(folder) = &arguments.reports {
        reports::remove(folder)?;
    }
    let scenarios = scenarios(arguments.scenarios.as_deref())?;
    let mut opened = open(&arguments.files, arguments.rev.as_deref())?;
    let contract = &opened.files.project.contract;
    let trials = selected_trials(BACKEND, &scenarios, contract, arguments.filter.as_deref())?;
    if arguments.list {
        let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
        print::result(&names.join("\n"));
        return Ok(Exit::Holds);
    }
    opened.files.read_history();
    let contract = &opened.files.project.contract;
    let around = Surroundings::assumed(contract, &opened.judgeable.rendered);
    let repeat = repeat(arguments);
    let judged =
        judge_files(&opened.files, &opened.judgeable, &trials, &opened.keys, &around, &repeat);
    let outcome = block_on(judged)?;
    if let Some(folder) = &arguments.reports {
        reports::write(folder, &outcome.events)?;
    }
    print::result(&reports::rendered(arguments.format, &outcome.events)?);
    if arguments.format == Format::Console {
        if let Some(filter) = &arguments.filter {
            print::note(&format!("only trials whose name contains `{filter}` were asked"));
        }
        print::note(&format!("checked in {:.2} s", started.elapsed().as_secs_f64()));
    }
    reports::accounted(&outcome.events)?;
    Ok(outcome.exit)
}

fn repeat(arguments: &Check) -> String {
    let FilesArgs { path, keys, entry, .. } = &arguments.files;
    let mut command = "partywall check".to_string();
    if let Some(path) = path {
        command.push_str(&format!(" {}", quoted(&path.display().to_string())));
    }
    let folder = |folder: &Option<PathBuf>| folder.as_ref().map(|one| one.display().to_string());
    let options = [
        ("--keys", folder(keys)),
        ("--entry", entry.clone()),
        ("--rev", arguments.rev.clone()),
        ("--scenarios", folder(&arguments.scenarios)),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            command.push_str(&format!(" {name} {}", quoted(&value)));
        }
    }
    format!("{command} --filter {{trial}}")
}

fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./~^@".contains(c));
    if is_plain { word.to_string() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
