//! The variables of an OTLP exporter, read as the OpenTelemetry specification says and as the
//! live probe reads them: those of the signal go before those of all signals.

use std::collections::BTreeMap;

use partywall_core::probe::{Over, Signal};
use partywall_core::source::SourceLocation;
use percent_encoding::percent_decode_str;

use super::environment::{Environment, Variable};

/// Where every sender must say that it sends; the probe looks for the pod that has it.
pub(super) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// How OTLP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Grpc,
    Http,
}

impl Encoding {
    /// As receivers name it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// Where and how a container sends, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) endpoint: String,
    pub(super) endpoint_at: SourceLocation,
    pub(super) encoding: Encoding,
    /// Lower-cased names, decoded values.
    pub(super) headers: BTreeMap<String, String>,
    /// The variable of the headers, or that of the endpoint where there is none.
    pub(super) headers_at: SourceLocation,
}

impl Settings {
    /// The same by the other protocol's port on the host that all signals share.
    pub(super) fn over(self, over: Option<Over>, environment: &Environment) -> Self {
        let Some(over) = over else { return self };
        let shared = text(environment, ENDPOINT).ok().flatten();
        let (endpoint, endpoint_at) =
            shared.unwrap_or_else(|| (self.endpoint.clone(), self.endpoint_at.clone()));
        let encoding = match over {
            Over::Grpc => Encoding::Grpc,
            Over::Http => Encoding::Http,
        };
        Self { endpoint: over.beside(&endpoint), endpoint_at, encoding, ..self }
    }
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The sender itself could not send.
    Unusable(String),
    /// The files do not tell.
    Unknown(String, SourceLocation),
}

/// Read the settings of a signal.
pub(super) fn read(environment: &Environment, signal: Signal) -> Result<Settings, Problem> {
    let own = |suffix: &str| {
        let signal = match signal {
            Signal::Log => "LOGS",
            Signal::Metric => "METRICS",
        };
        text(environment, &format!("OTEL_EXPORTER_OTLP_{signal}_{suffix}"))
    };
    let all = |name: &str| text(environment, name);
    let endpoint = own("ENDPOINT")?.or(all(ENDPOINT)?);
    let missing = || Problem::Unusable(format!("{ENDPOINT} is not set in this pod"));
    let (endpoint, endpoint_at) = endpoint.ok_or_else(missing)?;
    let protocol = own("PROTOCOL")?.or(all("OTEL_EXPORTER_OTLP_PROTOCOL")?);
    let encoding = match protocol.as_ref().map(|(word, _)| word.trim()) {
        None => implied(&endpoint),
        Some("grpc") => Encoding::Grpc,
        Some("http/protobuf" | "http/json") => Encoding::Http,
        Some(other) => {
            let reason = format!("OTEL_EXPORTER_OTLP_PROTOCOL: {other:?} is not spoken");
            return Err(Problem::Unusable(reason));
        }
    };
    let list = own("HEADERS")?.or(all(HEADERS)?);
    let (list, headers_at) = list.unwrap_or_else(|| (String::new(), endpoint_at.clone()));
    Ok(Settings { headers: pairs(&list)?, endpoint, endpoint_at, encoding, headers_at })
}

/// A variable that is set and not empty.
fn text(
    environment: &Environment,
    name: &str,
) -> Result<Option<(String, SourceLocation)>, Problem> {
    match environment.get(name) {
        None => Ok(None),
        Some(Variable { value: Ok(value), location }) => {
            let set = !value.trim().is_empty();
            Ok(set.then(|| (value.clone(), location.clone())))
        }
        Some(Variable { value: Err(reason), location }) => {
            Err(Problem::Unknown(format!("{name}: {reason}"), location.clone()))
        }
    }
}

/// What port and path say about how OTLP is carried; gRPC where they say nothing.
pub(super) fn implied(endpoint: &str) -> Encoding {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    if !path.is_empty() || port == Some("4318") { Encoding::Http } else { Encoding::Grpc }
}

/// `k=v,k2=v2` with percent-encoded values. An error counts entries and shows none, because a
/// value may be a credential.
fn pairs(list: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    for (index, entry) in list.split(',').enumerate() {
        if entry.trim().is_empty() {
            continue;
        }
        let pair = entry.split_once('=').and_then(|(key, value)| {
            let key = decoded(key).filter(|key| !key.is_empty())?;
            Some((key.to_ascii_lowercase(), decoded(value)?))
        });
        let Some((key, value)) = pair else {
            let entry = index + 1;
            let reason =
                format!("{HEADERS}: entry {entry} is not key=value in percent-encoded UTF-8");
            return Err(Problem::Unusable(reason));
        };
        found.insert(key, value);
    }
    Ok(found)
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text.trim()).decode_utf8().ok().map(|text| text.into_owned())
}
