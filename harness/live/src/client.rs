//! A client for the session's own kubeconfig, never the user's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};

/// A cluster that cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig is missing or cannot be read.
    #[error("failed to read the kubeconfig {path}: {source}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// The session's cluster does not answer.
    #[error(
        "the cluster of the session `{session}` is gone or does not answer: {detail} \
         (hint: `partywall up` repairs it, `partywall down` removes what is left)"
    )]
    Gone {
        /// The session.
        session: String,
        /// What happened.
        detail: String,
    },
    /// The client could not be made of it.
    #[error("failed to make a client of the kubeconfig {path}: {source}")]
    Client {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

/// The client of a kubeconfig file and its current context.
pub async fn client(kubeconfig: &Path) -> Result<kube::Client, ClientError> {
    client_of(kubeconfig, None).await
}

/// The same, acting as another user: the API server gives a service account its groups.
pub(crate) async fn client_as(kubeconfig: &Path, user: &str) -> Result<kube::Client, ClientError> {
    client_of(kubeconfig, Some(user.to_string())).await
}

async fn client_of(kubeconfig: &Path, user: Option<String>) -> Result<kube::Client, ClientError> {
    let path = kubeconfig.to_path_buf();
    let failed = |source| ClientError::Kubeconfig { path: path.clone(), source: Box::new(source) };
    let parsed = Kubeconfig::read_from(kubeconfig).map_err(failed)?;
    let options = KubeConfigOptions::default();
    let mut config =
        kube::Config::from_custom_kubeconfig(parsed, &options).await.map_err(failed)?;
    config.connect_timeout = Some(Duration::from_secs(5));
    // An exec stream is silent while its probes wait; the streams have deadlines of their own.
    config.read_timeout = None;
    config.write_timeout = None;
    config.auth_info.impersonate = user;
    kube::Client::try_from(config)
        .map_err(|source| ClientError::Client { path, source: Box::new(source) })
}
