//! The local Git server: a container beside the nodes, owned by the session.

use std::path::Path;
use std::time::Duration;

use partywall_tool::Tool;
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt, ReuseDirective};

use super::cluster::remove;
use super::error::UpError;
use crate::programs::{docker, run};
use crate::random::nonce;
use crate::session::{GitServer, SESSION_LABEL, Session};

const PORT: u16 = 8080;
const USER: &str = "partywall";
const PASSWORD_FILE: &str = "git-password";
/// Where the server keeps its repositories.
const ROOT: &str = "/srv/git";

fn container(session: &Session) -> String {
    format!("partywall-{}-git", session.name)
}

/// Copies the server's repositories as they are into a folder.
pub(crate) fn files(session: &Session, folder: &Path) -> Tool {
    docker(["cp", &format!("{}:{ROOT}/.", container(session))]).arg(folder)
}

/// Start the server, or find it running. Anyone may read; only who knows the session's password
/// may push.
pub(crate) async fn ensure(session: &Session, existing: &[String]) -> Result<GitServer, UpError> {
    let name = container(session);
    let password = match std::fs::read_to_string(session.file(PASSWORD_FILE)) {
        Ok(password) => password,
        Err(_) => {
            // A server that was started with a lost password is of no use.
            let stale: Vec<String> =
                existing.iter().filter(|container| **container == name).cloned().collect();
            let action = "remove the old Git server";
            remove(&stale).await.map_err(|source| UpError::Program { action, source })?;
            let password = nonce()?;
            session.write_private(PASSWORD_FILE, password.as_bytes())?;
            password
        }
    };
    start(session, &name, &password)
        .await
        .map_err(|source| UpError::GitServer { source: Box::new(source) })
}

/// Whether the server still holds what was pushed last. Its repositories live in the container,
/// so a container that was made anew is empty.
pub(crate) async fn holds(session: &Session, server: &GitServer) -> bool {
    let Some(pushed) = &session.pushed else {
        return false;
    };
    let asks = pushed.repositories.iter().map(|repository| {
        let url = format!("{}/{}.git", server.host_url, repository.name);
        let tool = Tool::new("git")
            .args(["ls-remote", "--quiet", &url])
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        async move {
            let listed = run(tool.timeout(Duration::from_secs(5))).await;
            listed.is_ok_and(|output| output.stdout_text().contains(&repository.commit))
        }
    });
    futures::future::join_all(asks).await.into_iter().all(|held| held)
}

async fn start(
    session: &Session,
    name: &str,
    password: &str,
) -> Result<GitServer, testcontainers::TestcontainersError> {
    let image = session.bundle.git_server.as_str();
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let request = GenericImage::new(repository, tag)
        .with_wait_for(WaitFor::message_on_stderr("listening on"))
        .with_exposed_port(ContainerPort::Tcp(PORT))
        .with_env_var("PARTYWALL_GIT_PASSWORD", password)
        .with_env_var("PARTYWALL_GIT_USER", USER)
        .with_container_name(name)
        .with_network(session.network())
        .with_label(SESSION_LABEL, &session.name)
        .with_startup_timeout(Duration::from_secs(30))
        // Only this machine may talk to it from outside the session's network.
        .with_host_config_modifier(|host| {
            let binding = testcontainers::bollard::models::PortBinding {
                host_ip: Some("127.0.0.1".to_string()),
                host_port: Some(String::new()),
            };
            let ports = [(format!("{PORT}/tcp"), Some(vec![binding]))];
            host.port_bindings = Some(ports.into());
            host.publish_all_ports = Some(false);
        })
        // The session outlives this process.
        .with_reuse(ReuseDirective::Always);
    let container = request.start().await?;
    let port = container.get_host_port_ipv4(PORT).await?;
    Ok(GitServer {
        cluster_url: format!("http://{name}:{PORT}"),
        host_url: format!("http://127.0.0.1:{port}"),
        user: USER.to_string(),
    })
}
