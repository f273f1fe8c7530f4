//! Every mutant of `fixtures/mutants` applies, loads, and is blamed on a line that it changed.

use std::path::PathBuf;

use partywall_core::contract::Contract;
use partywall_core::event::Blame;
use partywall_core::probe::{Forge, Signal};
use partywall_core::source::SourceLocation;
use partywall_core::{Layout, Port};
use partywall_offline::mutant::{Mutant, apply};
use partywall_offline::{blame, load, scan};
use rstest::rstest;

fn mutants() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/mutants")
}

/// The layout with a mutant's patch, and the files that it changed.
fn mutated(mutant: &Mutant) -> (Layout, Vec<String>) {
    let scratch = tempfile::tempdir().expect("a folder");
    let changed = apply(mutant, &mutant.layout_dir(), scratch.path()).expect("the patch applies");
    (load::working_tree(scratch.path()).expect("the mutant loads"), changed)
}

#[test]
fn every_mutant_applies_and_loads() {
    let all = Mutant::load_all(&mutants()).expect("every mutant is well formed");
    assert!(!all.is_empty());
    for mutant in &all {
        let (_, changed) = mutated(mutant);
        assert!(!changed.is_empty(), "{}", mutant.name);
        assert_ne!(mutant.expect.exit, 0, "{}", mutant.name);
    }
}

/// What a runner asks for, given what it saw.
enum Ask {
    Open(&'static str, &'static str, Port),
    Closed(&'static str, &'static str, Port),
    Org(&'static str),
    Tenancy(Signal),
    Federates(Signal),
    Forged(Forge),
    Lost(Signal),
    Secret(&'static str),
    Readable,
}

fn answer(layout: &Layout, ask: &Ask) -> Option<Blame> {
    let contract = Contract::load("partywall.yaml", &layout.files["partywall.yaml"])
        .expect("the contract loads");
    let tenant = |name: &str| contract.tenant(name).expect("the tenant is in the contract");
    match ask {
        Ask::Open(from, to, port) => blame::open_wall(layout, from, to, *port),
        Ask::Closed(from, to, port) => {
            blame::missing_egress(layout, &contract, from, from, *port, to)
        }
        Ask::Org(name) => blame::org(layout, tenant(name)),
        Ask::Forged(forge) => blame::believed(layout, *forge),
        Ask::Lost(signal) => blame::lost_under_load(layout, *signal),
        Ask::Tenancy(store) => blame::tenancy(layout, *store),
        Ask::Federates(store) => blame::federation(layout, *store),
        Ask::Secret(name) => blame::secret(layout, tenant(name)),
        Ask::Readable => {
            let found = scan::readable_secrets(layout).into_iter().next();
            found.map(|(location, because): (SourceLocation, String)| Blame { location, because })
        }
    }
}

#[rstest]
#[case("01-walls-removed", Ask::Open("customer-a", "partywall-open", Port::tcp(8080)))]
#[case("02-decoy-port-opened", Ask::Open("customer-a", "shared-services", Port::tcp(18080)))]
#[case("03-org-swapped", Ask::Org("customer-a"))]
#[case("04-neighbour-opened", Ask::Open("customer-a", "customer-b", Port::tcp(5432)))]
#[case("05-udp-hole", Ask::Open("customer-a", "customer-b", Port::udp(5432)))]
#[case("06-dns-tcp-closed", Ask::Closed("customer-b", "kube-system/kube-dns", Port::tcp(53)))]
#[case("07-second-recipient", Ask::Secret("customer-a"))]
#[case("08-decryption-removed", Ask::Secret("customer-b"))]
#[case("09-default-org", Ask::Org("customer-b"))]
#[case("10-loki-tenancy-off", Ask::Tenancy(Signal::Log))]
#[case("11-apiserver-opened", Ask::Open("customer-a", "", Port::tcp(6443)))]
#[case("12-plaintext-secret", Ask::Readable)]
#[case("13-own-pods-closed", Ask::Closed("customer-b", "customer-b/postgres", Port::tcp(5432)))]
#[case("14-egress-to-anywhere", Ask::Open("customer-b", "partywall-open", Port::tcp(8080)))]
#[case("15-ingress-from-anywhere", Ask::Open("partywall-open", "customer-a", Port::tcp(5432)))]
#[case("16-metrics-to-one-org", Ask::Org("customer-b"))]
#[case("17-mimir-tenancy-off", Ask::Tenancy(Signal::Metric))]
#[case("18-loki-opened", Ask::Open("soev-internal", "observability", Port::tcp(3100)))]
#[case(
    "19-collector-closed",
    Ask::Closed("soev-internal", "observability/alloy", Port::tcp(34317))
)]
#[case("83-receivers-swapped", Ask::Org("customer-a"))]
#[case("84-receiver-opened", Ask::Open("customer-b", "observability", Port::tcp(14317)))]
#[case("85-metrics-to-one-receiver", Ask::Org("customer-b"))]
#[case("86-client-believed", Ask::Forged(Forge::Other))]
#[case("87-nameless-to-a-neighbour", Ask::Forged(Forge::Missing))]
#[case("88-mimir-believes-any-value", Ask::Forged(Forge::TwoValues))]
#[case("89-loki-shows-all", Ask::Forged(Forge::NamespaceAttribute))]
#[case("90-loki-takes-little", Ask::Lost(Signal::Log))]
#[case("91-mimir-takes-little", Ask::Lost(Signal::Metric))]
#[case("92-queue-puts-together", Ask::Lost(Signal::Log))]
#[case("93-queue-falls-back", Ask::Org("customer-a"))]
#[case("95-loki-federates", Ask::Federates(Signal::Log))]
#[case("96-mimir-federates", Ask::Federates(Signal::Metric))]
#[case("99-mimir-grpc-opened", Ask::Open("customer-b", "observability", Port::tcp(9095)))]
fn a_mutant_is_blamed_on_what_it_changed(#[case] name: &str, #[case] ask: Ask) {
    let mutant = Mutant::load(&mutants().join(name)).expect("the mutant is well formed");
    let (layout, changed) = mutated(&mutant);
    let before = load::working_tree(&mutant.layout_dir()).expect("the layout loads");
    let blame = answer(&layout, &ask).expect("a line is to blame");
    assert_ne!(answer(&before, &ask), Some(blame.clone()));
    assert!(changed.contains(&blame.location.file), "{}", blame.location);
    let line = layout.line(&blame.location).unwrap_or_default().trim();
    insta::assert_snapshot!(name, format!("{} | {line}\n{}", blame.location, blame.because));
}

/// Scenarios that a session of one node and IPv4 does not ask, and why: no mutant of the reference
/// layout can turn them red there.
const NOT_ASKED: [(&str, &str); 3] = [
    ("world::ipv6", "the session's pods have no IPv6 address"),
    ("world::metadata_service_ipv6", "the session's pods have no IPv6 address"),
    ("world::sctp", "the kernel under the session's node has no SCTP"),
];

#[test]
fn every_judged_scenario_has_a_mutant() {
    let all = Mutant::load_all(&mutants()).expect("every mutant is well formed");
    let scenarios = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let layout = load::working_tree(&scenarios).expect("the scenarios load");
    let judged = layout
        .files
        .iter()
        .filter(|(path, text)| path.ends_with(".yaml") && !text.contains("expect: recorded"));
    let mut left = NOT_ASKED.to_vec();
    let mut count = 0;
    for (path, _) in judged {
        let trial = path.trim_end_matches(".yaml").replace('/', "::").replace('-', "_");
        if let Some(place) = left.iter().position(|(scenario, _)| *scenario == trial) {
            left.remove(place);
            continue;
        }
        let killed = all.iter().any(|mutant| mutant.expect.trial.starts_with(&trial));
        assert!(killed, "no mutant of fixtures/mutants turns {trial} red");
        count += 1;
    }
    assert!(count > 0, "no scenario was found");
    assert_eq!(left, [], "a scenario that is not asked does not exist");
}
