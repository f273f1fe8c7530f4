//! A `kind create` whose `up` was killed goes on alone. It must be over before its nodes are
//! removed for good, or it would put a node where the next cluster wants one.

use std::path::Path;
use std::time::Duration;

use partywall_tool::ToolError;

use super::cluster::remove;
use super::ownership::{Found, find};
use crate::wait::{Poll, Wait, WaitError, until};

/// Remove every container of a session, and wait for what still makes new ones. It fails by
/// itself once its node is gone.
pub(crate) async fn clear(
    session: &str,
    kubeconfig: &Path,
    found: Found,
) -> Result<Found, WaitError<ToolError>> {
    remove(&found.ours).await.map_err(WaitError::Failed)?;
    if !creating(kubeconfig) {
        return Ok(found);
    }
    let wait = Wait::seconds(120).every(Duration::from_millis(500));
    until("the end of an interrupted `kind create`", wait, || async {
        let again = match find(session).await {
            Ok(again) => again,
            Err(error) => return Poll::Failed(error),
        };
        if let Err(error) = remove(&again.ours).await {
            return Poll::Failed(error);
        }
        if creating(kubeconfig) || !again.ours.is_empty() {
            Poll::not_yet("it is still running")
        } else {
            Poll::Ready(again)
        }
    })
    .await
}

/// Whether a process makes a cluster for this kubeconfig. Where there is no `/proc`, nobody can
/// tell, and none is assumed.
fn creating(kubeconfig: &Path) -> bool {
    let wanted = kubeconfig.as_os_str().as_encoded_bytes();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut commands = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands.any(|command| {
        let words: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
        words.get(1) == Some(&&b"create"[..]) && words.contains(&wanted)
    })
}
