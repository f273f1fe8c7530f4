use partywall_core::probe::Over;
use rstest::rstest;

use super::super::Reaches;
use super::super::sample::Sample;
use super::*;

fn answer(sample: &Sample, signal: Signal) -> Result<LoadObservation, NotJudged> {
    let built = sample.build();
    let telemetry = built.telemetry();
    let reaches = |_: &super::super::Hop| Reaches::Yes;
    let tenant = built.contract.tenants[0].clone();
    let probe = LoadProbe { tenant, signal, over: Some(Over::Grpc), items: 100 };
    telemetry.deliveries(&reaches).load(&probe)
}

fn found(seen: &LoadObservation) -> Vec<(&str, u64, bool)> {
    seen.orgs.iter().map(|(org, sight)| (org.as_str(), sight.found, sight.fence)).collect()
}

#[test]
fn everything_goes_the_way_of_one() {
    for sample in [Sample::reference(), Sample::trusted()] {
        for signal in [Signal::Log, Signal::Metric] {
            let seen = answer(&sample, signal).unwrap();
            assert_eq!((seen.sent, seen.accepted, seen.together_us), (100, 100, None));
            let expected =
                [("customer-a", 100, true), ("customer-b", 0, true), ("soev-internal", 0, true)];
            assert_eq!(found(&seen), expected);
        }
    }
}

#[test]
fn what_is_lost_by_the_files_is_found_nowhere() {
    let batch = Sample::trusted().collector("    metadata_keys: [x-scope-orgid]\n", "");
    let seen = answer(&batch, Signal::Log).unwrap();
    assert!(found(&seen).iter().all(|(_, found, fence)| *found == 0 && !fence));
}

#[rstest]
#[case(Signal::Log, "config/loki.yaml", "limits_config:\n", "  ingestion_rate_mb: 1\n")]
#[case(Signal::Metric, "config/mimir.yaml", "target: all\n", "limits:\n  ingestion_rate: 100\n")]
fn a_limit_is_no_answer(
    #[case] signal: Signal,
    #[case] file: &str,
    #[case] after: &str,
    #[case] limit: &str,
) {
    let sample = Sample::reference().with(file, after, &format!("{after}{limit}"));
    let unknown = answer(&sample, signal).unwrap_err();
    assert!(unknown.reason.contains("limits what it takes"), "{}", unknown.reason);
    assert!(unknown.location.unwrap().file.ends_with(file));
    let other = if signal == Signal::Log { Signal::Metric } else { Signal::Log };
    assert!(answer(&sample, other).is_ok(), "the other store has none");
}

#[rstest]
#[case(Signal::Log, "config/loki.yaml", "limits_config:\n", "  ingestion_burst_size_mb: 0.002\n")]
#[case(
    Signal::Metric,
    "config/mimir.yaml",
    "target: all\n",
    "limits:\n  ingestion_burst_size: 50\n"
)]
fn a_store_that_takes_no_whole_request_takes_none(
    #[case] signal: Signal,
    #[case] file: &str,
    #[case] after: &str,
    #[case] limit: &str,
) {
    let sample = Sample::reference().with(file, after, &format!("{after}{limit}"));
    let seen = answer(&sample, signal).unwrap();
    assert_eq!(seen.accepted, 100, "the collector has taken it");
    assert!(found(&seen).iter().all(|(_, found, fence)| *found == 0 && *fence));
}

#[test]
fn a_queue_that_puts_together_loses_a_load_and_passes_a_fence() {
    let queue = "enabled: true\n      sizer: items\n      batch: {flush_timeout: 5ms}\n";
    let sample = Sample::trusted()
        .collector("enabled: false\n", queue)
        .collector("processors: [batch]", "processors: []");
    let seen = answer(&sample, Signal::Log).unwrap();
    assert!(found(&seen).iter().all(|(_, found, fence)| *found == 0 && *fence));
    let falls_back = sample.collector(
        "from_context: x-scope-orgid\n",
        "from_context: x-scope-orgid\n        default_value: customer-b\n",
    );
    let seen = answer(&falls_back, Signal::Log).unwrap();
    let expected = [("customer-a", 0, true), ("customer-b", 100, true), ("soev-internal", 0, true)];
    assert_eq!(found(&seen), expected);
}

#[rstest]
#[case("-distributor.ingestion-rate-limit-mb=1", true)]
#[case("--runtime-config.file=/etc/limits.yaml", true)]
#[case("-validation.max-line-size-limit", true)]
#[case("-config.file=/etc/limits.yaml", false)]
#[case("limit", false)]
fn a_flag_may_be_a_limit(#[case] word: &str, #[case] expected: bool) {
    assert_eq!(is_limit_flag(word), expected);
}

#[rstest]
#[case(Signal::Log, "config/loki.yaml", "schema_config:\n", "runtime_config: {file: /a}\n")]
#[case(Signal::Metric, "config/mimir.yaml", "target: all\n", "runtime_config: {file: /a}\n")]
fn limits_that_stand_elsewhere_are_no_answer(
    #[case] signal: Signal,
    #[case] file: &str,
    #[case] before: &str,
    #[case] elsewhere: &str,
) {
    let sample = Sample::reference().with(file, before, &format!("{elsewhere}{before}"));
    let unknown = answer(&sample, signal).unwrap_err();
    assert!(unknown.reason.contains("elsewhere"), "{}", unknown.reason);
}
