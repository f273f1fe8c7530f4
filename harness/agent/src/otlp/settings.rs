//! The environment variables of an OTLP exporter.
//!
//! Those of the signal (`OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`) go before those of all signals
//! (`OTEL_EXPORTER_OTLP_ENDPOINT`). Errors name variables and headers and never a value of a
//! header, which may be a credential.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::protocol::{EmitRequest, Signal};

const HTTP_PORT: &str = "4318";
const ORGANISATION: &str = "x-scope-orgid";

/// How OTLP is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP/1.1.
    Http,
}

/// Where and how to send, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The endpoint as it was given.
    pub endpoint: String,
    /// The URL to send to, with the signal's path where HTTP is spoken.
    pub url: String,
    /// How OTLP is carried.
    pub encoding: Encoding,
    /// Lower-cased names and decoded values of the environment, then the lines of the request.
    pub headers: Vec<(String, String)>,
    /// `service.name` and the other attributes of the resource.
    pub resource: BTreeMap<String, String>,
}

/// What is wrong with the environment of an exporter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No endpoint is set.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT is not set in this pod")]
    NoEndpoint,
    /// A transport that is not spoken here.
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL: {0:?} is not spoken: use grpc or http/protobuf")]
    Protocol(String),
    /// An entry of a list of pairs is not `key=value`.
    #[error("{variable}: entry {entry} is not key=value in percent-encoded UTF-8")]
    Pair {
        /// The environment variable.
        variable: &'static str,
        /// Counted from 1.
        entry: usize,
    },
}

impl Settings {
    /// Reads the settings that hold for a request.
    pub fn read(
        request: &EmitRequest,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let read = Reader { environment, signal: request.signal };
        let (endpoint, exact) = match &request.endpoint {
            Some(endpoint) => (endpoint.clone(), false),
            None => read.endpoint()?,
        };
        let encoding = match implied(&endpoint) {
            // An endpoint of the request need not speak what the environment's own speaks.
            Some(encoding) if request.endpoint.is_some() => encoding,
            guess => read.encoding()?.or(guess).unwrap_or(Encoding::Grpc),
        };
        let mut headers = match &request.headers {
            Some(headers) => lower_cased(headers.clone()),
            None => lower_cased(read.headers()?),
        };
        if let Some(lines) = &request.organisation {
            headers.retain(|(name, _)| name != ORGANISATION);
            headers.extend(lines.clone());
        }
        let mut resource = read.resource()?;
        resource.extend(request.attributes.clone());
        Ok(Self {
            url: url(&endpoint, encoding, exact, request.signal),
            endpoint,
            encoding,
            headers,
            resource,
        })
    }
}

struct Reader<F> {
    environment: F,
    signal: Signal,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn all(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.trim().is_empty())
    }

    fn own(&self, suffix: &str) -> Option<String> {
        let signal = match self.signal {
            Signal::Log => "LOGS",
            Signal::Metric => "METRICS",
        };
        self.all(&format!("OTEL_EXPORTER_OTLP_{signal}_{suffix}"))
    }

    /// The endpoint, and whether it is the signal's own, which is used as it is.
    fn endpoint(&self) -> Result<(String, bool), SettingsError> {
        if let Some(endpoint) = self.own("ENDPOINT") {
            return Ok((endpoint, true));
        }
        let endpoint = self.all("OTEL_EXPORTER_OTLP_ENDPOINT").ok_or(SettingsError::NoEndpoint)?;
        Ok((endpoint, false))
    }

    fn encoding(&self) -> Result<Option<Encoding>, SettingsError> {
        let protocol = self.own("PROTOCOL").or_else(|| self.all("OTEL_EXPORTER_OTLP_PROTOCOL"));
        match protocol.as_deref().map(str::trim) {
            None => Ok(None),
            Some("grpc") => Ok(Some(Encoding::Grpc)),
            Some("http/protobuf") => Ok(Some(Encoding::Http)),
            Some(other) => Err(SettingsError::Protocol(other.to_owned())),
        }
    }

    fn headers(&self) -> Result<BTreeMap<String, String>, SettingsError> {
        let variable = "OTEL_EXPORTER_OTLP_HEADERS";
        let list = self.own("HEADERS").or_else(|| self.all(variable));
        pairs(variable, list.as_deref().unwrap_or_default())
    }

    fn resource(&self) -> Result<BTreeMap<String, String>, SettingsError> {
        let variable = "OTEL_RESOURCE_ATTRIBUTES";
        let list = self.all(variable);
        let mut attributes = pairs(variable, list.as_deref().unwrap_or_default())?;
        let service = self
            .all("OTEL_SERVICE_NAME")
            .or_else(|| attributes.remove("service.name"))
            .unwrap_or_else(|| "unknown_service:partywall-agent".to_owned());
        attributes.insert("service.name".to_owned(), service);
        Ok(attributes)
    }
}

/// What port and path say about how OTLP is carried.
fn implied(endpoint: &str) -> Option<Encoding> {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    match port {
        _ if !path.is_empty() => Some(Encoding::Http),
        Some(HTTP_PORT) => Some(Encoding::Http),
        Some("4317") => Some(Encoding::Grpc),
        _ => None,
    }
}

fn url(endpoint: &str, encoding: Encoding, exact: bool, signal: Signal) -> String {
    // The specification allows a gRPC endpoint without a scheme.
    let with_scheme =
        if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let path = match signal {
        Signal::Log => "v1/logs",
        Signal::Metric => "v1/metrics",
    };
    match encoding {
        Encoding::Http if !exact => format!("{}/{path}", with_scheme.trim_end_matches('/')),
        Encoding::Http | Encoding::Grpc => with_scheme,
    }
}

fn lower_cased(headers: BTreeMap<String, String>) -> Vec<(String, String)> {
    headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
}

/// `k=v,k2=v2` with percent-encoded values, as in the W3C baggage format.
fn pairs(variable: &'static str, list: &str) -> Result<BTreeMap<String, String>, SettingsError> {
    let mut found = BTreeMap::new();
    for (index, entry) in list.split(',').enumerate() {
        if entry.trim().is_empty() {
            continue;
        }
        let wrong = || SettingsError::Pair { variable, entry: index + 1 };
        let (key, value) = entry.split_once('=').ok_or_else(wrong)?;
        let key = decode(key).filter(|key| !key.is_empty()).ok_or_else(wrong)?;
        found.insert(key, decode(value).ok_or_else(wrong)?);
    }
    Ok(found)
}

fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text.trim()).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
