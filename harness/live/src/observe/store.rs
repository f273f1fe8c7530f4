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
    limit: Duration,
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
        let root = match signal {
            Signal::Log => "",
            Signal::Metric => "/prometheus",
        };
        let base = format!("{}{root}", service_url(place)?);
        Ok(Self { streams, reader, signal, base, limit: REQUEST_LIMIT })
    }

    /// Whatever answers queries below an address.
    pub(super) fn at(
        streams: &'a Streams,
        reader: &'a PodName,
        signal: Signal,
        address: &str,
    ) -> Self {
        let base = address.trim_end_matches('/').to_string();
        Self { streams, reader, signal, base, limit: REQUEST_LIMIT }
    }

    /// The same, with more time for an answer.
    pub(super) fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The status and body of a query for everything whose name begins with `prefix`.
    pub(super) async fn query(&self, org: Option<&str>, prefix: &str) -> Result<HttpReply, String> {
        self.ask(org, &self.path(prefix)).await
    }

    /// How many items there are of each sender whose name begins with `prefix`. The attribute
    /// `sender` is structured metadata in Loki and a label in Mimir.
    pub(super) async fn count(
        &self,
        org: &str,
        prefix: &str,
    ) -> Result<BTreeMap<String, u64>, String> {
        // sum by (sender) (count_over_time({…}[1h])), at this moment.
        let path = match self.signal {
            Signal::Log => format!(
                "/loki/api/v1/query?query=sum%20by%20%28sender%29%20%28count_over_time%28\
                 %7Bservice_name%3D~%22.%2B%22%7D%20%7C%3D%20%22{prefix}%22%5B1h%5D%29%29"
            ),
            Signal::Metric => format!(
                "/api/v1/query?query=sum%20by%20%28sender%29%20%28count_over_time%28\
                 %7B__name__%3D~%22{prefix}.%2A%22%7D%5B1h%5D%29%29"
            ),
        };
        let reply = self.ask(Some(org), &path).await?;
        if reply.status != Some(200) {
            return Err(format!("status {:?} {}", reply.status, reply.detail));
        }
        counts(&reply.body)
    }

    async fn ask(&self, org: Option<&str>, path: &str) -> Result<HttpReply, String> {
        let headers: BTreeMap<String, String> =
            org.map(|org| ("X-Scope-OrgID".to_string(), org.to_string())).into_iter().collect();
        let request = HttpRequest {
            method: "GET".to_string(),
            url: format!("{}{path}", self.base),
            headers,
            body: None,
            timeout_ms: u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX),
        };
        let limit = self.limit + REQUEST_LIMIT;
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
                format!("/api/v1/query?query=%7B__name__%3D~%22{prefix}.%2A%22%7D")
            }
        }
    }
}

/// The counts of a query's answer, by sender. Both stores answer in Prometheus' shape.
fn counts(body: &str) -> Result<BTreeMap<String, u64>, String> {
    let answer: serde_json::Value =
        serde_json::from_str(body).map_err(|error| format!("no JSON of counts: {error}"))?;
    let series = answer.pointer("/data/result").and_then(serde_json::Value::as_array);
    let series = series.ok_or("the answer has no list of counts")?;
    let one = |one: &serde_json::Value| {
        let sender = one.pointer("/metric/sender").and_then(serde_json::Value::as_str);
        let count = one.pointer("/value/1")?.as_str()?.parse::<u64>().ok()?;
        Some((sender.unwrap_or_default().to_string(), count))
    };
    let counts: Option<BTreeMap<String, u64>> = series.iter().map(one).collect();
    counts.ok_or_else(|| "a count is no number".to_string())
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

    #[test]
    fn counts_are_read_by_sender_and_nothing_else_is_a_count() {
        let body = r#"{"status": "success", "data": {"resultType": "vector", "result": [
            {"metric": {"sender": "p_1x"}, "value": [1763770000.1, "2500"]},
            {"metric": {"sender": "p_2x"}, "value": [1763770000.1, "7"]}]}}"#;
        let expected = BTreeMap::from([("p_1x".to_string(), 2500), ("p_2x".to_string(), 7)]);
        assert_eq!(counts(body), Ok(expected));
        assert_eq!(counts(r#"{"data": {"result": []}}"#), Ok(BTreeMap::new()));
        assert!(counts(r#"{"status": "error"}"#).is_err());
        assert!(counts("too many outstanding requests").is_err());
        let odd = r#"{"data": {"result": [{"metric": {"sender": "p"}, "value": [1, "NaN"]}]}}"#;
        assert!(counts(odd).is_err());
    }
}
