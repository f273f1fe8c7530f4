//! The shape of a scenario file; `scenarios/README.md` documents every key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attempt::Hostile;
use crate::cluster::Backend;
use crate::port::{Port, Transport};
use crate::probe::{Asker, By, DnsAsk, Forge, Over, ProbeKind, SecretAsk, Signal};

/// One claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The claim, with `{tenant}` and `{other}` where the scenario is made for each.
    pub claim: String,
    /// Why the layout promises it.
    pub because: String,
    /// Over what the contract's tenants it is repeated.
    #[serde(rename = "for", default)]
    pub each: Each,
    /// What is asked.
    pub probe: Question,
    /// What must be seen.
    pub expect: Expect,
    /// What makes a negative observation mean something.
    #[serde(default)]
    pub controls: Vec<Control>,
    /// The backends that may judge it; all unless listed.
    #[serde(default = "every_backend")]
    pub backends: Vec<Backend>,
    /// `<topic>/<file stem>`, from the path.
    #[serde(skip)]
    pub path: String,
}

fn every_backend() -> Vec<Backend> {
    vec![Backend::Offline, Backend::Kind, Backend::Attach]
}

/// Over what a scenario is repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Each {
    /// Once.
    #[default]
    Once,
    /// For every tenant, as `{tenant}`.
    EachTenant,
    /// For every ordered pair of different tenants, as `{tenant}` and `{other}`.
    EachTenantPair,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Who reaches whom.
    Reach(Reach),
    /// Who reads a secret.
    Secret(Secret),
    /// Where telemetry lands.
    Deliver(Deliver),
    /// Where telemetry lands while all tenants send.
    Load(Load),
    /// What a telemetry store answers to whom it must refuse.
    Access(Access),
    /// What the data sources of Grafana show.
    DataSources(DataSources),
    /// What the cluster's name server lets through and tells.
    Dns(Dns),
    /// What becomes of hostile objects.
    Attempt(Attempt),
}

impl Question {
    /// The kind of probe that it needs.
    pub const fn kind(&self) -> ProbeKind {
        match self {
            Self::Reach(_) => ProbeKind::Reach,
            Self::Secret(_) => ProbeKind::Secret,
            Self::Deliver(_) => ProbeKind::Deliver,
            Self::Load(_) => ProbeKind::Load,
            Self::Access(_) => ProbeKind::Access,
            Self::DataSources(_) => ProbeKind::Sources,
            Self::Dns(_) => ProbeKind::Dns,
            Self::Attempt(_) => ProbeKind::Attempt,
        }
    }
}

/// Who reaches whom.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reach {
    /// The clients.
    pub from: Party,
    /// The targets.
    pub to: Party,
    /// Which of the targets' ports.
    #[serde(default)]
    pub ports: Ports,
    /// Which protocols.
    #[serde(default = "both_transports")]
    pub transports: Vec<Transport>,
    /// How targets are addressed.
    #[serde(default = "by_pod")]
    pub by: Vec<By>,
    /// Which of their addresses.
    #[serde(default)]
    pub family: Family,
}

/// Families of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// The address that a pod has first.
    #[default]
    Ipv4,
    /// Its IPv6 address, where it has one beside.
    Ipv6,
}

fn both_transports() -> Vec<Transport> {
    vec![Transport::Tcp, Transport::Udp]
}

fn by_pod() -> Vec<By> {
    vec![By::Pod]
}

/// One side of a reach question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Party {
    /// Every pod of the tenant that the scenario is made for: `"{tenant}"`.
    Tenant,
    /// Every pod of the other tenant of the pair: `"{other}"`.
    Other,
    /// Every pod, and every entity, of the platform: `platform`.
    Platform,
    /// Every pod of the endpoints that the contract lets the tenant reach: `contracted`.
    Contracted,
    /// Every pod of the platform's namespaces in which tenants reach something, but for those of
    /// the cluster's name server, which answers everybody: `shared`.
    Shared,
    /// The harness's client and sink in policy-free namespaces: `open`.
    Open,
    /// Every pod behind the contract's telemetry stores: `telemetry-stores`.
    TelemetryStores,
    /// The client itself: `itself`.
    Itself,
    /// Every node, at its own address: `nodes`.
    Nodes,
    /// The metadata service and other link-local addresses: `metadata`.
    Metadata,
    /// Addresses outside of the cluster: `outside`.
    Outside,
    /// Name servers that are not the cluster's own, inside and outside: `name-servers`.
    NameServers,
    /// Pods by namespace and labels: `pods:namespace/key=value,key=value`.
    Pods {
        /// Namespace.
        namespace: String,
        /// Labels.
        labels: BTreeMap<String, String>,
    },
}

impl TryFrom<String> for Party {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "{tenant}" => Ok(Self::Tenant),
            "{other}" => Ok(Self::Other),
            "platform" => Ok(Self::Platform),
            "contracted" => Ok(Self::Contracted),
            "shared" => Ok(Self::Shared),
            "open" => Ok(Self::Open),
            "itself" => Ok(Self::Itself),
            "telemetry-stores" => Ok(Self::TelemetryStores),
            "nodes" => Ok(Self::Nodes),
            "metadata" => Ok(Self::Metadata),
            "outside" => Ok(Self::Outside),
            "name-servers" => Ok(Self::NameServers),
            other => pods(other).ok_or_else(|| {
                format!(
                    "`{other}` is no party: write {{tenant}}, {{other}}, platform, contracted, \
                     shared, telemetry-stores, open, itself, nodes, metadata, outside, name-servers, or \
                     pods:NAMESPACE/KEY=VALUE"
                )
            }),
        }
    }
}

fn pods(text: &str) -> Option<Party> {
    let (namespace, selector) = text.strip_prefix("pods:")?.split_once('/')?;
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        Some((key.to_string(), value.to_string()))
    };
    let labels = selector.split(',').map(pair).collect::<Option<BTreeMap<_, _>>>()?;
    Some(Party::Pods { namespace: namespace.to_string(), labels })
}

/// Which ports of the targets are asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ports {
    /// Every port that listens, decoys included, less what the contract allows the client.
    #[default]
    Uncontracted,
    /// The ports that the contract allows the client.
    Contracted,
    /// Every port that listens, decoys included.
    Listening,
    /// These.
    These(Vec<Port>),
}

/// A question about secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Secret {
    /// What is asked.
    pub ask: SecretAsk,
}

/// A question about telemetry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deliver {
    /// Log, metric, or a list of both.
    #[serde(deserialize_with = "one_or_several")]
    pub signal: Vec<Signal>,
    /// How it is carried: each of these, or as the sender's environment says.
    #[serde(default)]
    pub over: Vec<Over>,
    /// Each of these claims of another's organisation, or none.
    #[serde(default)]
    pub forge: Vec<Forge>,
}

/// A question about the telemetry of all tenants at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// Log, metric, or a list of both.
    #[serde(deserialize_with = "one_or_several")]
    pub signal: Vec<Signal>,
    /// How it is carried: each of these, or as the sender's environment says.
    #[serde(default)]
    pub over: Vec<Over>,
    /// How many items of each signal go each way, for each tenant.
    pub items: u32,
}

fn one_or_several<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Signal>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrSeveral {
        One(Signal),
        Several(Vec<Signal>),
    }
    Ok(match OneOrSeveral::deserialize(deserializer)? {
        OneOrSeveral::One(signal) => vec![signal],
        OneOrSeveral::Several(signals) => signals,
    })
}

/// A question to a telemetry store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Access {
    /// The store, by the signal that it keeps.
    pub store: Signal,
    /// As whom it is asked.
    #[serde(default, rename = "as")]
    pub by: Asker,
}

/// A question about the data sources of Grafana.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataSources {
    /// The stores that they lead to, by the signal that they keep: one, or a list.
    #[serde(deserialize_with = "one_or_several")]
    pub store: Vec<Signal>,
}

/// Hostile objects in a tenant's folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Attempt {
    /// Which are tried.
    pub objects: Vec<Hostile>,
}

/// A question to the cluster's name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dns {
    /// What is asked.
    pub ask: DnsAsk,
}

/// What must be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// The target answers.
    Reached,
    /// The target is not reached, and it is proven that the wall is the cause.
    Denied,
    /// Shown, not judged.
    Recorded,
    /// The secret is as the question demands.
    Sealed,
    /// The marker is in the tenant's own organisation and in no other.
    OwnOrgOnly,
    /// The marker is in no other organisation than the tenant's own, and may be nowhere.
    NoOtherOrg,
    /// The store answers 401.
    Unauthorized,
    /// The store refuses to be read.
    Refused,
    /// The object is refused, or opens nothing.
    Contained,
}

impl Expect {
    /// As a scenario file writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::Denied => "denied",
            Self::Recorded => "recorded",
            Self::Sealed => "sealed",
            Self::OwnOrgOnly => "own-org-only",
            Self::NoOtherOrg => "no-other-org",
            Self::Unauthorized => "unauthorized",
            Self::Refused => "refused",
            Self::Contained => "contained",
        }
    }

    /// Whether the expectation claims that something does not happen, so that it needs
    /// controls.
    pub const fn is_negative(self) -> bool {
        matches!(
            self,
            Self::Denied
                | Self::OwnOrgOnly
                | Self::NoOtherOrg
                | Self::Unauthorized
                | Self::Refused
                | Self::Contained
        )
    }
}

/// What makes a negative observation mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// In the same window the same client reached a target that it may reach.
    ClientReachesAllowed,
    /// In the same window a client that may do so reached the same target and port.
    AllowedClientReaches,
    /// The server's own record shows that the nonce never arrived.
    Receipt,
    /// A fence written later through the same pipeline was seen in every organisation.
    Fence,
    /// The same request with an organisation succeeds.
    WithOrg,
    /// The administrator may do what the tenant is refused, or may do the same without its hostile
    /// part.
    AcceptedFromAdministrator,
}
