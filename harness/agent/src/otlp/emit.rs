//! Sending one marker.

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::settings::{Encoding, Settings};
use super::{grpc, http, message};
use crate::http::Place;
use crate::outcome::Ending;
use crate::protocol::{EmitReply, EmitRequest, Outcome, Signal};
use crate::resolve::Resolver;
use crate::{connect, exchange};

/// A signal's messages: where its export goes, and how a collector takes back its "yes".
pub(super) trait Export: prost::Message + Send + 'static {
    /// The collector's answer.
    type Answer: prost::Message + Default + Send + 'static;
    /// The path of the gRPC method.
    const METHOD: &'static str;
    /// How many items were rejected, and why.
    fn rejected(answer: &Self::Answer) -> (i64, String);
}

impl Export for ExportLogsServiceRequest {
    type Answer = ExportLogsServiceResponse;
    const METHOD: &'static str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

    fn rejected(answer: &Self::Answer) -> (i64, String) {
        answer.partial_success.as_ref().map_or_else(
            || (0, String::new()),
            |part| (part.rejected_log_records, part.error_message.clone()),
        )
    }
}

impl Export for ExportMetricsServiceRequest {
    type Answer = ExportMetricsServiceResponse;
    const METHOD: &'static str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

    fn rejected(answer: &Self::Answer) -> (i64, String) {
        answer.partial_success.as_ref().map_or_else(
            || (0, String::new()),
            |part| (part.rejected_data_points, part.error_message.clone()),
        )
    }
}

/// Answers [`crate::protocol::Ask::Emit`] with the environment of this process, which is the
/// pod's own: an exec'ed process is given the container's environment.
pub async fn emit(
    resolver: &Resolver,
    request: &EmitRequest,
    environment: impl Fn(&str) -> Option<String>,
) -> EmitReply {
    let settings = match Settings::read(request, environment) {
        Ok(settings) => settings,
        Err(error) => {
            return EmitReply {
                accepted: false,
                outcome: Outcome::ProbeError,
                endpoint: request.endpoint.clone().unwrap_or_default(),
                header_names: Vec::new(),
                detail: error.to_string(),
            };
        }
    };
    let sent = send(resolver, request, &settings).await;
    let (accepted, ending) = match sent {
        Ok(detail) => (true, Ending::new(Outcome::Reached, detail)),
        Err(ending) => (false, ending),
    };
    EmitReply {
        accepted,
        outcome: ending.outcome,
        endpoint: settings.endpoint,
        header_names: settings.headers.into_iter().map(|(name, _)| name).collect(),
        detail: ending.detail,
    }
}

async fn send(
    resolver: &Resolver,
    request: &EmitRequest,
    settings: &Settings,
) -> Result<String, Ending> {
    let at_ns = exchange::now_us().saturating_mul(1000);
    let (marker, resource) = (&request.marker, &settings.resource);
    let wait = Duration::from_millis(request.timeout_ms);
    match request.signal {
        Signal::Log => {
            let message = message::log(marker, resource, at_ns);
            export(resolver, settings, wait, message).await
        }
        Signal::Metric => {
            let message = message::metric(marker, resource, at_ns);
            export(resolver, settings, wait, message).await
        }
    }
}

async fn export<E: Export>(
    resolver: &Resolver,
    settings: &Settings,
    wait: Duration,
    message: E,
) -> Result<String, Ending> {
    let place = Place::parse(&settings.url)?;
    let ip = resolver.resolve(&place.host).await?.ip();
    let deadline = Instant::now() + wait;
    let stream = connect::tcp(SocketAddr::new(ip, place.port), deadline).await?;
    let sent = timeout_at(deadline, carry(stream, &place, settings, message)).await;
    sent.unwrap_or_else(|_| Err(not_accepted("no answer of the collector within the time-out")))
}

async fn carry<E: Export>(
    stream: TcpStream,
    place: &Place,
    settings: &Settings,
    message: E,
) -> Result<String, Ending> {
    let (answer, detail) = match settings.encoding {
        Encoding::Grpc => grpc::export(stream, place, &settings.headers, message).await?,
        Encoding::Http => http::export(stream, place, &settings.headers, message).await?,
    };
    match E::rejected(&answer) {
        (0, _) => Ok(detail),
        (count, reason) => Err(not_accepted(&format!("{count} rejected: {reason}"))),
    }
}

/// The connection stood and the marker was not taken.
pub(super) fn not_accepted(detail: &str) -> Ending {
    Ending::new(Outcome::Reached, format!("connected, {detail}"))
}
