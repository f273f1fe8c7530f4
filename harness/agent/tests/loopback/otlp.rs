//! Markers to a small collector of our own, over gRPC and HTTP.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use partywall_agent::otlp::{emit, load};
use partywall_agent::protocol::{EmitReply, EmitRequest, LoadReply, LoadRequest, Outcome, Signal};
use partywall_agent::resolve::Resolver;
use prost::Message;
use tokio::net::TcpListener;

use crate::support::{PATIENT_MS, loopback};

/// What a collector was sent.
#[derive(Clone, Debug)]
struct Sent {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// How a collector answers.
#[derive(Clone, Copy)]
enum Mood {
    Takes,
    Rejects,
    Unauthenticated,
}

type Seen = Arc<Mutex<Vec<Sent>>>;

async fn collector(mood: Mood) -> (u16, Seen) {
    let listener = TcpListener::bind(loopback(0)).await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut magic = [0; 3];
            stream.peek(&mut magic).await.expect("it speaks");
            let seen = Arc::clone(&seen);
            let service = service_fn(move |request| take(Arc::clone(&seen), mood, request));
            let io = TokioIo::new(stream);
            // HTTP/2 with prior knowledge begins with `PRI`.
            if &magic == b"PRI" {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(io, service));
            } else {
                let builder = hyper::server::conn::http1::Builder::new();
                tokio::spawn(builder.serve_connection(io, service));
            }
        }
    });
    (port, kept)
}

async fn take(
    seen: Seen,
    mood: Mood,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let path = parts.uri.path().to_owned();
    let is_grpc = path.ends_with("/Export");
    let sent = Sent { path, headers: parts.headers, body };
    seen.lock().expect("no panic before").push(sent);
    let rejected = matches!(mood, Mood::Rejects).then(|| ExportLogsPartialSuccess {
        rejected_log_records: 1,
        error_message: "too old".to_owned(),
    });
    let answer = ExportLogsServiceResponse { partial_success: rejected }.encode_to_vec();
    Ok(if is_grpc { grpc(mood, &answer) } else { http(mood, answer) })
}

fn http(mood: Mood, answer: Vec<u8>) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(Full::new(Bytes::from(answer)).boxed());
    if matches!(mood, Mood::Unauthenticated) {
        *response.status_mut() = hyper::StatusCode::UNAUTHORIZED;
        *response.body_mut() = Full::new(Bytes::from("no org id\n")).boxed();
    }
    response
}

fn grpc(mood: Mood, answer: &[u8]) -> Response<BoxBody<Bytes, Infallible>> {
    let mut trailers = HeaderMap::new();
    let mut frames = Vec::new();
    if matches!(mood, Mood::Unauthenticated) {
        trailers.insert("grpc-status", "16".parse().expect("a value"));
        trailers.insert("grpc-message", "no%20org%20id".parse().expect("a value"));
    } else {
        let length = u32::try_from(answer.len()).expect("it is small");
        let message = [&[0], length.to_be_bytes().as_slice(), answer].concat();
        frames.push(Ok(Frame::data(Bytes::from(message))));
        trailers.insert("grpc-status", "0".parse().expect("a value"));
    }
    frames.push(Ok(Frame::trailers(trailers)));
    let mut response = Response::new(StreamBody::new(Frames(frames.into())).boxed());
    let grpc = "application/grpc".parse().expect("a value");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// Frames that are all there.
struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, Infallible>>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

async fn send(signal: Signal, port: u16, protocol: &str) -> EmitReply {
    send_as(signal, port, protocol, None).await
}

async fn send_as(
    signal: Signal,
    port: u16,
    protocol: &str,
    organisation: Option<Vec<(String, String)>>,
) -> EmitReply {
    let request = EmitRequest {
        signal,
        marker: "marker_1".to_owned(),
        headers: None,
        endpoint: None,
        organisation,
        attributes: BTreeMap::new(),
        timeout_ms: PATIENT_MS,
    };
    let environment = BTreeMap::from([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "X-Scope-OrgID=customer%2Da".to_owned()),
        ("OTEL_SERVICE_NAME", "open-webui".to_owned()),
    ]);
    let resolver = Resolver::with_servers(&[], &[], 1);
    emit(&resolver, &request, |name| environment.get(name).cloned()).await
}

#[tokio::test]
async fn a_log_marker_arrives_with_the_headers_of_the_environment() {
    for (protocol, path, prefix) in [
        ("grpc", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", 5),
        ("http/protobuf", "/v1/logs", 0),
    ] {
        let (port, seen) = collector(Mood::Takes).await;
        let reply = send(Signal::Log, port, protocol).await;
        assert!(reply.accepted, "{protocol}: {}", reply.detail);
        assert_eq!(reply.outcome, Outcome::Reached);
        assert_eq!(reply.header_names, ["x-scope-orgid"]);
        let sent = seen.lock().expect("no panic before")[0].clone();
        assert_eq!(sent.path, path);
        assert_eq!(sent.headers["x-scope-orgid"], "customer-a");
        let message = ExportLogsServiceRequest::decode(&sent.body[prefix..]).expect("OTLP");
        let text = format!("{message:?}");
        assert!(text.contains("open-webui"), "{text}");
        let record = &message.resource_logs[0].scope_logs[0].log_records[0];
        assert!(format!("{:?}", record.body).contains("marker_1"));
    }
}

#[tokio::test]
async fn forged_lines_are_sent_one_by_one_and_in_their_order() {
    for protocol in ["grpc", "http/protobuf"] {
        let (port, seen) = collector(Mood::Takes).await;
        let line = |value: &str| ("x-sCoPe-oRgId".to_owned(), value.to_owned());
        let lines = Some(vec![line("customer-b"), line("customer-a")]);
        let reply = send_as(Signal::Log, port, protocol, lines).await;
        assert!(reply.accepted, "{protocol}: {}", reply.detail);
        let reply = send_as(Signal::Log, port, protocol, Some(Vec::new())).await;
        assert!(reply.accepted, "{protocol}: {}", reply.detail);
        let reply = send_as(Signal::Log, port, protocol, Some(vec![line("")])).await;
        assert!(reply.accepted, "{protocol}: {}", reply.detail);
        let sent = seen.lock().expect("no panic before").clone();
        let organisations = |sent: &Sent| {
            let lines = sent.headers.get_all("x-scope-orgid").iter();
            lines.map(|value| value.to_str().expect("text").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(organisations(&sent[0]), ["customer-b", "customer-a"], "{protocol}");
        assert!(organisations(&sent[1]).is_empty(), "{protocol}");
        assert_eq!(organisations(&sent[2]), [""], "{protocol}");
    }
}

#[tokio::test]
async fn a_forged_line_is_one_line() {
    let (port, seen) = collector(Mood::Takes).await;
    let split = Some(vec![("X-Scope-OrgID".to_owned(), "a\r\nX-Other: b".to_owned())]);
    let reply = send_as(Signal::Log, port, "http/protobuf", split).await;
    assert_eq!((reply.accepted, reply.outcome), (false, Outcome::ProbeError));
    assert!(seen.lock().expect("no panic before").is_empty());
}

#[tokio::test]
async fn a_metric_marker_is_a_gauge_of_that_name() {
    for (protocol, prefix) in [("grpc", 5), ("http/protobuf", 0)] {
        let (port, seen) = collector(Mood::Takes).await;
        let reply = send(Signal::Metric, port, protocol).await;
        assert!(reply.accepted, "{protocol}: {}", reply.detail);
        let sent = seen.lock().expect("no panic before")[0].clone();
        let message = ExportMetricsServiceRequest::decode(&sent.body[prefix..]).expect("OTLP");
        let metric = &message.resource_metrics[0].scope_metrics[0].metrics[0];
        assert_eq!(metric.name, "marker_1");
        assert!(format!("{:?}", metric.data).contains("AsDouble(1.0)"));
    }
}

#[tokio::test]
async fn a_collector_that_says_no_has_been_reached_and_has_not_accepted() {
    for (mood, expected) in
        [(Mood::Rejects, "1 rejected: too old"), (Mood::Unauthenticated, "no org id")]
    {
        for protocol in ["grpc", "http/protobuf"] {
            let (port, _) = collector(mood).await;
            let reply = send(Signal::Log, port, protocol).await;
            assert!(!reply.accepted, "{protocol}");
            assert_eq!(reply.outcome, Outcome::Reached);
            assert!(reply.detail.contains(expected), "{protocol}: {}", reply.detail);
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_by_the_outcome() {
    let listener = TcpListener::bind(loopback(0)).await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let reply = send(Signal::Log, port, "grpc").await;
    assert!(!reply.accepted);
    assert_eq!(reply.outcome, Outcome::Refused, "{}", reply.detail);
}

async fn send_many(signal: Signal, port: u16, protocol: &str) -> LoadReply {
    let emit = EmitRequest {
        signal,
        marker: "sender_1".to_owned(),
        headers: None,
        endpoint: None,
        organisation: None,
        attributes: BTreeMap::new(),
        timeout_ms: PATIENT_MS,
    };
    let request = LoadRequest { emit, items: 25, per_request: 10, at_once: 2, starts_at_us: 0 };
    let environment = BTreeMap::from([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.to_owned()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "X-Scope-OrgID=customer%2Da".to_owned()),
    ]);
    let resolver = Resolver::with_servers(&[], &[], 1);
    load(&resolver, &request, |name| environment.get(name).cloned()).await
}

#[tokio::test]
async fn every_log_of_a_load_is_sent_once_and_by_its_own_time() {
    for (protocol, prefix) in [("grpc", 5), ("http/protobuf", 0)] {
        let (port, seen) = collector(Mood::Takes).await;
        let reply = send_many(Signal::Log, port, protocol).await;
        let told = (reply.sent, reply.accepted, reply.requests, reply.outcome);
        assert_eq!(told, (25, 25, 3, Outcome::Reached), "{protocol}: {}", reply.detail);
        assert!(reply.first_us > 0 && reply.last_us >= reply.first_us);
        let sent = seen.lock().expect("no panic before").clone();
        assert!(sent.iter().all(|one| one.headers["x-scope-orgid"] == "customer-a"));
        let mut bodies = std::collections::BTreeSet::new();
        let mut times = std::collections::BTreeSet::new();
        for one in &sent {
            let message = ExportLogsServiceRequest::decode(&one.body[prefix..]).expect("OTLP");
            for record in &message.resource_logs[0].scope_logs[0].log_records {
                assert!(format!("{:?}", record.attributes).contains("sender_1"));
                bodies.insert(format!("{:?}", record.body));
                times.insert(record.time_unix_nano);
            }
        }
        assert_eq!((bodies.len(), times.len()), (25, 25), "{protocol}");
        assert!(bodies.iter().any(|body| body.contains("sender_1_000024")));
    }
}

#[tokio::test]
async fn points_of_a_load_are_in_order_within_their_series() {
    let (port, seen) = collector(Mood::Takes).await;
    let reply = send_many(Signal::Metric, port, "grpc").await;
    assert_eq!((reply.sent, reply.accepted), (25, 25), "{}", reply.detail);
    let mut series = std::collections::BTreeMap::<String, Vec<u64>>::new();
    for one in seen.lock().expect("no panic before").iter() {
        let message = ExportMetricsServiceRequest::decode(&one.body[5..]).expect("OTLP");
        let metric = &message.resource_metrics[0].scope_metrics[0].metrics[0];
        assert_eq!(metric.name, "sender_1");
        let Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Gauge(gauge)) =
            &metric.data
        else {
            panic!("a gauge");
        };
        for point in &gauge.data_points {
            let name = format!("{:?}", point.attributes);
            series.entry(name).or_default().push(point.time_unix_nano / 1_000_000);
        }
    }
    assert_eq!(series.len(), 3, "one for each request");
    assert!(series.values().all(|times| times.windows(2).all(|pair| pair[0] < pair[1])));
    assert_eq!(series.values().map(Vec::len).sum::<usize>(), 25);
}

#[tokio::test]
async fn a_load_that_is_refused_is_tried_again_and_told() {
    for (mood, tries, accepted, expected) in
        [(Mood::Rejects, 3, 22, "1 rejected: too old"), (Mood::Unauthenticated, 9, 0, "no org id")]
    {
        for protocol in ["grpc", "http/protobuf"] {
            let (port, seen) = collector(mood).await;
            let reply = send_many(Signal::Log, port, protocol).await;
            assert_eq!((reply.sent, reply.accepted), (25, accepted), "{protocol}");
            assert!(reply.detail.contains(expected), "{protocol}: {}", reply.detail);
            let requests = seen.lock().expect("no panic before").len();
            assert_eq!(requests, tries, "{protocol}: what is rejected for good is sent once");
        }
    }
}
