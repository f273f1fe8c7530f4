//! The kind cluster and what is loaded into its nodes.

use std::time::Duration;

use partywall_tool::Tool;

use super::error::UpError;
use super::ownership::Found;
use crate::manifests::{AUDIT_POLICY, CLUSTER};
use crate::programs::{docker, run};
use crate::session::{SESSION_LABEL, Session};
use crate::spec::Bundle;

/// The Docker network of the session, with its label. kind would make one without.
pub(crate) async fn ensure_network(session: &Session, found: &Found) -> Result<(), UpError> {
    if found.network {
        return Ok(());
    }
    let label = format!("{SESSION_LABEL}={}", session.name);
    let args = ["network", "create", "--driver", "bridge", "--label", &label, &session.network()];
    let made = run(docker(args)).await;
    made.map(|_| ()).map_err(|source| UpError::Program { action: "make a network", source })
}

/// Where the patches of the control plane's node begin.
const NODE_PATCHES: &str = "    kubeadmConfigPatches:\n";
/// With a worker beside it the control plane takes pods all the same: walls between nodes are
/// probed only if pods stand on both. Of a single node kind itself takes the taint away.
const NO_TAINT: &str = "      - |
        kind: InitConfiguration
        nodeRegistration: {taints: []}
";

/// Make the cluster. The user's own kubeconfig is never read nor written.
pub(crate) async fn create(session: &Session) -> Result<(), UpError> {
    session.write_private("audit/audit-policy.yaml", AUDIT_POLICY.as_bytes())?;
    let audit = session.file("audit");
    let mut config = cluster_config(&session.bundle);
    config = config.replace("AUDIT_DIR", &audit.to_string_lossy());
    if session.nodes > 1 {
        config = config.replacen(NODE_PATCHES, &format!("{NODE_PATCHES}{NO_TAINT}"), 1);
    }
    for _worker in 1..session.nodes {
        config.push_str("  - role: worker\n");
    }
    session.write_private("kind.yaml", config.as_bytes())?;
    let tool = Tool::new(&session.bundle.kind)
        .args(["create", "cluster", "--name", &session.name, "--image", &session.bundle.node])
        // kind must not remove nodes by name when it fails: `up` does, and only its own.
        .arg("--retain")
        .arg("--config")
        .arg(session.file("kind.yaml"))
        .arg("--kubeconfig")
        .arg(session.kubeconfig())
        .env("KUBECONFIG", session.kubeconfig())
        .env("KIND_EXPERIMENTAL_DOCKER_NETWORK", session.network())
        .timeout(Duration::from_secs(300));
    let made = run(tool).await;
    made.map(|_| ()).map_err(|source| UpError::Program { action: "create the cluster", source })
}

/// The cluster's configuration with the tags of the bundle's images, or without the patch that
/// names them where the node image is a published one and brings its own.
fn cluster_config(bundle: &Bundle) -> String {
    let tag = |component: &str| {
        let image = bundle.components.get(component)?;
        Some(image.strip_prefix("partywall.local/")?.rsplit_once(':')?.1.to_string())
    };
    if let (Some(etcd), Some(coredns)) = (tag("etcd"), tag("coredns")) {
        return CLUSTER.replace("COREDNS_TAG", &coredns).replace("ETCD_TAG", &etcd);
    }
    let (before, patch) = CLUSTER.split_once("kubeadmConfigPatches:").unwrap_or((CLUSTER, ""));
    let after = patch.split_once("nodes:").map_or("", |(_, after)| after);
    format!("{before}nodes:{after}")
}

/// Names of the cluster's node containers.
pub(crate) fn node_containers(session: &Session) -> Vec<String> {
    let control_plane = format!("{}-control-plane", session.name);
    let workers = (1..session.nodes).map(|_| format!("{}-worker", session.name));
    std::iter::once(control_plane).chain(workers).collect()
}

/// The agent's image as a file.
pub(crate) async fn save_agent(session: &Session) -> Result<(), UpError> {
    let tool = docker(["save", "--output"]).arg(session.file("agent.tar"));
    let saved = run(tool.arg(&session.bundle.agent)).await;
    saved.map(|_| ()).map_err(|source| UpError::Program { action: "save the agent image", source })
}

/// The agent's image into every node. It is not baked into the node image, so that a change of
/// the agent does not cost a build of the bundle.
pub(crate) async fn load_agent(session: &Session) -> Result<(), UpError> {
    let loads = node_containers(session).into_iter().map(|node| {
        let import = ["ctr", "--namespace=k8s.io", "images", "import", "--digests", "-"];
        let tool = docker(["exec", "--interactive", &node]).args(import);
        run(tool.stdin_file(session.file("agent.tar")))
    });
    let loaded = futures::future::try_join_all(loads).await;
    loaded.map_err(|source| UpError::Program { action: "load the agent image", source })?;
    let _gone = std::fs::remove_file(session.file("agent.tar"));
    Ok(())
}

/// Remove containers of ours.
pub(crate) async fn remove(containers: &[String]) -> Result<(), partywall_tool::ToolError> {
    if containers.is_empty() {
        return Ok(());
    }
    // With their anonymous volumes: a kind node keeps its /var in one.
    let tool = docker(["rm", "--force", "--volumes"]).args(containers);
    run(tool).await.map(|_output| ())
}
