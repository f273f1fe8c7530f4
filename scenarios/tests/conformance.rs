//! The built-in scenarios as trials of a test runner: `cargo test --test conformance`, or
//! `cargo nextest run -E 'binary(conformance)'`. Listing reads YAML and nothing else.
//! Trials run on the session that `partywall up` made, and are ignored while there is none.

#![expect(clippy::print_stderr, reason = "a test binary says why it cannot list its trials")]

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use partywall::trials::{Conformance, TrialResult};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let conformance = match Conformance::from_environment() {
        Ok(conformance) => Arc::new(conformance),
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    // One process runs all of its trials as one batch: under `cargo test` that is the whole
    // selection, under nextest, which starts a process for each, it is one trial.
    let batch: Arc<OnceLock<Vec<TrialResult>>> = Arc::default();
    let selected = conformance.selected(|name| is_selected(&arguments, name));
    let (names, lacking) = (conformance.names(), conformance.lacking());
    let trials = names.into_iter().map(|name| {
        let (conformance, batch) = (Arc::clone(&conformance), Arc::clone(&batch));
        let ignored = !conformance.has_session() || lacking.contains(&name);
        let selected = selected.clone();
        let this = name.clone();
        let run = move || {
            let results = batch.get_or_init(|| conformance.run(&selected));
            let ignored = conformance.result_of(results, &this).map_err(Failed::from)?;
            Ok(ignored.map_or(Completion::Completed, Completion::ignored_with))
        };
        Trial::ignorable_test(name, run).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The selection as libtest-mimic makes it.
fn is_selected(arguments: &Arguments, name: &str) -> bool {
    let fits =
        |filter: &String| if arguments.exact { name == filter } else { name.contains(filter) };
    arguments.filter.as_ref().is_none_or(fits) && !arguments.skip.iter().any(fits)
}
