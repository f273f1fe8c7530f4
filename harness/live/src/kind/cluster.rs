//! The kind cluster and what is loaded into its nodes.

use std::path::Path;
use std::time::Duration;

use partywall_tool::Tool;

use super::error::UpError;
use super::family::{self, network_options};
use super::ownership::Found;
use crate::manifests::AUDIT_POLICY;
use crate::programs::{docker, run};
use crate::session::{SESSION_LABEL, Session};
use crate::spec::Bundle;

/// The Docker network of the session, with its label. kind would make one without.
pub(crate) async fn ensure_network(session: &Session, found: &Found) -> Result<(), UpError> {
    if found.network {
        return Ok(());
    }
    let label = format!("{SESSION_LABEL}={}", session.name);
    let tool = docker(["network", "create", "--driver", "bridge", "--label", &label]);
    let made = run(tool.args(network_options(session)).arg(session.network())).await;
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
    let mut config = cluster_config(&session.bundle, &family::cluster(session.ip_family));
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
fn cluster_config(bundle: &Bundle, config: &str) -> String {
    let tag = |component: &str| {
        let image = bundle.components.get(component)?;
        Some(image.strip_prefix("partywall.local/")?.rsplit_once(':')?.1.to_string())
    };
    if let (Some(etcd), Some(coredns)) = (tag("etcd"), tag("coredns")) {
        return config.replace("COREDNS_TAG", &coredns).replace("ETCD_TAG", &etcd);
    }
    let (before, patch) = config.split_once("kubeadmConfigPatches:").unwrap_or((config, ""));
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

/// Where Docker's containers have their cgroups of the freezer, under cgroup v1.
const FREEZER: &str = "/sys/fs/cgroup/freezer/docker";
const CONTAINER_ID_LENGTH: usize = 64;

/// Remove containers of ours.
pub(crate) async fn remove(containers: &[String]) -> Result<(), partywall_tool::ToolError> {
    for container in containers {
        // With its anonymous volumes: a kind node keeps its /var in one.
        let tool = || docker(["rm", "--force", "--volumes", container]);
        let Err(error) = run(tool()).await else { continue };
        let id = run(docker(["inspect", "--format", "{{.Id}}", container])).await?;
        let id = id.stdout_text().trim().to_string();
        if id.len() != CONTAINER_ID_LENGTH || thaw(&Path::new(FREEZER).join(id)) == 0 {
            return Err(error);
        }
        run(tool()).await?;
    }
    Ok(())
}

/// Thaw every cgroup of a container of ours that was killed while the runc inside it had one
/// frozen: under cgroup v1 a frozen process cannot die, so that its container could never be
/// removed. Says how many there were.
fn thaw(folder: &Path) -> usize {
    let state = folder.join("freezer.state");
    let frozen = std::fs::read_to_string(&state).is_ok_and(|text| text.trim() != "THAWED");
    let here = usize::from(frozen && std::fs::write(&state, "THAWED").is_ok());
    let below = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    here + below.map(|entry| thaw(&entry.path())).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thaws_every_frozen_cgroup_below() {
        let folder = tempfile::tempdir().unwrap();
        let nested = folder.path().join("kubelet/pod");
        std::fs::create_dir_all(&nested).unwrap();
        std::fs::write(folder.path().join("freezer.state"), "THAWED\n").unwrap();
        std::fs::write(nested.join("freezer.state"), "FROZEN\n").unwrap();
        assert_eq!(thaw(folder.path()), 1);
        assert_eq!(std::fs::read_to_string(nested.join("freezer.state")).unwrap(), "THAWED");
        assert_eq!(thaw(folder.path()), 0);
    }
}
