//! A run on a cluster whose network plugin does not enforce must prove nothing, and say so.

use partywall_core::Exit;
use partywall_core::cluster::Backend;
use partywall_live::{Session, enforcement_off, enforcement_on};
use partywall_runner::Deployed;

use super::run::block_on;
use super::test::{judge, load_session};
use crate::args::LayoutArgs;
use crate::failure::Failure;
use crate::print;
use crate::project::{project, scenarios, selected_trials};
use crate::session_deploy::turn;

/// What such a run ends with.
const WORDS: &str = "the enforcement canary did not bite";

/// Switch the enforcement of the session of this name off, run every trial, and switch it on again, whatever
/// happened in between. It holds if the run ended as one that could prove nothing.
pub fn enforcement_lost(name: &str) -> Result<Exit, Failure> {
    let project = project(&LayoutArgs { layout: None, keys: None })?;
    let trials = selected_trials(Backend::Kind, &scenarios(None)?, &project.contract, None)?;
    // Nobody else may judge this cluster meanwhile.
    let turn = block_on(turn(name))?;
    let session = load_session(name)?;
    let switched = block_on(async {
        let client = session.client().await.map_err(Failure::environment)?;
        enforcement_off(&client, &session).await.map_err(Failure::environment)
    });
    let outcome = switched.map(|()| {
        let deployed = Deployed { ready: true, ..Deployed::default() };
        let judged = judge(session.clone(), &project, &trials, &deployed, "partywall test {trial}");
        block_on(judged).map(|outcome| outcome.exit)
    });
    restore(&session)?;
    drop(turn);
    Ok(told(outcome?))
}

fn restore(session: &Session) -> Result<(), Failure> {
    block_on(async {
        let client = session.client().await.map_err(Failure::environment)?;
        enforcement_on(&client).await.map_err(Failure::environment)
    })
}

/// Whether the run said that nothing could be proven.
fn told(outcome: Result<Exit, Failure>) -> Exit {
    match outcome {
        Err(failure) if failure.exit == Exit::Environment && failure.message.contains(WORDS) => {
            print::result(&format!(
                "without enforcement the run gives no verdict, exit {}: {}",
                failure.exit.code(),
                failure.message
            ));
            Exit::Holds
        }
        Err(failure) => {
            print::result(&format!("without enforcement the run ended otherwise: {failure}"));
            Exit::Violated
        }
        Ok(exit) => {
            print::result(&format!("without enforcement the run ended with exit {}", exit.code()));
            Exit::Violated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_without_a_verdict_for_this_reason_will_do() {
        let canary = format!("{WORDS}: these came through");
        assert_eq!(told(Err(Failure::environment(&canary))), Exit::Holds);
        assert_eq!(told(Err(Failure::usage(&canary))), Exit::Violated);
        assert_eq!(told(Err(Failure::environment("no Docker"))), Exit::Violated);
        assert_eq!(told(Ok(Exit::Holds)), Exit::Violated);
        assert_eq!(told(Ok(Exit::Violated)), Exit::Violated);
    }
}
