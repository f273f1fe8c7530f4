//! Layouts in which the receiver decides, and forgeries against both kinds.

use partywall_core::probe::{DeliverProbe, Forge, Signal};
use partywall_core::scenario::{Scenario, load_scenario};
use rstest::rstest;

use super::sample::{Built, Sample};
use super::{Hop, HopTarget, Reaches};

const FORGERIES: [(&str, &str); 4] = [
    ("telemetry/forged-header", include_str!("../../../../scenarios/telemetry/forged-header.yaml")),
    ("telemetry/forged-value", include_str!("../../../../scenarios/telemetry/forged-value.yaml")),
    (
        "telemetry/forged-nothing",
        include_str!("../../../../scenarios/telemetry/forged-nothing.yaml"),
    ),
    (
        "telemetry/forged-attribute",
        include_str!("../../../../scenarios/telemetry/forged-attribute.yaml"),
    ),
];
const BOTH: [(&str, &str); 2] = [
    ("telemetry/log-own-org", include_str!("../../../../scenarios/telemetry/log-own-org.yaml")),
    (
        "telemetry/metric-own-org",
        include_str!("../../../../scenarios/telemetry/metric-own-org.yaml"),
    ),
];
const OPEN: &dyn Fn(&Hop) -> Reaches = &|_| Reaches::Yes;

fn loaded(texts: &[(&str, &str)]) -> Vec<Scenario> {
    texts.iter().map(|(path, text)| load_scenario(path, text).unwrap()).collect()
}

/// What does not hold, without the reason.
fn red(built: &Built, texts: &[(&str, &str)]) -> Vec<String> {
    let judged = built.judged(&loaded(texts), OPEN);
    assert!(!judged.is_empty());
    let red = judged.into_iter().filter(|(_, said)| said != "holds");
    red.map(|(cell, said)| format!("{cell}: {}", said.split(' ').next().unwrap())).collect()
}

#[test]
fn the_reference_layout_believes_nobody() {
    let built = Sample::reference().build();
    assert_eq!(built.judged(&loaded(&FORGERIES), OPEN).len(), 6 * 20 + 6 * 8 + 3 * 8 + 6 * 4);
    assert_eq!(red(&built, &FORGERIES), Vec::<String>::new());
    assert_eq!(red(&built, &BOTH), Vec::<String>::new());
    assert_eq!(built.not_held(), Vec::<String>::new());
    assert_eq!(built.findings(), Vec::<String>::new());
    assert_eq!(built.believed(), Vec::<String>::new());
}

#[test]
fn a_trusted_header_is_flagged_at_its_line_and_by_what_it_lets_in() {
    let built = Sample::trusted().build();
    let believed = built.believed();
    assert_eq!(believed.len(), 1, "{believed:#?}");
    let line = "organisation-from-client-header \
                shared-services/observability/config/collector.yaml:24 the collector passes on its \
                client's `x-scope-orgid` and believes it: give each tenant a receiver";
    assert!(believed[0].starts_with(line), "{believed:#?}");
    assert_eq!(red(&built, &BOTH), Vec::<String>::new());
    let red = red(&built, &FORGERIES);
    let of_pair = red.iter().filter(|cell| cell.contains("::customer_a_to_customer_b "));
    let of_pair: Vec<&str> = of_pair.map(|cell| cell.split_once(' ').unwrap().1).collect();
    assert_eq!(
        of_pair,
        [
            "log by grpc as odd-case to customer-b: violated",
            "log by grpc as other to customer-b: violated",
            "log by grpc as with-metadata to customer-b: violated",
            "log by http as odd-case to customer-b: violated",
            "log by http as other to customer-b: violated",
            "log by http as with-metadata to customer-b: violated",
            "metric by grpc as odd-case to customer-b: violated",
            "metric by grpc as other to customer-b: violated",
            "metric by grpc as with-metadata to customer-b: violated",
            "metric by http as odd-case to customer-b: violated",
            "metric by http as other to customer-b: violated",
            "metric by http as with-metadata to customer-b: violated",
        ]
    );
    let [a, b] = [0, 1].map(|tenant| built.contract.tenants[tenant].clone());
    let forged = Some(Forge::Other.of(&a, Some(&b)));
    let probe = DeliverProbe { forged, ..DeliverProbe::of(a, Signal::Log) };
    let blame = built.telemetry().blame(&probe).unwrap();
    assert_eq!(
        format!("{} {}", blame.location, blame.because),
        "shared-services/observability/config/collector.yaml:24 the collector passes on its \
         client's `x-scope-orgid`, and so believes `customer-b`"
    );
}

#[test]
fn a_contract_that_means_a_header_is_flagged_where_the_files_do_not_tell() {
    let sample = Sample::trusted().with(
        "observability/alloy.yaml",
        "args: [--config=/etc/alloy/config.yaml]",
        "args: [run, /etc/alloy/config.alloy]",
    );
    let believed = sample.build().believed();
    assert_eq!(believed.len(), 1);
    let expected = "organisation-from-client-header partywall.yaml:43 the contract takes";
    assert!(believed[0].starts_with(expected), "{believed:#?}");
}

#[rstest]
#[case(
    "83-receivers-swapped",
    "log_own_org::customer_a",
    0,
    Signal::Log,
    "shared-services/observability/config/collector.yaml:34 the collector sends everything as `customer-b`"
)]
#[case(
    "85-metrics-to-one-receiver",
    "metric_own_org::customer_b",
    1,
    Signal::Metric,
    "shared-services/observability/config/collector.yaml:64 the collector sends everything as `customer-a`"
)]
fn a_wrong_mapping_is_told_by_its_line(
    #[case] name: &str,
    #[case] trial: &str,
    #[case] tenant: usize,
    #[case] signal: Signal,
    #[case] expected: &str,
) {
    let (sample, mutant) = Sample::mutant(name);
    let built = sample.build();
    let said = &built.verdicts(OPEN)[trial];
    assert!(said.starts_with("violated ") && said.contains(&mutant.expect.reason), "{said}");
    let probe = DeliverProbe::of(built.contract.tenants[tenant].clone(), signal);
    let blame = built.telemetry().blame(&probe).unwrap();
    assert_eq!(format!("{} {}", blame.location, blame.because), expected);
}

#[rstest]
#[case("86-client-believed", "forged_header::customer_a_to_customer_b")]
#[case("87-nameless-to-a-neighbour", "forged_nothing::customer_a")]
#[case("88-mimir-believes-any-value", "forged_value::customer_a_to_customer_b")]
#[case("89-loki-shows-all", "forged_attribute::customer_a_to_customer_b")]
fn a_mutant_is_red_by_its_forgery(#[case] name: &str, #[case] trial: &str) {
    let (sample, mutant) = Sample::mutant(name);
    let judged = sample.build().judged(&loaded(&FORGERIES), OPEN);
    let mut of_trial = judged.iter().filter(|(cell, _)| cell.starts_with(trial));
    let is_red = |said: &str| said.starts_with("violated") && said.contains(&mutant.expect.reason);
    assert!(of_trial.any(|(_, said)| is_red(said)), "{judged:#?}");
}

#[rstest]
#[case("80-metadata-dropped", "log_own_org::customer_a")]
#[case("81-batches-mixed", "metric_own_org::customer_b")]
#[case("82-header-not-set", "log_own_org::soev_internal")]
fn a_setting_that_loses_the_header_proves_nothing_and_is_a_defect(
    #[case] name: &str,
    #[case] trial: &str,
) {
    let (sample, mutant) = Sample::mutant(name);
    let built = sample.build();
    let said = &built.verdicts(OPEN)[trial];
    assert!(said.starts_with("undetermined ") && said.contains(&mutant.expect.reason), "{said}");
    assert!(built.findings()[0].starts_with("organisation-lost "), "{:#?}", built.findings());
}

/// The tenant's own wall is shut: its fence comes from the platform's client all the same.
#[test]
fn a_fence_does_not_depend_on_the_tenant() {
    let built = Sample::reference().build();
    let shut = |hop: &Hop| match &hop.to {
        HopTarget::Service { .. } if hop.from.to_string() == "soev-internal/open-webui" => {
            Reaches::No("no rule allows it".to_string())
        }
        _ => Reaches::Yes,
    };
    let said = built.verdicts(&shut);
    assert_eq!(
        said["log_own_org::soev_internal"],
        "violated telemetry of soev-internal does not leave soev-internal/open-webui: no rule \
         allows it"
    );
    assert_eq!(said["log_own_org::customer_a"], "holds");
}

/// Absence in an organisation counts behind its own tenant's fence alone.
#[test]
fn a_receiver_that_is_lost_leaves_its_organisation_unproven() {
    let sample =
        Sample::reference().collector("endpoint: 0.0.0.0:34317", "endpoint: 127.0.0.1:34317");
    let said = sample.build().verdicts(OPEN);
    assert_eq!(
        said["log_own_org::customer_a"],
        "undetermined absence is not proven: no fence seen in org soev-internal"
    );
}
