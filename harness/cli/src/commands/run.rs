//! Parse, call, exit.

use std::time::Duration;

use clap::Parser;
use partywall_core::Exit;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    agree, bench, check, diagnose, diff, doctor, down, e2e, explain, images, init, mutants, mutate,
    push, report, rotate, test, up, watch,
};
use crate::args::{Arguments, Command};
use crate::failure::Failure;
use crate::print;

const INTERRUPTED: &str = "interrupted\nhint: `partywall up` goes on where it stopped, \
                           `partywall down` removes what is there";

/// Run the command line of this process.
pub fn run() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap prints help and version to standard output, errors to standard error.
            let _printed = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Holds };
        }
    };
    match call(arguments.command) {
        Ok(exit) => exit,
        Err(failure) => {
            print::error(&failure.message);
            failure.exit
        }
    }
}

fn call(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Agree(arguments) => agree::agree(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Up(arguments) => up::up(&arguments),
        Command::Down(arguments) => down::down(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Mutants(arguments) => mutants::mutants(&arguments),
        Command::Mutate(arguments) => mutate::mutate(&arguments),
        Command::Watch(arguments) => watch::watch(&arguments),
        Command::Rotate(arguments) => rotate::rotate(&arguments),
        Command::Push(arguments) => push::push(&arguments),
        Command::Images(arguments) => images::images(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Diagnose(arguments) => diagnose::diagnose(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::E2e(arguments) => e2e::e2e(&arguments),
    }
}

/// A runtime for the commands that talk to a cluster. An interrupt ends the work, whatever it is.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = interrupted() => Err(Failure::environment(INTERRUPTED)),
        }
    });
    // A program that is still running got the interrupt too, and ends by itself.
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

/// Until somebody ends this process: at the terminal, or by a request to terminate.
pub(crate) async fn interrupted() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            // Without a handler the request ends the process, as ever.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _interrupt = tokio::signal::ctrl_c() => (),
        () = terminated => (),
    }
}
