//! Asking Loki and Mimir, from a pod of the platform.
//!
//! Loki: `GET /loki/api/v1/query_range`
//! (<https://grafana.com/docs/loki/latest/reference/loki-http-api/>); Mimir:
//! `GET /prometheus/api/v1/query`
//! (<https://grafana.com/docs/mimir/latest/references/http-api/>). Both take the organisation
//! from the `X-Scope-OrgID` header and answer an unknown one with an empty result.

use std::collections::BTreeMap;
use std::time::Duration;

use partywall_agent::protocol::{Ask, HttpReply, HttpRequest, Reply, Signal};
use partywall_core::contract::Telemetry;
use partywall_core::inventory::PodName;

use super::streams::Streams;

const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// A telemetry store behind its Service.
pub(super) struct Store<'a> {
    streams: &'a Streams,
    reader: &'a PodName,
    signal: Signal,
    base: String,
}

impl<'a> Store<'a> {
    /// The store of a signal; `reader` is a pod of the platform that may reach it.
    pub(super) fn new(
        streams: &'a Streams,
        reader: &'a PodName,
        telemetry: &Telemetry,
        signal: Signal,
    ) -> Result<Self, String> {
        let place = match signal {
            Signal::Log => &telemetry.logs,
            Signal::Metric => &telemetry.metrics,
        };
        Ok(Self { streams, reader, signal, base: service_url(place)? })
    }

    /// The status and body of a query for everything whose name begins with `prefix`.
    pub(super) async fn query(&self, org: Option<&str>, prefix: &str) -> Result<HttpReply, String> {
        let headers: BTreeMap<String, String> =
            org.map(|org| ("X-Scope-OrgID".to_string(), org.to_string())).into_iter().collect();
        let request = HttpRequest {
            method: "GET".to_string(),
            url: format!("{}{}", self.base, self.path(prefix)),
            headers,
            body: None,
            timeout_ms: u64::try_from(REQUEST_LIMIT.as_millis()).unwrap_or(u64::MAX),
        };
        let limit = REQUEST_LIMIT * 2;
        match self.streams.ask_one(self.reader, Ask::Http(request), limit).await? {
            Reply::Http(reply) => Ok(reply),
            other => Err(format!("the agent answered another question: {other:?}")),
        }
    }

    fn path(&self, prefix: &str) -> String {
        match self.signal {
            // {service_name=~".+"} |= "prefix"; Loki sets service_name on every OTLP stream.
            Signal::Log => format!(
                "/loki/api/v1/query_range?limit=1000&since=1h&query=\
                 %7Bservice_name%3D~%22.%2B%22%7D%20%7C%3D%20%22{prefix}%22"
            ),
            // {__name__=~"prefix.*"}
            Signal::Metric => {
                format!("/prometheus/api/v1/query?query=%7B__name__%3D~%22{prefix}.%2A%22%7D")
            }
        }
    }
}

/// `namespace/service:port` as an address inside the cluster.
fn service_url(place: &str) -> Result<String, String> {
    let malformed = || format!("`{place}` in the contract is not NAMESPACE/SERVICE:PORT");
    let (namespace, rest) = place.split_once('/').ok_or_else(malformed)?;
    let (service, port) = rest.split_once(':').ok_or_else(malformed)?;
    let port: u16 = port.parse().map_err(|_| malformed())?;
    Ok(format!("http://{service}.{namespace}.svc.cluster.local:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_the_contract_is_an_address() {
        assert_eq!(
            service_url("observability/loki:3100").unwrap(),
            "http://loki.observability.svc.cluster.local:3100"
        );
        assert!(service_url("loki:3100").is_err());
    }
}
