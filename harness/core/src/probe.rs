//! Questions put to a cluster: the only vocabulary between plan and backend.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::attempt::AttemptProbe;
use crate::contract::Tenant;
use crate::inventory::PodName;
use crate::port::Port;

pub use crate::forge::{Forge, Forged, Over};
pub use crate::load::LoadProbe;
pub use partywall_agent::protocol::{Signal, Speak};

/// A signal as a scenario file writes it.
pub const fn signal_word(signal: Signal) -> &'static str {
    match signal {
        Signal::Log => "log",
        Signal::Metric => "metric",
    }
}

/// The kinds of question, for deciding what a backend can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Can this pod reach that port?
    Reach,
    /// Who can read this secret?
    Secret,
    /// In which organisations does this marker arrive?
    Deliver,
    /// In which organisations does everything arrive while all tenants send?
    Load,
    /// In what state is this object?
    Object,
    /// What does this API answer?
    Access,
    /// What does a data source of Grafana show?
    Sources,
    /// What does the cluster's name server let through and tell?
    Dns,
    /// What becomes of this hostile object?
    Attempt,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// Can this pod reach that port?
    Reach(ReachProbe),
    /// About a tenant's secret.
    Secret(SecretProbe),
    /// About a telemetry marker.
    Deliver(DeliverProbe),
    /// About many items, sent while all tenants send.
    Load(LoadProbe),
    /// About the telemetry stores' own door.
    Access(AccessProbe),
    /// About the data sources of Grafana.
    Sources(SourcesProbe),
    /// About the cluster's name server.
    Dns(DnsProbe),
    /// About a hostile object.
    Attempt(Box<AttemptProbe>),
}

impl Probe {
    /// Its kind.
    pub const fn kind(&self) -> ProbeKind {
        match self {
            Self::Reach(_) => ProbeKind::Reach,
            Self::Secret(_) => ProbeKind::Secret,
            Self::Deliver(_) => ProbeKind::Deliver,
            Self::Load(_) => ProbeKind::Load,
            Self::Access(_) => ProbeKind::Access,
            Self::Sources(_) => ProbeKind::Sources,
            Self::Dns(_) => ProbeKind::Dns,
            Self::Attempt(_) => ProbeKind::Attempt,
        }
    }
}

/// How a target is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The pod's address.
    Pod,
    /// The Service's cluster IP.
    Service,
    /// The Service's DNS name.
    Name,
    /// The node's address.
    Node,
    /// The DNS name of a headless Service, or of one pod behind it.
    Headless,
    /// A node's address, and a port of every node that leads to a Service.
    NodePort,
    /// The DNS name of a Service in the client's namespace that stands for another's.
    ExternalName,
    /// An address outside of the cluster that a Service claims.
    ExternalIp,
}

impl By {
    /// As scenarios and reports write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Service => "service",
            Self::Name => "name",
            Self::Node => "node",
            Self::Headless => "headless",
            Self::NodePort => "node-port",
            Self::ExternalName => "external-name",
            Self::ExternalIp => "external-ip",
        }
    }

    /// Whether it leads through a door of a Service that is not its cluster IP or its own name.
    pub const fn is_door(self) -> bool {
        matches!(self, Self::Headless | Self::NodePort | Self::ExternalName | Self::ExternalIp)
    }
}

/// One attempt to reach one port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReachProbe {
    /// The client.
    pub from: PodName,
    /// Where it goes.
    pub target: Target,
}

/// Where a reach probe goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// For people: `shared-services/gateway`.
    pub label: String,
    /// How it is addressed.
    pub by: By,
    /// IP address or DNS name.
    pub address: String,
    /// Port and protocol.
    pub port: Port,
    /// What is said to it.
    pub speak: Speak,
    /// The agents that keep receipts for it; empty where the target is not ours.
    pub servers: Vec<PodName>,
}

/// One question about a tenant's secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretProbe {
    /// Whose.
    pub tenant: Tenant,
    /// What.
    pub ask: SecretAsk,
}

/// What can be asked about a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretAsk {
    /// Does the decrypted Secret in the cluster equal what went in?
    ArrivesDecrypted,
    /// Which of the tenants' keys open its files, and is every value in them sealed?
    OpensWithOwnKeyOnly,
    /// What does Flux say of a Kustomization that has the wrong key?
    RefusesWrongKey,
    /// Does any file of the commit hold a plaintext Secret or a private key?
    NothingReadableInGit,
    /// What becomes of a sealed file of another tenant, once this one has a copy in its folder?
    RefusesNeighboursFile,
    /// Is every file what was sealed? Its MAC tells, which Flux does not look at.
    AsSealed,
    /// Did an earlier commit hold a plaintext Secret or a private key?
    NothingReadableInHistory,
    /// Is any of its values found where it should not be: in logs, events, other Secrets, reports?
    CanariesStayPut,
}

/// One telemetry marker, sent by a tenant and looked for in every organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverProbe {
    /// The sender.
    pub tenant: Tenant,
    /// Log or metric.
    pub signal: Signal,
    /// How it is carried; as the sender's environment says where it is not asked for.
    pub over: Option<Over>,
    /// What of it is not the tenant's own.
    pub forged: Option<Forged>,
}

impl DeliverProbe {
    /// A marker as the tenant's own environment says.
    pub const fn of(tenant: Tenant, signal: Signal) -> Self {
        Self { tenant, signal, over: None, forged: None }
    }

    /// What is sent, for people: `log by grpc as other`, with the organisation that is claimed.
    pub fn words(&self) -> String {
        let mut words = signal_word(self.signal).to_string();
        if let Some(over) = self.over {
            words.push_str(&format!(" by {}", over.word()));
        }
        if let Some(forged) = &self.forged {
            words.push_str(&format!(" as {}", forged.how.word()));
            if let Some(other) = &forged.other {
                words.push_str(&format!(" to {other}"));
            }
        }
        words
    }
}

/// A request to a telemetry store as somebody whom it must refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessProbe {
    /// The store: logs or metrics.
    pub store: Signal,
    /// As whom it is asked.
    #[serde(default)]
    pub by: Asker,
}

/// As whom a telemetry store is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asker {
    /// Without an organisation.
    #[default]
    Nobody,
    /// As the first two organisations of the contract at once, `a|b`.
    TwoOrganisations,
}

/// The data sources of Grafana by which a tenant's telemetry is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesProbe {
    /// Whose.
    pub tenant: Tenant,
    /// The store: logs or metrics.
    pub store: Signal,
}

/// Questions to the cluster's name server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsProbe {
    /// Who asks.
    pub from: PodName,
    /// What is asked.
    pub ask: DnsAsk,
    /// Names of another tenant's Services, where it is asked about them.
    pub names: Vec<String>,
}

/// What can be asked of the cluster's name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsAsk {
    /// How many bytes a second go out and come back in questions for a foreign zone?
    Tunnel,
    /// Which names of another tenant's Services does it tell?
    OtherNames,
}

/// Questions asked together, answered in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeBatch {
    /// The questions.
    pub probes: Vec<Probe>,
    /// Places of the probes that are expected to be answered. A backend asks them first, and
    /// takes from them how long an answer takes, and so how long a deny must be waited for.
    pub answered: BTreeSet<usize>,
}
