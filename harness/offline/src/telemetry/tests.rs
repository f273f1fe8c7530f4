use partywall_core::contract::Tenant;
use partywall_core::probe::{AccessProbe, Asker, DeliverProbe, Signal};
use rstest::rstest;

use super::sample::Sample;
use super::{Hop, HopTarget, Reaches};

fn natural(tenant: &Tenant, signal: Signal) -> DeliverProbe {
    DeliverProbe::of(tenant.clone(), signal)
}

fn blame(sample: &Sample, tenant: usize, signal: Signal) -> String {
    let built = sample.build();
    let blame = built.telemetry().blame(&natural(&built.contract.tenants[tenant], signal));
    blame.map_or("none".to_string(), |blame| format!("{} {}", blame.location, blame.because))
}

#[test]
fn the_reference_layout_holds_everywhere() {
    let built = Sample::trusted().build();
    let verdicts = built.verdicts(&|_| Reaches::Yes);
    assert_eq!(verdicts.len(), 8);
    assert!(verdicts.values().all(|said| said == "holds"), "{verdicts:#?}");
    assert_eq!(built.findings(), Vec::<String>::new());
    assert_eq!(blame(&Sample::trusted(), 0, Signal::Log), "none");
}

#[test]
fn the_trail_names_every_line() {
    let built = Sample::trusted().build();
    let trail = built.telemetry().trail(&built.contract.tenants[0], Signal::Log);
    let steps: Vec<String> = trail.steps.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(steps.join("\n"));
    assert_eq!(trail.ends, ["org customer-a"]);
    assert_eq!(trail.not_judged, None);
}

#[rstest]
#[case(
    "03-org-swapped",
    "log_own_org::customer_a",
    0,
    Signal::Log,
    "customers/customer-a/values.yaml:14 customer-a sends as `customer-b`; the contract says its organisation is `customer-a`"
)]
#[case(
    "09-default-org",
    "log_own_org::customer_b",
    1,
    Signal::Log,
    "shared-services/observability/config/collector.yaml:23 the collector sends what has lost its organisation as `anonymous`; it is lost at shared-services/observability/config/collector.yaml:7: `grpc` lacks `include_metadata: true`, so the organisation's header is lost"
)]
#[case(
    "10-loki-tenancy-off",
    "log_store_needs_org",
    0,
    Signal::Log,
    "shared-services/observability/config/loki.yaml:2 `auth_enabled: false` puts everything into one organisation and asks nobody"
)]
#[case(
    "16-metrics-to-one-org",
    "metric_own_org::customer_b",
    1,
    Signal::Metric,
    "shared-services/observability/config/collector.yaml:29 the collector sends everything that passes here as `customer-a`"
)]
#[case(
    "17-mimir-tenancy-off",
    "metric_store_needs_org",
    0,
    Signal::Metric,
    "shared-services/observability/config/mimir.yaml:3 `multitenancy_enabled: false` puts everything into one organisation and asks nobody"
)]
fn a_mutant_goes_red_for_its_reason(
    #[case] name: &str,
    #[case] trial: &str,
    #[case] tenant: usize,
    #[case] signal: Signal,
    #[case] expected: &str,
) {
    let (sample, mutant) = Sample::mutant(name);
    let said = &sample.build().verdicts(&|_| Reaches::Yes)[trial];
    assert!(said.starts_with("violated "), "{said}");
    assert!(said.contains(&mutant.expect.reason), "{said}");
    assert_eq!(blame(&sample, tenant, signal), expected);
    let probe = AccessProbe { store: signal, by: Asker::Nobody };
    let access = sample.build().telemetry().blame_access(probe);
    assert_eq!(access.is_some(), trial.ends_with("needs_org"));
}

/// 19-collector-closed: the policies themselves are the evaluator's business.
#[test]
fn a_tenant_that_policies_keep_from_the_collector_is_told_from_a_dead_collector() {
    let built = Sample::trusted().build();
    let closed = |from: &'static str| {
        move |hop: &Hop| match &hop.to {
            HopTarget::Service { port: 4317, .. } if hop.from.to_string() == from => {
                Reaches::No("no rule allows 4317/TCP".to_string())
            }
            _ => Reaches::Yes,
        }
    };
    let said = built.verdicts(&closed("soev-internal/open-webui"));
    assert_eq!(
        said["log_own_org::soev_internal"],
        "violated telemetry of soev-internal does not leave soev-internal/open-webui: no rule \
         allows 4317/TCP"
    );
    assert_eq!(said["log_own_org::customer_a"], "holds");
    let said = built.verdicts(&closed("observability/partywall-client"));
    assert!(said["log_own_org::customer_a"].starts_with("undetermined "), "{said:#?}");
}

#[rstest]
#[case::name_server(
    HopTarget::Resolver,
    "customer-a/open-webui",
    "log_own_org::customer_a",
    "violated"
)]
#[case::store(
    service("loki", 3100),
    "observability/alloy",
    "log_own_org::customer_a",
    "undetermined"
)]
#[case::other_store(
    service("mimir", 9009),
    "observability/alloy",
    "log_own_org::customer_a",
    "holds"
)]
#[case::reader(
    service("loki", 3100),
    "observability/partywall-client",
    "log_store_needs_org",
    "undetermined"
)]
fn every_hop_is_asked_of_the_policies(
    #[case] to: HopTarget,
    #[case] from: &str,
    #[case] trial: &str,
    #[case] expected: &str,
) {
    let built = Sample::trusted().build();
    let shut = |hop: &Hop| hop.to == to && hop.from.to_string() == from;
    let no = |hop: &Hop| if shut(hop) { Reaches::No("shut".to_string()) } else { Reaches::Yes };
    let said = &built.verdicts(&no)[trial];
    assert_eq!(said.split(' ').next(), Some(expected), "{said}");
    if expected != "holds" {
        let unknown = |hop: &Hop| {
            if shut(hop) { Reaches::Unknown("Cilium".to_string()) } else { Reaches::Yes }
        };
        let said = &built.verdicts(&unknown)[trial];
        assert!(said.starts_with("undetermined the probe could not be made: policies"), "{said}");
    }
}

fn service(name: &str, port: u16) -> HopTarget {
    HopTarget::Service { namespace: "observability".to_string(), name: name.to_string(), port }
}

const METADATA: (&str, &str) = ("        include_metadata: true\n", "");
const NO_KEYS: (&str, &str) = ("    metadata_keys: [x-scope-orgid]\n", "");
const NOT_SET: (&str, &str) = (
    "http://loki:3100/otlp\n    auth:\n      authenticator: headers_setter\n",
    "http://loki:3100/otlp\n",
);
const BATCHED_QUEUE: (&str, &str) =
    ("    sending_queue:\n      enabled: false\n", "    sending_queue:\n      batch: {}\n");
const STORED_QUEUE: (&str, &str) =
    ("    sending_queue:\n      enabled: false\n", "    sending_queue:\n      storage: disk\n");

/// Where every organisation is lost no fence is seen, so that only the defect names the line.
#[rstest]
#[case::receiver(
    METADATA,
    "organisation-lost …/collector.yaml:7 logs: `grpc` lacks `include_metadata: true`, so the organisation's header is lost"
)]
#[case::batch(
    NO_KEYS,
    "organisation-lost …/collector.yaml:16 logs: processor `batch` puts requests of all organisations together and forgets whose they are: it lacks `metadata_keys: [x-scope-orgid]`"
)]
#[case::exporter(
    NOT_SET,
    "organisation-lost …/collector.yaml:29 logs: exporter `otlphttp/loki` sends no organisation: it has no authenticator for it"
)]
#[case::batching_queue(
    BATCHED_QUEUE,
    "organisation-lost …/collector.yaml:33 logs: the sending queue of `otlphttp/loki` puts requests of all organisations together, and the organisation is lost there"
)]
#[case::storing_queue(
    STORED_QUEUE,
    "organisation-lost …/collector.yaml:33 logs: the sending queue of `otlphttp/loki` stores requests without their headers, and the organisation is lost there"
)]
#[case::pipeline(("    logs:\n      receivers: [otlp]\n", "    traces:\n      receivers: [otlp]\n"), "signal-without-pipeline …/collector.yaml:55 logs: the collector has no pipeline for logs")]
#[case::start(("exporters: [otlphttp/loki]", "exporters: [otlphttp/lok]"), "collector-does-not-start …/collector.yaml:58 logs: pipeline `logs` names `otlphttp/lok`, which is not among the exporters: the collector does not start")]
#[case::switched_on(("extensions: [headers_setter]", "extensions: []"), "collector-does-not-start …/collector.yaml:31 logs: authenticator `headers_setter` is not switched on in `service.extensions`: the collector does not start")]
#[case::address(("http://loki:3100/otlp", "http://loki:3100"), "telemetry-goes-nowhere …/collector.yaml:29 logs: the store takes OTLP at `/otlp/v1/logs` over HTTP alone")]
#[case::no_service(("http://loki:3100/otlp", "http://loki.observability.svc:3101/otlp"), "telemetry-goes-nowhere …/collector.yaml:29 logs: Service observability/loki has no port 3101/TCP")]
fn what_loses_every_organisation_is_a_defect(#[case] change: (&str, &str), #[case] expected: &str) {
    let built = Sample::trusted().collector(change.0, change.1).build();
    let expected = expected.replace('…', "shared-services/observability/config");
    let found = built.findings();
    assert_eq!(found.first(), Some(&expected), "{found:#?}");
    let not_held = built.not_held();
    let logs: Vec<_> = not_held.iter().filter(|line| line.starts_with("log_own_org")).collect();
    assert_eq!(logs.len(), 3, "{not_held:#?}");
    assert!(logs.iter().all(|line| line.contains(": undetermined ")), "{logs:#?}");
}

/// The same places, with what keeps the organisation.
#[rstest]
#[case::memory_queue(("    sending_queue:\n      enabled: false\n", ""))]
#[case::partitioned(("    sending_queue:\n      enabled: false\n", "    sending_queue:\n      batch:\n        partition: {metadata_keys: [X-Scope-OrgID]}\n"))]
#[case::no_batch(("      processors: [batch]\n", ""))]
#[case::default_is_not_needed(("from_context: x-scope-orgid\n", "from_context: x-scope-orgid\n        default_value: nobody\n"))]
#[case::environment(("endpoint: 0.0.0.0:4317", "endpoint: ${env:MY_POD_IP}:4317"))]
#[case::full_address(("endpoint: http://loki:3100/otlp", "logs_endpoint: http://loki:3100/otlp/v1/logs"))]
fn what_keeps_every_organisation_is_none(#[case] change: (&str, &str)) {
    let built = Sample::trusted().collector(change.0, change.1).build();
    assert_eq!(built.not_held(), Vec::<String>::new());
    assert_eq!(built.findings(), Vec::<String>::new());
}

/// Changes of the collector that leave the answer open, and what is named.
#[rstest]
#[case::processor(
    "processors: [batch]",
    "processors: [filter, batch]",
    "processors:\n",
    "processors:\n  filter: {}\n",
    "processor `filter` of Deployment observability/alloy"
)]
#[case::connector(
    "exporters: [otlphttp/loki]",
    "exporters: [routing]",
    "exporters:\n  otlphttp/loki",
    "connectors:\n  routing: {}\nexporters:\n  otlphttp/loki",
    "connector `routing` of Deployment observability/alloy"
)]
#[case::exporter(
    "exporters: [otlphttp/loki]",
    "exporters: [kafka]",
    "exporters:\n  otlphttp/loki",
    "exporters:\n  kafka: {}\n  otlphttp/loki",
    "exporter `kafka` of Deployment observability/alloy"
)]
#[case::receiver(
    "        endpoint: 0.0.0.0:4317\n",
    "        endpoint: 0.0.0.0:4317\n        auth: {authenticator: oidc}\n",
    "",
    "",
    "authenticator of receiver `otlp` of Deployment observability/alloy"
)]
#[case::attribute(
    "from_context: x-scope-orgid",
    "from_attribute: subject",
    "",
    "",
    "`from_attribute` of headers_setter of Deployment observability/alloy"
)]
#[case::variable(
    "endpoint: http://loki:3100/otlp",
    "endpoint: ${LOKI}",
    "",
    "",
    "`${LOKI}` of Deployment observability/alloy"
)]
#[case::outside(
    "endpoint: http://loki:3100/otlp",
    "endpoint: https://logs.example.com/otlp",
    "",
    "",
    "telemetry endpoint logs.example.com"
)]
fn what_is_not_known_is_named(
    #[case] from: &str,
    #[case] to: &str,
    #[case] and_from: &str,
    #[case] and_to: &str,
    #[case] subject: &str,
) {
    let mut sample = Sample::trusted().collector(from, to);
    if !and_from.is_empty() {
        sample = sample.collector(and_from, and_to);
    }
    let built = sample.build();
    let tenant = &built.contract.tenants[0];
    let unknown =
        built.telemetry().deliver(&natural(tenant, Signal::Log), &|_| Reaches::Yes).unwrap_err();
    assert_eq!(unknown.subject, subject);
    assert!(unknown.reason.len() > 20, "{}", unknown.reason);
    let trail = built.telemetry().trail(tenant, Signal::Log);
    assert_eq!(trail.not_judged, Some(unknown));
    assert!(!trail.steps.is_empty() && trail.ends.is_empty());
    assert_eq!(built.telemetry().blame(&natural(tenant, Signal::Log)), None);
}

#[rstest]
#[case::grafana_alloy(
    "observability/alloy.yaml",
    "args: [--config=/etc/alloy/config.yaml]",
    "args: [run, /etc/alloy/config.alloy]",
    "Deployment observability/alloy"
)]
#[case::in_the_image(
    "observability/alloy.yaml",
    "--config=/etc/alloy",
    "--config=/etc/otelcol",
    "Deployment observability/alloy"
)]
#[case::no_configuration(
    "observability/loki.yaml",
    "-config.file=/etc/loki/config.yaml",
    "-target=all",
    "Deployment observability/loki"
)]
#[case::moved(
    "config/loki.yaml",
    "server:\n",
    "server:\n  http_path_prefix: /x\n",
    "Deployment observability/loki"
)]
#[case::no_store(
    "partywall.yaml",
    "logs: observability/loki:3100",
    "logs: observability/vector:3100",
    "store observability/vector:3100"
)]
#[case::elsewhere(
    "customer-a/values.yaml",
    "http://alloy.observability.svc:4317",
    "http://otel.example.com:4317",
    "telemetry endpoint otel.example.com"
)]
fn a_place_that_is_not_in_the_files_is_named(
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] subject: &str,
) {
    let built = Sample::trusted().with(file, from, to).build();
    let tenant = &built.contract.tenants[0];
    let unknown =
        built.telemetry().deliver(&natural(tenant, Signal::Log), &|_| Reaches::Yes).unwrap_err();
    assert_eq!(unknown.subject, subject);
}

#[test]
fn a_service_may_be_in_what_was_not_rendered() {
    let sample = Sample::trusted().with("customer-a/values.yaml", "alloy.obs", "otel.obs");
    let mut built = sample.build();
    let said = built.not_held();
    assert!(
        said[0].contains("log_own_org::customer_a: undetermined the marker was not"),
        "{said:?}"
    );
    let found = built.findings();
    assert!(found[0].contains("there is no Service observability/otel"), "{found:?}");
    built.rendered.not_judged.push(partywall_core::event::NotJudged {
        subject: "HelmRelease observability/otel".to_string(),
        reason: "its chart cannot be had".to_string(),
        location: None,
    });
    let said = built.not_held();
    assert!(said[0].contains("it may be in HelmRelease observability/otel"), "{said:?}");
}

#[rstest]
#[case::loki_default(
    "config/loki.yaml",
    "auth_enabled: true\n",
    "",
    "log_store_needs_org",
    "holds"
)]
#[case::mimir_default(
    "config/mimir.yaml",
    "multitenancy_enabled: true\n",
    "",
    "metric_store_needs_org",
    "holds"
)]
#[case::flag(
    "observability/loki.yaml",
    "args: [",
    "args: [-auth.enabled=false, ",
    "log_store_needs_org",
    "violated"
)]
#[case::flag_on(
    "observability/mimir.yaml",
    "args: [",
    "args: [--auth.multitenancy-enabled, ",
    "metric_store_needs_org",
    "holds"
)]
#[case::shown_to_all(
    "config/loki.yaml",
    "auth_enabled: true",
    "auth_enabled: false",
    "log_own_org::customer_a",
    "violated the marker of customer-a (org customer-a) is in org anonymous"
)]
fn a_store_asks_for_an_organisation_unless_told_otherwise(
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] trial: &str,
    #[case] expected: &str,
) {
    let built = Sample::trusted().with(file, from, to).build();
    let said = &built.verdicts(&|_| Reaches::Yes)[trial];
    assert!(said.starts_with(expected), "{said}");
}

/// Exporters and authenticators that set the header themselves.
#[rstest]
#[case::exporter(("    auth:\n      authenticator: headers_setter\n", "    headers: {x-scope-orgid: customer-b}\n"), "violated the marker of customer-a (org customer-a) is in org customer-b")]
#[case::insert(("action: upsert", "action: insert"), "holds")]
#[case::update(("action: upsert", "action: update"), "undetermined")]
#[case::delete(("action: upsert", "action: delete"), "undetermined")]
#[case::by_default(("      - action: upsert\n        key", "      - key"), "holds")]
#[case::other_key(("from_context: x-scope-orgid", "from_context: x-tenant"), "undetermined")]
fn headers_are_set_as_the_authenticator_says(#[case] change: (&str, &str), #[case] expected: &str) {
    let built = Sample::trusted().collector(change.0, change.1).build();
    let said = &built.verdicts(&|_| Reaches::Yes)["log_own_org::customer_a"];
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn collectors_hand_on_to_pipelines_and_to_each_other() {
    let forwarded = Sample::trusted()
        .collector("exporters:\n  otlphttp/loki", "connectors:\n  forward: {}\nexporters:\n  otlphttp/loki")
        .collector(
            "    logs:\n      receivers: [otlp]\n",
            "    logs/in:\n      receivers: [otlp]\n      exporters: [forward]\n    logs:\n      receivers: [forward]\n",
        );
    assert_eq!(forwarded.build().not_held(), Vec::<String>::new());
    let chained = Sample::trusted()
        .collector("http://loki:3100/otlp", "http://gateway:4318")
        .and(GATEWAY)
        .build();
    assert_eq!(chained.not_held(), Vec::<String>::new());
    let unmatched = Sample::trusted().with(
        "observability/loki.yaml",
        "  selector:\n    app: loki\n",
        "  selector:\n    app: lok\n",
    );
    let found =
        unmatched.build().telemetry().trail(&unmatched.build().contract.tenants[0], Signal::Log);
    assert!(found.not_judged.unwrap().reason.starts_with("no pod stands behind Service"));
    let looped = Sample::trusted().collector("http://loki:3100/otlp", "http://alloy:4318").build();
    assert!(looped.not_held()[0].contains("send to each other in a ring"));
}

const GATEWAY: &str = "
kind: Deployment
metadata: {name: gateway, namespace: observability}
spec:
  template:
    metadata: {labels: {app: gateway}}
    spec:
      containers:
      - {name: otelcol, args: [--config, /conf/c.yaml], volumeMounts: [{name: c, mountPath: /conf}]}
      volumes: [{name: c, projected: {sources: [{configMap: {name: gateway, items: [{key: relay, path: c.yaml}]}}]}}]
---
kind: Service
metadata: {name: gateway, namespace: observability}
spec: {selector: {app: gateway}, ports: [{port: 4318}]}
---
kind: ConfigMap
metadata: {name: gateway, namespace: observability}
data:
  relay: |
    receivers: {otlp: {protocols: {http: {endpoint: '0.0.0.0:4318', include_metadata: true}}}}
    extensions: {headers_setter: {headers: [{key: X-Scope-OrgID, from_context: X-Scope-OrgID}]}}
    exporters: {debug: {}, otlphttp: {endpoint: 'http://loki:3100/otlp', auth: {authenticator: headers_setter}}}
    service:
      extensions: [headers_setter]
      pipelines: {logs: {receivers: [otlp], exporters: [otlphttp, debug]}}
";
