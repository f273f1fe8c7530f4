use partywall_core::probe::{DeliverProbe, Signal};
use rstest::rstest;

use super::sample::Sample;
use super::{Reaches, Step};

/// A workload that comes before the reference's own, so that it is the one that is judged.
fn first(env: &str) -> String {
    format!(
        "kind: StatefulSet\nmetadata: {{name: a-first, namespace: customer-a}}\nspec: {{template: \
         {{metadata: {{labels: {{app: first}}}}, spec: {{containers: [{{name: c, {env}}}]}}}}}}\n---\n\
         kind: ConfigMap\nmetadata: {{name: otel, namespace: customer-a}}\ndata: {{org: customer-b, \
         OTEL_EXPORTER_OTLP_ENDPOINT: 'http://alloy.observability:4317'}}\n---\nkind: Secret\nmetadata: \
         {{name: otel, namespace: customer-a}}\ndata: {{plain: Y3VzdG9tZXItYg==, sealed: 'ENC[AES256_GCM,x]'}}\n"
    )
}

const ENDPOINT: &str =
    "{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: 'http://alloy.observability:4317'}";
const HELD: &str = "holds";
const IN_B: &str = "violated the marker of customer-a (org customer-a) is in org customer-b";
const LOST: &str =
    "violated the marker of customer-a was accepted but is not in its org customer-a";

#[rstest]
#[case::encoded(
    "{name: OTEL_EXPORTER_OTLP_HEADERS, value: 'a=1, x-scope-orgid=customer%2Da'}",
    HELD
)]
#[case::own_signal(
    "{name: OTEL_EXPORTER_OTLP_HEADERS, value: x}, {name: OTEL_EXPORTER_OTLP_LOGS_HEADERS, value: X-Scope-OrgID=customer-a}",
    HELD
)]
#[case::config_map(
    "{name: ORG, valueFrom: {configMapKeyRef: {name: otel, key: org}}}, {name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=$(ORG)}",
    IN_B
)]
#[case::plain_secret(
    "{name: ORG, valueFrom: {secretKeyRef: {name: otel, key: plain}}}, {name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=$(ORG)}",
    IN_B
)]
#[case::namespace(
    "{name: ORG, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}, {name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=$(ORG)}",
    HELD
)]
#[case::none("{name: OTHER, value: x}", LOST)]
#[case::empty("{name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=}", LOST)]
#[case::two_orgs(
    "{name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=customer-a|customer-b}",
    LOST
)]
#[case::stranger("{name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=nobody}", LOST)]
#[case::malformed(
    "{name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID}",
    "undetermined the marker was not accepted, and no fence shows that the collector works: OTEL_EXPORTER_OTLP_HEADERS: entry 1"
)]
#[case::protocol(
    "{name: OTEL_EXPORTER_OTLP_PROTOCOL, value: http/protobuf}",
    "violated telemetry of customer-a does not leave customer-a/a-first: connected, the sender speaks http"
)]
#[case::straight_to_the_store(
    "{name: OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, value: 'http://loki.observability.svc.cluster.local:3100/otlp/v1/logs'}, {name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=customer-a}",
    HELD
)]
#[case::to_another_port(
    "{name: OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, value: 'http://alloy.observability:9'}",
    "violated telemetry of customer-a does not leave"
)]
#[case::sealed(
    "{name: ORG, valueFrom: {secretKeyRef: {name: otel, key: sealed}}}, {name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=$(ORG)}",
    "undetermined the probe could not be made: StatefulSet customer-a/a-first: OTEL_EXPORTER_OTLP_HEADERS: key `sealed` of Secret customer-a/otel is sealed"
)]
#[case::unknown_field(
    "{name: ORG, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}, {name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=$(ORG)}",
    "undetermined the probe could not be made: StatefulSet customer-a/a-first: OTEL_EXPORTER_OTLP_HEADERS: `status.hostIP` is known in the cluster alone"
)]
fn the_environment_decides(#[case] env: &str, #[case] expected: &str) {
    let sample = Sample::trusted().and(&first(&format!("env: [{ENDPOINT}, {env}]")));
    let said = &sample.build().verdicts(&|_| Reaches::Yes)["log_own_org::customer_a"];
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn variables_may_be_taken_in_whole() {
    let env = "envFrom: [{configMapRef: {name: otel}}], env: [{name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=customer-b}]";
    let said = &Sample::trusted().and(&first(env)).build().verdicts(&|_| Reaches::Yes);
    assert!(said["metric_own_org::customer_a"].starts_with(IN_B), "{said:#?}");
}

/// Live and offline judge the first sender; another is a defect.
#[test]
fn a_second_sender_in_another_organisation_is_a_defect() {
    let env = format!(
        "env: [{ENDPOINT}, {{name: OTEL_EXPORTER_OTLP_HEADERS, value: X-Scope-OrgID=customer-b}}]"
    );
    let second = first(&env).replace("a-first", "z-last");
    let built = Sample::trusted().and(&second).build();
    assert_eq!(built.not_held(), Vec::<String>::new());
    assert_eq!(
        built.findings(),
        ["sender-in-other-organisation more.yaml:1 logs: customer-a/z-last sends as `customer-b`"]
    );
    let right = Sample::trusted().and(&second.replace("=customer-b", "=customer-a")).build();
    assert_eq!(right.findings(), Vec::<String>::new());
    let none = Sample::trusted().and(&second.replace("=customer-b", "=")).build();
    assert_eq!(
        none.findings(),
        [
            "sender-without-organisation more.yaml:1 logs: customer-a/z-last sends no `X-Scope-OrgID`"
        ]
    );
}

#[test]
fn a_second_sender_that_the_files_do_not_tell_is_named() {
    let env = format!(
        "env: [{ENDPOINT}, {{name: OTEL_EXPORTER_OTLP_HEADERS, valueFrom: {{secretKeyRef: {{name: \
         otel, key: sealed}}}}}}]"
    );
    let built = Sample::trusted().and(&first(&env).replace("a-first", "z-last")).build();
    assert_eq!(built.not_held(), Vec::<String>::new());
    let unknown = built.telemetry().not_judged();
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].subject, "StatefulSet customer-a/z-last");
    assert_eq!(Sample::trusted().build().telemetry().not_judged(), []);
}

#[test]
fn a_tenant_that_sends_nothing_is_not_judged() {
    let mut built = Sample::trusted().build();
    built.rendered.objects.retain(|object| object.namespace() != "customer-b");
    let tenant = &built.contract.tenants[1];
    let unknown = built
        .telemetry()
        .deliver(&DeliverProbe::of(tenant.clone(), Signal::Log), &|_| Reaches::Yes)
        .unwrap_err();
    assert_eq!(unknown.subject, "tenant customer-b");
    assert_eq!(built.telemetry().trail(tenant, Signal::Log).steps, Vec::<Step>::new());
}

/// Without a batch the sender waits for the store, and hears its refusal.
#[test]
fn a_refusal_is_heard_only_by_a_sender_that_waits() {
    let env = format!("env: [{ENDPOINT}]");
    let sample = || Sample::trusted().and(&first(&env));
    let said = |sample: Sample| {
        sample.build().verdicts(&|_| Reaches::Yes)["log_own_org::customer_a"].clone()
    };
    assert!(said(sample()).starts_with(LOST));
    let waiting = said(sample().collector("      processors: [batch]\n", ""));
    assert!(waiting.starts_with("violated telemetry of customer-a does not leave"), "{waiting}");
    assert!(waiting.contains("401 no org id: customer-a/a-first sends no `X-Scope-OrgID`"));
}
