//! What the harness and an agent say to each other.
//!
//! The harness starts `partywall-agent ask` in a pod over one exec stream and writes one
//! [`Command`] a line to its standard input; the agent answers with one [`Message`] a line on
//! its standard output, in the order in which answers are ready. The stream is complete only
//! when [`Message::Done`] has been read: a stream that ends without it has lost answers, and
//! the questions that were not answered are probe errors, never denials.
//!
//! Both ends are JSON objects, one a line, UTF-8, at most 1 MiB a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of this protocol. Harness and agent must agree exactly.
pub const PROTOCOL_VERSION: u32 = 3;

/// One question with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Chosen by the harness; the reply carries the same number.
    pub id: u64,
    /// The question.
    pub ask: Ask,
}

/// The questions an agent answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Try to reach a target once.
    Reach(ReachRequest),
    /// Read the receipts that the server of this pod holds for the named nonces, and every
    /// accepted TCP connection that never sent one.
    Receipts {
        /// Only these nonces; empty means all.
        nonces: Vec<String>,
    },
    /// Which ports the server of this pod listens on.
    Listening,
    /// Values of environment variables of the pod's own server process.
    Environment {
        /// Names to read; absent ones are left out of the reply.
        names: Vec<String>,
    },
    /// Send one telemetry marker by OTLP with the endpoint and headers of the pod's own
    /// environment (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`,
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`).
    Emit(EmitRequest),
    /// Send many telemetry items in the same way.
    Load(LoadRequest),
    /// One plain HTTP request.
    Http(HttpRequest),
    /// Many probes of a few targets at a steady rate, until they are ended or their time is up.
    Pace(PaceRequest),
    /// End every pace of this stream. Probes under way are still waited for.
    PaceEnd,
    /// Which probes of these paces reached the server of this pod and are not forgotten yet.
    Tally {
        /// Prefixes of nonces, see [`PaceTarget::prefix`].
        prefixes: Vec<String>,
        /// Whether the asker has the last answer: what it told is forgotten then. An answer that
        /// was lost on its way is told again.
        has_last: bool,
    },
    /// The samples of the pace that the server of this pod began at its first instruction.
    OwnPace,
    /// DNS questions, many at once.
    Dns(DnsRequest),
}

/// Transport protocols that can be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP, one-to-one style. Kernels without it cannot be asked.
    Sctp,
}

/// What a reach probe says to its target, and so what counts as an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speak {
    /// The agent's own exchange: the nonce is sent, and the same nonce must come back.
    Nonce,
    /// A completed TCP handshake is the answer; the nonce is sent and nothing is expected back.
    Connect,
    /// A DNS query for `kubernetes.default.svc.cluster.local`; any DNS answer counts.
    Dns,
    /// A DNS query for the text of `<nonce>.partywall.test`; an agent answers with the nonce,
    /// and any DNS answer counts.
    Lookup,
    /// TLS without verification, then `GET /partywall/<nonce>`; any HTTP status counts.
    Https,
}

/// One reach probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachRequest {
    /// An IP address or a DNS name (resolved by the agent through the pod's own resolver).
    pub target: String,
    /// Target port.
    pub port: u16,
    /// TCP, UDP or SCTP.
    pub transport: Transport,
    /// What to say.
    pub speak: Speak,
    /// 32 hexadecimal digits, unique in the run.
    pub nonce: String,
    /// How long to wait for the whole exchange, name resolution excluded.
    pub timeout_ms: u64,
}

/// What happened to a reach probe. "The command failed" is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The target answered as [`Speak`] demands.
    Reached,
    /// Actively refused (TCP reset, ICMP port unreachable or administratively prohibited).
    Refused,
    /// Nothing came back within the time-out.
    Dropped,
    /// The name did not resolve.
    Unresolved,
    /// The probe itself could not be made; `detail` says why.
    ProbeError,
}

/// Answer to [`Ask::Reach`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachReply {
    /// What happened.
    pub outcome: Outcome,
    /// The address that was tried, where the target was a name that resolved.
    pub address: Option<String>,
    /// The local port the probe used, to match against accepts at the server.
    pub local_port: Option<u16>,
    /// Whether the server sent the nonce back (only an agent does).
    pub echoed: bool,
    /// The pod that says it answered (`namespace/name` by its own environment), if an agent did.
    pub answered_by: Option<String>,
    /// How long the exchange took, in microseconds.
    pub elapsed_us: u64,
    /// One line for a person: the error, the HTTP status, the DNS response code.
    pub detail: String,
}

/// DNS record types that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsRecord {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name behind an address.
    Ptr,
    /// Services with their ports.
    Srv,
    /// Text.
    Txt,
}

/// One DNS question. The name is taken as it is, without a search list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DnsQuestion {
    /// The whole name.
    pub name: String,
    /// The record type.
    pub record: DnsRecord,
}

/// DNS questions over UDP, each asked once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRequest {
    /// `address:port`; the first name server of the pod's own `/etc/resolv.conf` if absent.
    pub server: Option<String>,
    /// The questions.
    pub questions: Vec<DnsQuestion>,
    /// How many are under way at once.
    pub at_once: u16,
    /// How long one answer is waited for.
    pub timeout_ms: u64,
}

/// Answer to one [`DnsQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// Reached where any answer came.
    pub outcome: Outcome,
    /// The response code in words, or the error.
    pub detail: String,
    /// The data of the records that came, for a person. A text is cut at 64 bytes.
    pub records: Vec<String>,
    /// Bytes of text in the records.
    pub text_bytes: u64,
}

/// Answer to [`Ask::Dns`], in the order of the questions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsReply {
    /// The name server that was asked.
    pub server: String,
    /// Per question.
    pub answers: Vec<DnsAnswer>,
    /// From the first question to the last answer, in microseconds.
    pub elapsed_us: u64,
}

/// One thing the server saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The nonce, or `None` for a TCP connection that was accepted and sent none.
    pub nonce: Option<String>,
    /// TCP, UDP or SCTP.
    pub transport: Transport,
    /// The local port it came to.
    pub port: u16,
    /// The peer's `address:port` as the server saw it.
    pub peer: String,
    /// Microseconds since the Unix epoch by the server's clock.
    pub at_us: u64,
}

/// A port the server listens on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listening {
    /// The port.
    pub port: u16,
    /// TCP, UDP or SCTP.
    pub transport: Transport,
    /// True where the port is a decoy: no object declares it, nobody may reach it.
    pub decoy: bool,
}

/// Telemetry signals that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// An OTLP log record whose body is the marker.
    Log,
    /// An OTLP gauge whose metric name is the marker, with the value 1.
    Metric,
}

/// One telemetry marker to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmitRequest {
    /// Log or metric.
    pub signal: Signal,
    /// `[a-z0-9_]+`, unique in the run.
    pub marker: String,
    /// Headers instead of those of the environment; `None` means the environment's own.
    pub headers: Option<BTreeMap<String, String>>,
    /// Endpoint instead of that of the environment.
    pub endpoint: Option<String>,
    /// Header lines that take the place of `X-Scope-OrgID`, in this order and in these letters
    /// where the protocol keeps letters; `None` leaves it as it is.
    #[serde(default)]
    pub organisation: Option<Vec<(String, String)>>,
    /// Attributes of the resource beside those of the environment.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// How long to wait for the collector's answer.
    pub timeout_ms: u64,
}

/// Answer to [`Ask::Emit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmitReply {
    /// Whether the collector accepted the marker.
    pub accepted: bool,
    /// How the connection went, where it is known.
    pub outcome: Outcome,
    /// The endpoint that was used.
    pub endpoint: String,
    /// The names (never the values) of the headers that were sent.
    pub header_names: Vec<String>,
    /// One line for a person: gRPC status or the transport's error.
    pub detail: String,
}

/// Many telemetry items to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRequest {
    /// As whom, where to and how. The marker is the name of the sender: log records are
    /// `MARKER_000017`, points are those of a gauge of that name, and all have it as the attribute
    /// `sender`. The time-out is that of the whole load.
    pub emit: EmitRequest,
    /// How many.
    pub items: u32,
    /// How many go in one request.
    pub per_request: u32,
    /// Connections, each of which sends one request after the other; 16 at most.
    pub at_once: u16,
    /// Not before this instant, in microseconds since the Unix epoch: so that all senders begin
    /// together.
    pub starts_at_us: u64,
}

/// Answer to [`Ask::Load`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReply {
    /// Items that were put on the way and answered for, with yes or no, within the time.
    pub sent: u64,
    /// Items that the collector took, some after another try.
    pub accepted: u64,
    /// Requests.
    pub requests: u64,
    /// How the connection went, of the first request that was not taken.
    pub outcome: Outcome,
    /// What it was told, in one line; empty where all were taken.
    pub detail: String,
    /// When the first request was sent, in microseconds since the Unix epoch.
    pub first_us: u64,
    /// When the last one was answered.
    pub last_us: u64,
}

/// Probes at a steady rate. A probe that is not answered holds up no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceRequest {
    /// The targets, each of which gets the whole rate.
    pub targets: Vec<PaceTarget>,
    /// Probes a second and target, 1 to 100.
    pub per_second: u32,
    /// When the pace ends by itself.
    pub lasts_ms: u64,
    /// How long each probe is waited for.
    pub timeout_ms: u64,
    /// How often the samples are told. A stream that breaks loses what was not told yet.
    pub chunk_ms: u64,
}

/// One target of a pace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceTarget {
    /// An IP address or a DNS name.
    pub target: String,
    /// Target port.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// `p` and sixteen hexadecimal digits, unique in the run. A probe's nonce is the prefix,
    /// `n`, and the probe's number.
    pub prefix: String,
    /// One connection, or one socket, for all probes: what was established before a wall was
    /// put up. Otherwise every probe is a new one.
    pub steady: bool,
}

/// One probe of a pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The place of its target in the request.
    pub target: u32,
    /// Its number: its place in the schedule. Numbers that are missing were never put.
    pub number: u64,
    /// When it was put, in microseconds since the Unix epoch by the client's clock.
    pub at_us: u64,
    /// How long it took.
    pub elapsed_us: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// Probes of one pace that reached a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallied {
    /// The pace's prefix.
    pub prefix: String,
    /// Number of the probe, and when it came in microseconds since the Unix epoch.
    pub arrivals: Vec<(u64, u64)>,
    /// Probes that came and for which there was no room.
    pub lost: u64,
}

/// One HTTP request over plain TCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// `http://host:port/path?query`.
    pub url: String,
    /// Request headers.
    pub headers: BTreeMap<String, String>,
    /// Request body.
    pub body: Option<String>,
    /// How long to wait for the whole exchange.
    pub timeout_ms: u64,
}

/// Answer to [`Ask::Http`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpReply {
    /// How the connection went.
    pub outcome: Outcome,
    /// The status, where there was one.
    pub status: Option<u16>,
    /// The body, cut at 256 KiB, invalid UTF-8 replaced.
    pub body: String,
    /// The error, where there was one.
    pub detail: String,
}

/// What an agent writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// The first line of a stream.
    Hello {
        /// [`PROTOCOL_VERSION`] of the agent.
        protocol: u32,
        /// `namespace/name` of the pod by its own environment (`POD_NAMESPACE`, `POD_NAME`,
        /// or the host name), or empty.
        pod: String,
    },
    /// The answer to the command of this number.
    Reply {
        /// The number.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// Samples of a pace, before its [`Reply::Paced`].
    Samples {
        /// The number of the pace's command.
        id: u64,
        /// Probes that have ended since the last chunk, in the order of their ends.
        samples: Vec<Sample>,
    },
    /// The last line: standard input ended and every command was answered.
    Done {
        /// How many commands were read.
        commands: u64,
    },
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Ask::Reach`].
    Reach(ReachReply),
    /// To [`Ask::Receipts`].
    Receipts(Vec<Receipt>),
    /// To [`Ask::Listening`].
    Listening(Vec<Listening>),
    /// To [`Ask::Environment`].
    Environment(BTreeMap<String, String>),
    /// To [`Ask::Emit`].
    Emit(EmitReply),
    /// To [`Ask::Load`].
    Load(LoadReply),
    /// To [`Ask::Http`].
    Http(HttpReply),
    /// To [`Ask::Dns`].
    Dns(DnsReply),
    /// To [`Ask::Pace`], after the last of its samples: how many probes were put.
    Paced {
        /// Probes.
        probes: u64,
    },
    /// To [`Ask::PaceEnd`]: how many paces were told to end.
    PaceEnded {
        /// Paces.
        paces: u64,
    },
    /// To [`Ask::Tally`].
    Tally(Vec<Tallied>),
    /// To [`Ask::OwnPace`].
    OwnPace(Vec<Sample>),
    /// The command could not be understood or its server part could not be asked.
    Failed {
        /// One line for a person.
        detail: String,
    },
}
