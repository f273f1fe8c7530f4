use super::*;

fn request(signal: Signal) -> EmitRequest {
    EmitRequest {
        signal,
        marker: "marker".to_owned(),
        headers: None,
        endpoint: None,
        organisation: None,
        attributes: BTreeMap::new(),
        timeout_ms: 1000,
    }
}

fn read(request: &EmitRequest, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::read(request, |name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

const ENDPOINT: (&str, &str) =
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://alloy.observability.svc:4317");

#[test]
fn grpc_is_the_default() {
    let settings = read(&request(Signal::Log), &[ENDPOINT]).unwrap();
    assert_eq!(settings.encoding, Encoding::Grpc);
    assert_eq!(settings.url, ENDPOINT.1);
    assert!(settings.headers.is_empty());
}

#[test]
fn the_port_or_the_protocol_choose_http() {
    let port = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://alloy:4318/");
    let settings = read(&request(Signal::Log), &[port]).unwrap();
    assert_eq!(settings.encoding, Encoding::Http);
    assert_eq!(settings.url, "http://alloy:4318/v1/logs");
    let protocol = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    let settings = read(&request(Signal::Metric), &[ENDPOINT, protocol]).unwrap();
    assert_eq!(settings.url, "http://alloy.observability.svc:4317/v1/metrics");
}

#[test]
fn the_signals_own_endpoint_is_used_as_it_is() {
    let own = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://loki:3100/otlp/v1/logs");
    let settings = read(&request(Signal::Log), &[ENDPOINT, own]).unwrap();
    assert_eq!(settings.url, "http://loki:3100/otlp/v1/logs");
    assert_eq!(settings.encoding, Encoding::Http);
    let settings = read(&request(Signal::Metric), &[ENDPOINT, own]).unwrap();
    assert_eq!(settings.url, ENDPOINT.1);
}

#[test]
fn headers_are_decoded_and_their_names_lower_cased() {
    let headers = (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "X-Scope-OrgID=customer-a, Authorization=Basic%20YTpi=,,x=a%7Cb",
    );
    let settings = read(&request(Signal::Log), &[ENDPOINT, headers]).unwrap();
    let mut expected = [
        ("x-scope-orgid".to_owned(), "customer-a".to_owned()),
        ("authorization".to_owned(), "Basic YTpi=".to_owned()),
        ("x".to_owned(), "a|b".to_owned()),
    ];
    expected.sort();
    let mut headers = settings.headers;
    headers.sort();
    assert_eq!(headers, expected);
}

#[test]
fn a_bad_header_list_is_told_without_its_values() {
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,secret");
    let error = read(&request(Signal::Log), &[ENDPOINT, headers]).unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "OTEL_EXPORTER_OTLP_HEADERS: entry 2 is not key=value in percent-encoded UTF-8"
    );
}

#[test]
fn the_service_name_goes_before_the_attribute() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,tenant.id=customer-a");
    let name = ("OTEL_SERVICE_NAME", "open-webui");
    let settings = read(&request(Signal::Log), &[ENDPOINT, attributes, name]).unwrap();
    assert_eq!(settings.resource["service.name"], "open-webui");
    assert_eq!(settings.resource["tenant.id"], "customer-a");
    let settings = read(&request(Signal::Log), &[ENDPOINT, attributes]).unwrap();
    assert_eq!(settings.resource["service.name"], "other");
}

#[test]
fn the_request_goes_before_the_environment() {
    let mut asked = request(Signal::Metric);
    asked.endpoint = Some("http://mimir:9009/otlp".to_owned());
    asked.headers = Some(BTreeMap::from([("X-Scope-OrgID".into(), "b".into())]));
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "X-Scope-OrgID=a");
    let protocol = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let settings = read(&asked, &[ENDPOINT, headers, protocol]).unwrap();
    assert_eq!(settings.url, "http://mimir:9009/otlp/v1/metrics");
    assert_eq!(settings.headers, [("x-scope-orgid".to_owned(), "b".to_owned())]);
}

#[test]
fn a_forged_organisation_takes_the_place_of_the_own_one_and_of_nothing_else() {
    let mut asked = request(Signal::Log);
    let line = |value: &str| ("x-sCoPe-oRgId".to_owned(), value.to_owned());
    asked.organisation = Some(vec![line("a"), line("b")]);
    asked.attributes.insert("k8s.namespace.name".to_owned(), "b".to_owned());
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "X-Scope-OrgID=a,authorization=c");
    let settings = read(&asked, &[ENDPOINT, headers]).unwrap();
    let own = ("authorization".to_owned(), "c".to_owned());
    assert_eq!(settings.headers, [own.clone(), line("a"), line("b")]);
    assert_eq!(settings.resource["k8s.namespace.name"], "b");
    asked.organisation = Some(Vec::new());
    assert_eq!(read(&asked, &[ENDPOINT, headers]).unwrap().headers, [own]);
}

#[test]
fn an_endpoint_must_be_set_and_its_protocol_known() {
    let error = read(&request(Signal::Log), &[]).unwrap_err();
    assert_eq!(error, SettingsError::NoEndpoint);
    let protocol = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
    let error = read(&request(Signal::Log), &[ENDPOINT, protocol]).unwrap_err();
    assert_eq!(error, SettingsError::Protocol("http/json".to_owned()));
}
