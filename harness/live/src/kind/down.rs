//! The end of a session: everything that `up` made, and nothing else.

use std::path::Path;

use partywall_tool::ToolError;

use super::error::DownError;
use super::orphan::clear;
use super::ownership::find;
use crate::programs::{docker, run};
use crate::session::{SESSION_LABEL, Session};
use crate::wait::WaitError;

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers.
    pub containers: Vec<String>,
    /// Whether the network was there.
    pub network: bool,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Whether there was a session file.
    pub session: bool,
}

impl Removed {
    /// Whether there was nothing to remove.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn interrupted(error: WaitError<ToolError>) -> DownError {
    match error {
        WaitError::Failed(source) => DownError::Program { action: "remove the containers", source },
        WaitError::TimedOut { condition, waited, last } => {
            DownError::NotOver(WaitError::TimedOut { condition, waited, last })
        }
    }
}

/// Remove a session, whole or half made. Removing what is not there is no error.
pub async fn down(state: &Path, name: &str) -> Result<Removed, DownError> {
    let failed = |action| move |source| DownError::Program { action, source };
    let lock = Session::lock(state, name)?;
    let found = find(name).await.map_err(failed("look for what is there"))?;
    let foreign = found.foreign.clone();
    let mut containers = found.ours.clone();
    containers.sort();
    containers.dedup();
    let kubeconfig = Session::directory_of(state, name)?.join("kubeconfig");
    let found = clear(name, &kubeconfig, found).await.map_err(interrupted)?;
    let filter = format!("label={SESSION_LABEL}={name}");
    let listed = run(docker(["volume", "ls", "--quiet", "--filter", &filter])).await;
    let listed = listed.map_err(failed("list the volumes"))?;
    let volumes: Vec<String> = listed.stdout_text().lines().map(str::to_string).collect();
    if !volumes.is_empty() {
        let gone = run(docker(["volume", "rm", "--force"]).args(&volumes)).await;
        gone.map_err(failed("remove the volumes"))?;
    }
    if found.network {
        let network = format!("partywall-{name}");
        let gone = run(docker(["network", "rm", &network])).await;
        gone.map_err(failed("remove the network"))?;
    }
    let session = Session::remove_files(state, name)?;
    drop(lock);
    if let Some(what) = foreign.into_iter().next() {
        return Err(DownError::Foreign { what });
    }
    Ok(Removed { containers, network: found.network, volumes, session })
}
