//! What was seen: typed, never a bare exit code.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::attempt::Identity;
use crate::data_source::DataSource;
use crate::probe::Signal;
use crate::source::SourceLocation;

pub use crate::load::{LoadObservation, LoadSight};
pub use partywall_agent::protocol::Outcome;

/// The answer to one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// To a reach probe.
    Reach(ReachObservation),
    /// To a secret probe.
    Secret(SecretObservation),
    /// To a deliver probe.
    Deliver(DeliverObservation),
    /// To a load probe.
    Load(LoadObservation),
    /// To an access probe without an organisation.
    Access(AccessObservation),
    /// To an access probe with two organisations.
    Read(ReadObservation),
    /// To a probe of data sources.
    Sources(SourcesObservation),
    /// To a DNS probe.
    Dns(DnsObservation),
    /// To an attempt.
    Attempt(Box<AttemptObservation>),
    /// The backend could not put the question; says why.
    Failed {
        /// One line for a person.
        detail: String,
    },
}

/// What the servers' own records say of a nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptState {
    /// A server has it.
    Present,
    /// A server accepted the probe's connection and was sent nothing: enough to disprove a
    /// deny, not enough to prove an allow.
    Accepted,
    /// Every server was asked after the probe had ended, and none has it.
    Absent,
    /// No server of the target is ours.
    NoServer,
    /// Nobody was asked: the answer follows from the files.
    Computed,
    /// A server could not be asked; says why.
    Unknown {
        /// One line for a person.
        detail: String,
    },
}

/// The answer to a reach probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachObservation {
    /// What happened at the client.
    pub outcome: Outcome,
    /// Whether the nonce came back.
    pub echoed: bool,
    /// What the server knows.
    pub receipt: ReceiptState,
    /// How long it took, in microseconds.
    pub elapsed_us: u64,
    /// One line for a person.
    pub detail: String,
}

/// The answer to a secret probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretObservation {
    /// SHA-256 of every value that went in, and of every value found in the cluster.
    Arrived {
        /// Per file that went in: path in the layout, and value path to hash.
        expected: BTreeMap<String, BTreeMap<String, String>>,
        /// Per Secret found in the cluster: `namespace/name`, and value path to hash.
        seen: BTreeMap<String, BTreeMap<String, String>>,
    },
    /// Which keys open the files.
    Openings {
        /// Every tenant of the contract that has secrets: each one's key must have been tried.
        tenants: Vec<String>,
        /// Per file.
        files: Vec<FileOpening>,
    },
    /// What Flux says with a wrong key, and how the same object fares with the right one.
    Status {
        /// The object that has the wrong key.
        object: String,
        /// Its `Ready` reason.
        reason: String,
        /// Its `Ready` message, with secrets cut.
        message: String,
        /// Whether the tenant's own Kustomization is ready at the same commit.
        control_ready: bool,
    },
    /// The Kustomization that builds the tenant's files has no `decryption` with its key.
    NoDecryption {
        /// The object, `namespace/name`.
        object: String,
    },
    /// Files that were read and what should not be in them.
    Scan {
        /// How many files were read.
        files: usize,
        /// Place and kind of every finding; never the value.
        findings: Vec<(SourceLocation, String)>,
    },
    /// Where the tenant's secret values were looked for.
    Searched {
        /// How many values that no other tenant has were looked for.
        canaries: usize,
        /// Where.
        places: Vec<SearchedPlace>,
    },
    /// What becomes of other tenants' sealed files in the tenant's own folder.
    Copies {
        /// Whether the same Kustomization opens what is the tenant's own, in the same way. Where
        /// it does not, that it refuses a neighbour's file tells nothing.
        opens_own: bool,
        /// One for each sealed file of each other tenant.
        copies: Vec<FileCopy>,
    },
    /// Whether files are what was sealed.
    Seals {
        /// Per file.
        files: Vec<FileSeal>,
    },
}

/// Whether one file is what was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSeal {
    /// Where the file has its MAC, or what does not fit it.
    pub location: SourceLocation,
    /// What its MAC says.
    pub state: SealState,
}

/// What the MAC of a sealed file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealState {
    /// It fits.
    Whole,
    /// It does not fit: says what was changed.
    Changed {
        /// One line for a person, without a value.
        detail: String,
    },
    /// The file has none.
    Missing,
    /// It cannot be told without a key, and none here opens the file; says why.
    Unknown {
        /// One line for a person.
        detail: String,
    },
}

/// One kind of place in which secret values were looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchedPlace {
    /// What it is: `events`, `logs of flux-system`.
    pub place: String,
    /// How many objects, logs or files were read.
    pub read: usize,
    /// Why the search did not find what the harness had planted there; nothing where it did.
    pub blind: Option<String>,
    /// Object, field, offset, encoding and the beginning of the hash; never the value.
    pub found: Vec<String>,
}

/// One tenant's sealed file in the folder of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCopy {
    /// The tenant whose file it is.
    pub owner: String,
    /// The file.
    pub file: String,
    /// What became of the copy.
    pub fate: CopyFate,
}

/// What became of a copied sealed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyFate {
    /// It was opened: the plaintext is the copier's. Says by which key.
    Opened {
        /// One line for a person, without the value.
        detail: String,
    },
    /// It was not opened, because the key does not fit. Says who refused it.
    Refused {
        /// One line for a person.
        detail: String,
    },
    /// It cannot be told; says why.
    Unknown {
        /// One line for a person.
        detail: String,
    },
}

/// Who can open one encrypted file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOpening {
    /// The file.
    pub file: String,
    /// Tenants whose key opened it.
    pub opened_by: Vec<String>,
    /// Tenants whose key was tried and refused, with the reason.
    pub refused: BTreeMap<String, String>,
    /// Values that are not sealed.
    pub readable: Vec<SourceLocation>,
    /// How many values are sealed.
    pub sealed: usize,
    /// Recipients that are no tenant's of the contract, and where the file names them.
    pub strangers: Vec<(SourceLocation, String)>,
}

/// Whether one organisation shows the marker and the fence written after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgSight {
    /// The marker.
    pub marker: bool,
    /// The fence, written into this organisation after the marker through the same pipeline.
    pub fence: bool,
}

/// The answer to a deliver probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverObservation {
    /// Whether the collector took the marker.
    pub accepted: bool,
    /// How the connection to the collector went.
    pub outcome: Outcome,
    /// The pod that sent it, `namespace/name`.
    pub sender: String,
    /// One line for a person.
    pub detail: String,
    /// Per organisation.
    pub orgs: BTreeMap<String, OrgSight>,
    /// How long the marker took from the collector's answer until the tenant's own organisation
    /// showed it, in microseconds; at most, for the store is asked now and then.
    #[serde(default)]
    pub visible_us: Option<u64>,
}

/// The answer to an access probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessObservation {
    /// How the connection went.
    pub outcome: Outcome,
    /// HTTP status without an organisation.
    pub status: Option<u16>,
    /// HTTP status of the same request with an organisation: the control.
    pub control_status: Option<u16>,
    /// One line for a person.
    pub detail: String,
}

/// The answer to an access probe with two organisations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadObservation {
    /// HTTP status of the request with both.
    pub status: Option<u16>,
    /// What the store said, for a person.
    pub detail: String,
    /// Of each of them.
    pub orgs: BTreeMap<String, ReadSight>,
}

/// What is seen of one organisation that is read together with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSight {
    /// Whether its own tenant's marker was found by who asked as this organisation alone, just
    /// before and with the same request: the control.
    pub alone: bool,
    /// Whether the request with both shows that marker.
    pub shown: bool,
}

/// The answer to a probe of data sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcesObservation {
    /// The namespace in which Grafana's provisioning was read.
    pub namespace: String,
    /// Every data source that leads to one of the stores, whichever is asked about, and those of a
    /// store's kind that lead elsewhere.
    pub sources: Vec<SourceSeen>,
    /// What may provision data sources and is not understood, and why.
    #[serde(default)]
    pub unread: Vec<String>,
    /// Per organisation, whether its tenant's marker was found by who asked the store as this
    /// organisation: the control.
    pub markers: BTreeMap<String, bool>,
}

/// One data source, and what reading through it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSeen {
    /// As it is provisioned.
    pub source: DataSource,
    /// Where: `ConfigMap observability/grafana-datasources`, or a file and line.
    pub place: String,
    /// The line, where files tell.
    #[serde(default)]
    pub location: Option<SourceLocation>,
    /// The store that it leads to by a name that is known; other names may lead there too.
    #[serde(default)]
    pub store: Option<Signal>,
    /// HTTP status of a request with its own address and header, of those that lead to the store
    /// that is asked about.
    pub status: Option<u16>,
    /// The organisations whose marker that request shows.
    pub shown: BTreeSet<String>,
    /// What the store said where it refused, for a person.
    pub detail: String,
}

/// What became of a hostile object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptObservation {
    /// `NetworkPolicy customer-a/partywall-attempt-allow-all-policy`.
    pub object: String,
    /// What every identity was told, in the order in which they tried.
    pub tried: Vec<Trying>,
    /// Whether the object would be taken from somebody who may.
    pub control: AttemptControl,
    /// What it did, where it was applied.
    pub effect: Option<AttemptEffect>,
    /// What could not be taken away again.
    pub left: Option<String>,
}

/// What one identity was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    /// Who tried.
    pub identity: Identity,
    /// The answer.
    pub answer: AttemptAnswer,
}

/// The answer to one identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptAnswer {
    /// It was not taken.
    Refused {
        /// What refused it.
        layer: Layer,
        /// In whose words.
        message: String,
    },
    /// It stood.
    Applied,
    /// Nobody knows; says why.
    Unknown {
        /// One line for a person.
        detail: String,
    },
}

/// What refuses an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The identity may not do it.
    Rights,
    /// Nobody of that namespace may have such an object.
    Admission,
    /// There is no such object.
    Validation,
}

impl Layer {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rights => "rights",
            Self::Admission => "admission",
            Self::Validation => "validation",
        }
    }
}

/// What gives a refusal its meaning: a malformed object is refused to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptControl {
    /// The very same object is taken from the administrator.
    Accepted,
    /// It is refused to the administrator too, and the same one without what makes it hostile is
    /// taken.
    Innocent,
    /// Nobody was asked: the answer follows from the files.
    Computed,
    /// Neither; says what the administrator was told.
    Failed {
        /// One line for a person.
        detail: String,
    },
}

/// What an applied object did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEffect {
    /// Why it is not certain that the object had begun to act when it was asked about.
    pub unrealised: Option<String>,
    /// The answers to the reach probes of the attempt, in their order.
    pub reaches: Vec<AttemptReachSeen>,
}

/// The answer to one reach probe of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptReachSeen {
    /// To the probe.
    pub seen: Observation,
    /// To its client's controls.
    pub client: Vec<Observation>,
    /// To its target's controls.
    pub target: Vec<Observation>,
}

/// What one client's questions to a name server came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsTally {
    /// Questions.
    pub asked: usize,
    /// Questions that were answered with a record.
    pub answered: usize,
    /// Questions that our own name server has received, where they were in its zone.
    pub arrived: usize,
    /// Bytes that the questions which arrived carried.
    pub bytes_out: u64,
    /// Bytes of text in the answers.
    pub bytes_in: u64,
    /// From the first question to the last answer, in microseconds.
    pub elapsed_us: u64,
    /// The names that were told, or what the first question was answered where none was.
    pub told: Vec<String>,
}

/// The answer to a DNS probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsObservation {
    /// The name server that was asked.
    pub server: String,
    /// What the tenant's pod was told.
    pub seen: DnsTally,
    /// What a client without policies was told on the same questions.
    pub control: DnsTally,
}
