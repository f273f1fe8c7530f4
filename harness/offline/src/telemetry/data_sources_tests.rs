//! Who reads what, by the files.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use partywall_core::check::too_many;
use partywall_core::probe::{AccessProbe, Asker, Signal, SourcesProbe};
use partywall_core::scenario::{Scenario, load_scenario};
use rstest::rstest;

use super::Reaches;
use super::sample::Sample;

const TEXTS: [(&str, &str); 3] = [
    (
        "telemetry/log-read-one-org",
        include_str!("../../../../scenarios/telemetry/log-read-one-org.yaml"),
    ),
    (
        "telemetry/metric-read-one-org",
        include_str!("../../../../scenarios/telemetry/metric-read-one-org.yaml"),
    ),
    ("telemetry/data-sources", include_str!("../../../../scenarios/telemetry/data-sources.yaml")),
];

fn judged(sample: &Sample) -> BTreeMap<String, String> {
    let scenarios: Vec<Scenario> =
        TEXTS.iter().map(|(path, text)| load_scenario(path, text).unwrap()).collect();
    sample.build().judged(&scenarios, &|_| Reaches::Yes)
}

#[rstest]
#[case::reference(Sample::reference())]
#[case::trusted(Sample::trusted())]
fn every_tenant_reads_its_own(#[case] sample: Sample) {
    let judged = judged(&sample);
    assert_eq!(judged.len(), 2 + 3 * 2, "{judged:#?}");
    assert!(judged.values().all(|said| said == "holds"), "{judged:#?}");
}

#[rstest]
#[case(
    "95-loki-federates",
    "log_read_one_org",
    Signal::Log,
    "shared-services/observability/config/loki.yaml:26"
)]
#[case(
    "96-mimir-federates",
    "metric_read_one_org",
    Signal::Metric,
    "shared-services/observability/config/mimir.yaml:54"
)]
fn a_store_that_federates_goes_red(
    #[case] name: &str,
    #[case] trial: &str,
    #[case] store: Signal,
    #[case] expected: &str,
) {
    let (sample, mutant) = Sample::mutant(name);
    let said = &judged(&sample)[trial];
    assert!(said.starts_with("violated ") && said.contains(&mutant.expect.reason), "{said}");
    let built = sample.build();
    let blame = |by| built.telemetry().blame_access(AccessProbe { store, by });
    assert_eq!(blame(Asker::TwoOrganisations).unwrap().location.to_string(), expected);
    assert_eq!(blame(Asker::Nobody), None);
}

#[test]
fn the_flag_of_a_store_counts_before_its_file() {
    let args = "args: [-config.file=/etc/loki/config.yaml";
    let flag = format!("{args}, -querier.multi-tenant-queries-enabled=true");
    let sample = Sample::reference().with("observability/loki.yaml", args, &flag);
    assert!(judged(&sample)["log_read_one_org"].starts_with("violated "));
    let (sample, _) = Sample::mutant("95-loki-federates");
    let off = flag.replace("=true", "=false");
    let sample = sample.with("observability/loki.yaml", args, &off);
    assert_eq!(judged(&sample)["log_read_one_org"], "holds");
}

#[test]
fn a_store_that_asks_nobody_shows_everything_through_every_source() {
    let sample =
        Sample::reference().with("config/loki.yaml", "auth_enabled: true", "auth_enabled: false");
    let judged = judged(&sample);
    assert!(judged["data_sources::customer_a Log"].contains("shows what belongs to org"));
    assert!(judged["log_read_one_org"].starts_with("violated "));
    assert_eq!(judged["data_sources::customer_a Metric"], "holds");
}

#[rstest]
#[case("97-data-source-of-two", "customer_b", 1, "grafana-datasources.yaml:41")]
#[case("98-one-grafana-organisation", "customer_a", 0, "grafana-datasources.yaml:21")]
fn a_data_source_at_fault_goes_red(
    #[case] name: &str,
    #[case] trial: &str,
    #[case] tenant: usize,
    #[case] line: &str,
) {
    let (sample, mutant) = Sample::mutant(name);
    let said = &judged(&sample)[&format!("data_sources::{trial} Log")];
    assert!(said.starts_with("violated ") && said.contains(&mutant.expect.reason), "{said}");
    let built = sample.build();
    let tenant = built.contract.tenants[tenant].clone();
    let probe = SourcesProbe { tenant, store: Signal::Log };
    let blame = built.telemetry().blame_sources(&probe, &|_| Reaches::Yes).unwrap();
    assert_eq!(blame.location.to_string(), format!("shared-services/observability/{line}"));
    let guessed = live_blame(&built, &probe);
    assert_eq!(guessed.location, blame.location, "as it is guessed for a cluster");
}

/// What is said of a cluster, where no object knows its line.
fn live_blame(built: &super::sample::Built, probe: &SourcesProbe) -> partywall_core::event::Blame {
    let telemetry = built.telemetry();
    let mut seen = telemetry.sources(probe, &telemetry.deliveries(&|_| Reaches::Yes)).unwrap();
    seen.sources.iter_mut().for_each(|one| one.location = None);
    crate::blame::sources(&built.rendered.sources, probe, &seen).unwrap()
}

#[rstest]
#[case::path(":9009/prometheus", ":9009", "Metric", "it answered 404")]
#[case::in_the_browser("access: proxy", "access: direct", "Log", "has its reader's browser ask")]
#[case::editable("editable: false", "editable: true", "Log", "may be edited")]
fn what_a_data_source_must_not_be(
    #[case] from: &str,
    #[case] to: &str,
    #[case] store: &str,
    #[case] expected: &str,
) {
    let sample = Sample::reference().with("grafana-datasources.yaml", from, to);
    let said = &judged(&sample)[&format!("data_sources::customer_a {store}")];
    assert!(said.starts_with("violated ") && said.contains(expected), "{said}");
}

#[test]
fn none_where_the_contract_promises_some_is_red_at_its_line() {
    let sample =
        Sample::reference().with("grafana-datasources.yaml", "kind: ConfigMap", "kind: Other");
    let judged = judged(&sample);
    assert!(judged["data_sources::customer_a Log"].starts_with("violated no data source"));
    let built = sample.build();
    let probe = SourcesProbe { tenant: built.contract.tenants[0].clone(), store: Signal::Log };
    let blame = built.telemetry().blame_sources(&probe, &|_| Reaches::Yes).unwrap();
    assert_eq!(blame.location.to_string(), "partywall.yaml:49");
}

#[test]
fn where_another_name_leads_is_not_known() {
    let sample = Sample::reference().with("grafana-datasources.yaml", "mimir.obs", "thanos.obs");
    let judged = judged(&sample);
    let said = &judged["data_sources::customer_a Metric"];
    assert!(said.starts_with("undetermined ") && said.contains("`thanos.obs"), "{said}");
    assert!(judged["data_sources::customer_a Log"].starts_with("undetermined "), "{judged:#?}");
}

#[test]
fn what_two_stores_have_in_one_organisation_of_grafana_is_red_for_both() {
    let (loki, mimir) =
        ("Loki customer-a\n        type: loki\n", "Mimir customer-b\n        type: prometheus\n");
    let moved = |name: &str, from: u8| {
        (format!("{name}        orgId: {from}"), format!("{name}        orgId: 9"))
    };
    let (from_loki, to_loki) = moved(loki, 2);
    let (from_mimir, to_mimir) = moved(mimir, 3);
    let sample = Sample::reference().with("grafana-datasources.yaml", &from_loki, &to_loki).with(
        "grafana-datasources.yaml",
        &from_mimir,
        &to_mimir,
    );
    let judged = judged(&sample);
    for trial in ["customer_a Log", "customer_b Metric"] {
        let said = &judged[&format!("data_sources::{trial}")];
        assert!(said.contains("is in organisation 9 of Grafana, as is"), "{trial}: {said}");
    }
    assert_eq!(judged["data_sources::customer_a Metric"], "holds");
}

/// The reference's data sources, in a Secret with this value.
fn in_a_secret(value: impl Fn(&str) -> String) -> Sample {
    let sample = Sample::reference();
    let text = sample.text("grafana-datasources.yaml").to_string();
    let (_, block) = text.split_once("datasources.yaml: |\n").unwrap();
    let lines: Vec<&str> = block.lines().map(|line| line.get(4..).unwrap_or_default()).collect();
    let value = value(&format!("{}\n", lines.join("\n")));
    let block = format!("datasources.yaml: |\n{block}");
    sample.with("grafana-datasources.yaml", "kind: ConfigMap", "kind: Secret").with(
        "grafana-datasources.yaml",
        &block,
        &format!("datasources.yaml: {value}\n"),
    )
}

#[test]
fn what_a_secret_has_is_decoded() {
    let judged_with = |from: &str, to: &str| {
        let sample = in_a_secret(|text| STANDARD.encode(text.replacen(from, to, 1)));
        let built = sample.build();
        let probe = SourcesProbe { tenant: built.contract.tenants[0].clone(), store: Signal::Log };
        let blame = built.telemetry().blame_sources(&probe, &|_| Reaches::Yes);
        let guessed = blame.as_ref().map(|_| live_blame(&built, &probe).location);
        let location = blame.map(|blame| blame.location);
        assert_eq!(guessed, location, "as it is guessed for a cluster");
        let said = judged(&sample).remove("data_sources::customer_a Log").unwrap();
        (said, location.map(|location| location.to_string()))
    };
    assert_eq!(judged_with("", ""), ("holds".to_string(), None));
    let (said, location) = judged_with("editable: false", "editable: true");
    assert!(said.starts_with("violated ") && said.contains("may be edited"), "{said}");
    let line = "shared-services/observability/grafana-datasources.yaml:9";
    assert_eq!(location.as_deref(), Some(line));
}

#[test]
fn what_is_sealed_is_not_judged() {
    let judged = judged(&in_a_secret(|_| "ENC[AES256_GCM,data:x]".to_string()));
    let said = &judged["data_sources::customer_a Log"];
    assert!(
        said.starts_with("undetermined ") && said.contains("`datasources.yaml` sealed"),
        "{said}"
    );
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_store() {
    let built = Sample::reference().build();
    let telemetry = built.telemetry();
    let deliveries = telemetry.deliveries(&|_| Reaches::Yes);
    for store in [Signal::Log, Signal::Metric] {
        let seen = telemetry.both(store, &deliveries).unwrap();
        assert!(seen.detail.contains(too_many(store)), "{}", seen.detail);
    }
}
