//! The marker as an OTLP message.

use std::collections::BTreeMap;
use std::ops::Range;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// The attribute that carries the marker, beside the body or the metric's name.
const ATTRIBUTE: &str = "marker";
/// The attribute by which items of a load are counted.
const SENDER: &str = "sender";
/// The attribute that gives every request of a load a series of its own.
const REQUEST: &str = "request";

/// A log record whose body is the marker.
pub(super) fn log(
    marker: &str,
    attributes: &BTreeMap<String, String>,
    at_ns: u64,
) -> ExportLogsServiceRequest {
    with_records(attributes, vec![record(marker, vec![pair(ATTRIBUTE, marker)], at_ns)])
}

/// Log records whose bodies are the sender's name and their own numbers, each at a time of its
/// own.
pub(super) fn logs(
    sender: &str,
    items: Range<u32>,
    attributes: &BTreeMap<String, String>,
    begun_ns: u64,
) -> ExportLogsServiceRequest {
    let one = |item: u32| {
        let at_ns = begun_ns.saturating_add(u64::from(item));
        record(&format!("{sender}_{item:06}"), vec![pair(SENDER, sender)], at_ns)
    };
    with_records(attributes, items.map(one).collect())
}

fn record(body: &str, attributes: Vec<KeyValue>, at_ns: u64) -> LogRecord {
    LogRecord {
        time_unix_nano: at_ns,
        observed_time_unix_nano: at_ns,
        severity_number: SeverityNumber::Info.into(),
        severity_text: "INFO".to_owned(),
        body: Some(text(body)),
        attributes,
        ..LogRecord::default()
    }
}

fn with_records(
    attributes: &BTreeMap<String, String>,
    log_records: Vec<LogRecord>,
) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource(attributes)),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

/// A gauge whose name is the marker, with the value 1.
pub(super) fn metric(
    marker: &str,
    attributes: &BTreeMap<String, String>,
    at_ns: u64,
) -> ExportMetricsServiceRequest {
    with_points(marker, attributes, vec![point(vec![pair(ATTRIBUTE, marker)], at_ns)])
}

/// Points of a gauge whose name is the sender's, each at a millisecond of its own up to now, in
/// one series.
pub(super) fn points(
    sender: &str,
    items: Range<u32>,
    attributes: &BTreeMap<String, String>,
    now_ms: u64,
) -> ExportMetricsServiceRequest {
    let series = vec![pair(SENDER, sender), pair(REQUEST, &items.start.to_string())];
    let end = items.end;
    let one = |item: u32| {
        let at_ms = now_ms.saturating_sub(u64::from(end - item));
        point(series.clone(), at_ms.saturating_mul(1_000_000))
    };
    with_points(sender, attributes, items.map(one).collect())
}

fn point(attributes: Vec<KeyValue>, at_ns: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        time_unix_nano: at_ns,
        value: Some(number_data_point::Value::AsDouble(1.0)),
        ..NumberDataPoint::default()
    }
}

fn with_points(
    name: &str,
    attributes: &BTreeMap<String, String>,
    data_points: Vec<NumberDataPoint>,
) -> ExportMetricsServiceRequest {
    let gauge = Metric {
        name: name.to_owned(),
        data: Some(metric::Data::Gauge(Gauge { data_points })),
        ..Metric::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(attributes)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: vec![gauge],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn resource(attributes: &BTreeMap<String, String>) -> Resource {
    Resource {
        attributes: attributes.iter().map(|(key, value)| pair(key, value)).collect(),
        ..Resource::default()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(text(value)), ..KeyValue::default() }
}

fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.to_owned())) }
}
