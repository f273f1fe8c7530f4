//! What is ours. A network that carries the session's label is; a container is if it carries
//! the label, or is a kind node of that name on such a network. Nothing else is ever removed.

use partywall_tool::ToolError;
use serde_json::Value;

use crate::programs::{docker, run, run_unchecked};
use crate::session::SESSION_LABEL;

/// Docker's view of a session.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Containers of ours.
    pub(crate) ours: Vec<String>,
    /// Of them, the running kind nodes.
    pub(crate) running_nodes: Vec<String>,
    /// Whether a network of ours exists.
    pub(crate) network: bool,
    /// Things in the way that are not ours.
    pub(crate) foreign: Vec<String>,
}

/// Look for everything that belongs to a session, or stands where it would stand.
pub(crate) async fn find(session: &str) -> Result<Found, ToolError> {
    let mut found = Found::default();
    let network = format!("partywall-{session}");
    let inspected = run_unchecked(docker(["network", "inspect", &network])).await?;
    if inspected.success() {
        let parsed: Value = serde_json::from_slice(&inspected.stdout).unwrap_or_default();
        let label = parsed[0]["Labels"][SESSION_LABEL].as_str();
        found.network = label == Some(session);
        if !found.network {
            found.foreign.push(format!("Docker network `{network}`"));
        }
    }
    let kind_label = format!("label=io.x-k8s.kind.cluster={session}");
    for node in list(&kind_label).await? {
        let ours = found.network && node.networks.contains(&network);
        if !ours {
            found.foreign.push(format!("kind cluster `{session}` (container {})", node.name));
            continue;
        }
        if node.running {
            found.running_nodes.push(node.name.clone());
        }
        found.ours.push(node.name);
    }
    let label = format!("label={SESSION_LABEL}={session}");
    found.ours.extend(list(&label).await?.into_iter().map(|container| container.name));
    found.ours.sort();
    found.ours.dedup();
    let git = format!("partywall-{session}-git");
    let by_name = list(&format!("name=^/?{git}$")).await?;
    if by_name.iter().any(|container| !found.ours.contains(&container.name)) {
        found.foreign.push(format!("container `{git}`"));
    }
    Ok(found)
}

/// The running nodes of a session, as Docker's containers.
pub(crate) async fn nodes_of(session: &str) -> Result<Vec<String>, ToolError> {
    Ok(find(session).await?.running_nodes)
}

struct Container {
    name: String,
    running: bool,
    networks: Vec<String>,
}

async fn list(filter: &str) -> Result<Vec<Container>, ToolError> {
    let format = "{{.Names}}\t{{.State}}\t{{.Networks}}";
    let args = ["ps", "--all", "--no-trunc", "--filter", filter, "--format", format];
    let output = run(docker(args)).await?;
    let text = output.stdout_text();
    let containers = text.lines().map(|line| {
        let mut fields = line.split('\t');
        let mut next = || fields.next().unwrap_or_default().to_string();
        let (name, state, networks) = (next(), next(), next());
        let networks = networks.split(',').map(str::to_string).collect();
        Container { name, running: state == "running", networks }
    });
    Ok(containers.collect())
}
