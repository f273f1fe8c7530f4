//! What `up` is asked for.

use std::path::PathBuf;

use partywall_core::contract::Tenant;
use serde::{Deserialize, Serialize};

/// A session to bring up.
#[derive(Clone, Debug)]
pub struct UpSpec {
    /// Name of the session and of its kind cluster.
    pub session: String,
    /// Where sessions are kept (`sessions/<name>` below it).
    pub state: PathBuf,
    /// One node, or two: a control plane and a worker.
    pub nodes: u8,
    /// Which addresses its pods have.
    pub ip_family: IpFamily,
    /// The layout to push.
    pub layout: LayoutSpec,
    /// Images and programs of the bundle.
    pub bundle: Bundle,
}

/// Which addresses the pods of a session have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpFamily {
    /// IPv4 alone.
    #[default]
    Ipv4,
    /// IPv4 and IPv6.
    Dual,
}

/// Images and programs that a session is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The `kind` program.
    pub kind: PathBuf,
    /// The `sops` program.
    pub sops: PathBuf,
    /// Image of the kind nodes.
    pub node: String,
    /// Image of the Git server, in the local Docker daemon.
    pub git_server: String,
    /// Image of the agent, in the local Docker daemon; layouts name it as it is here.
    pub agent: String,
    /// Where manifests name an image by its component (`partywall.local/<component>`), what
    /// stands there instead.
    pub components: std::collections::BTreeMap<String, String>,
}

/// A layout and what the contract says about it.
#[derive(Clone, Debug)]
pub struct LayoutSpec {
    /// The working tree.
    pub directory: PathBuf,
    /// File with the root GitRepository and Kustomization, relative to the tree.
    pub sync: String,
    /// Its tenants' secrets.
    pub secrets: Vec<TenantSecrets>,
    /// Which folder stands for which Git address.
    pub repositories: Vec<RepositorySpec>,
    /// Image references to write otherwise in the pushed commit.
    pub images: Vec<(String, String)>,
    /// A folder with private age keys (`*.agekey`) for the committed secrets, if there is one.
    pub keys: Option<PathBuf>,
}

/// The secrets of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSecrets {
    /// The tenant.
    pub tenant: String,
    /// SOPS files, relative to the layout's root.
    pub files: Vec<String>,
    /// Public age keys that may open them.
    pub recipients: Vec<String>,
    /// `namespace/name` of the Secret with the private key.
    pub key_secret: String,
}

impl TenantSecrets {
    /// What the contract says of a tenant's secrets; `None` where it has none.
    pub fn of(tenant: &Tenant) -> Option<Self> {
        let secrets = tenant.secrets.as_ref()?;
        Some(Self {
            tenant: tenant.name.clone(),
            files: secrets.files.clone(),
            recipients: secrets.recipients.clone(),
            key_secret: secrets.key_secret.clone(),
        })
    }
}

/// A Git repository and the folder that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySpec {
    /// The address as the layout's GitRepository objects write it.
    pub url: String,
    /// The folder, relative to the layout's root; `.` is the layout itself.
    pub path: String,
}

impl LayoutSpec {
    /// A layout without secrets or further repositories, synced from `flux-system/gotk-sync.yaml`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            sync: "flux-system/gotk-sync.yaml".to_string(),
            secrets: Vec::new(),
            repositories: Vec::new(),
            images: Vec::new(),
            keys: None,
        }
    }

    /// Which folder it is, however it was written.
    pub(crate) fn identity(&self) -> PathBuf {
        self.directory.canonicalize().unwrap_or_else(|_| self.directory.clone())
    }
}
