//! Telemetry of the fixtures' layouts, followed through what the pinned programs render.

#[expect(dead_code, reason = "not every test needs all of it")]
mod render_support;

use std::collections::BTreeMap;
use std::path::Path;

use partywall_core::contract::Contract;
use partywall_core::probe::{DeliverProbe, Signal};
use partywall_offline::load;
use partywall_offline::mutant::{Mutant, apply};
use partywall_offline::render::{Rendered, Repository};
use partywall_offline::telemetry::{Reaches, Telemetry};
use render_support::root;
use rstest::rstest;

/// A folder as Flux would apply it, with the fixtures' charts beside it.
fn rendered(folder: &Path) -> (Rendered, Contract) {
    let layout = load::working_tree(folder).expect("the layout loads");
    let contract = Contract::load("partywall.yaml", &layout.files["partywall.yaml"]);
    let contract = contract.expect("the contract loads");
    let charts = load::working_tree(&root().join("fixtures/charts")).expect("the charts load");
    let repository = |one: &partywall_core::contract::Repository| {
        let files = if one.path == "." { BTreeMap::new() } else { charts.files.clone() };
        Repository { url: one.url.clone(), prefix: one.path.clone(), files }
    };
    let repositories: Vec<Repository> = contract.repositories.iter().map(repository).collect();
    (render_support::rendered(&layout, &repositories), contract)
}

#[test]
fn the_reference_layout_sends_every_tenant_into_its_own_organisation() {
    let (rendered, contract) = rendered(&root().join("fixtures/deployments"));
    let telemetry = Telemetry::new(&rendered, &contract);
    for tenant in &contract.tenants {
        for signal in [Signal::Log, Signal::Metric] {
            let trail = telemetry.trail(tenant, signal);
            assert_eq!(trail.orgs, [tenant.org.as_str()], "{trail:#?}");
            let seen = telemetry
                .deliver(&DeliverProbe::of(tenant.clone(), signal), &|_| Reaches::Yes)
                .expect("it is judged");
            assert!(seen.accepted && seen.orgs.values().all(|sight| sight.fence), "{seen:#?}");
            let marked = seen.orgs.iter().filter(|(_, sight)| sight.marker);
            assert_eq!(
                marked.map(|(org, _)| org.as_str()).collect::<Vec<_>>(),
                [tenant.org.as_str()]
            );
        }
    }
    assert_eq!(telemetry.findings(), []);
    let trail = telemetry.trail(&contract.tenants[0], Signal::Metric);
    let steps: Vec<String> = trail.steps.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(steps.join("\n"));
}

#[rstest]
#[case("03-org-swapped", 0, Signal::Log, "customers/customer-a/values.yaml:14")]
#[case("09-default-org", 1, Signal::Log, "shared-services/observability/config/collector.yaml:23")]
#[case("10-loki-tenancy-off", 2, Signal::Log, "shared-services/observability/config/loki.yaml:2")]
#[case(
    "16-metrics-to-one-org",
    1,
    Signal::Metric,
    "shared-services/observability/config/collector.yaml:29"
)]
#[case(
    "17-mimir-tenancy-off",
    0,
    Signal::Metric,
    "shared-services/observability/config/mimir.yaml:3"
)]
fn a_mutant_is_blamed_on_the_line_that_it_changed(
    #[case] name: &str,
    #[case] tenant: usize,
    #[case] signal: Signal,
    #[case] expected: &str,
) {
    let mutant = Mutant::load(&root().join("fixtures/mutants").join(name)).expect("it loads");
    let scratch = tempfile::tempdir().expect("a folder");
    apply(&mutant, &mutant.layout_dir(), scratch.path()).expect("the patch applies");
    let (rendered, contract) = rendered(scratch.path());
    let telemetry = Telemetry::new(&rendered, &contract);
    let tenant = &contract.tenants[tenant];
    let blame =
        telemetry.blame(&DeliverProbe::of(tenant.clone(), signal)).expect("a line is at fault");
    assert_eq!(blame.location.to_string(), expected);
    assert_ne!(telemetry.trail(tenant, signal).orgs, [tenant.org.as_str()]);
}
