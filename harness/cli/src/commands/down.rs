//! `partywall down`.

use partywall_core::Exit;

use partywall_core::Provision;
use partywall_live::{Kind, Quiet, Removed};

use super::doctor::docker_answers;
use super::run::block_on;
use crate::args::Name;
use crate::failure::Failure;
use crate::{paths, print};

/// Run `partywall down`.
pub fn down(arguments: &Name) -> Result<Exit, Failure> {
    docker_answers()?;
    let removed = block_on(async {
        let state = paths::state();
        let kind = Kind { state: &state, progress: &Quiet };
        kind.down(&arguments.session).await.map_err(Failure::environment)
    })?;
    print::note(&summary(&removed));
    Ok(Exit::Holds)
}

fn summary(removed: &Removed) -> String {
    if removed.is_empty() {
        return "nothing to remove".to_string();
    }
    let network = if removed.network { ", its network" } else { "" };
    let volumes = removed.volumes.len();
    format!("removed {}{network}, {volumes} volumes", removed.containers.join(", "))
}
