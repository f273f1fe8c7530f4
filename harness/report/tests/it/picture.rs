//! Events for the page: a meter's, mutants', those of many tenants, and those of hostile authors.

use partywall_core::cluster::Backend;
use partywall_core::event::{
    CellResult, Defect, Distribution, EVENT_VERSION, EdgeExposure, Event, Evidence, Experiment,
    ExposedState, Fate, Interval, Moment, MomentKind, MutantResult, NotJudged,
};
use partywall_core::inventory::PodName;
use partywall_core::source::SourceLocation;
use partywall_core::verdict::Verdict;

use crate::sample;

const CLIENTS: [&str; 4] = [
    "open-webui-846985c4d9-8f92h",
    "postgres-0",
    "reranker-764b96fbbd-m8wf5",
    "weaviate-7456c447cc-9mp5f",
];
const TARGETS: [&str; 4] = ["open-webui", "postgres", "reranker", "weaviate"];
const CONTROLS: &str = "same client to an allowed target: reached; allowed client to the same \
                        target: reached, dropped";

/// Tenants in pairs, as many cells each as in the reference layout.
pub fn wide(tenants: usize) -> Vec<Event> {
    let names = (0..tenants).map(|place| format!("tenant-{place:02}")).collect();
    pairs(names, &CLIENTS)
}

/// The same with few cells and names that take much room.
pub fn lengthy(tenants: usize) -> Vec<Event> {
    let long = "x".repeat(220);
    pairs((0..tenants).map(|place| format!("tenant-{place:02}-{long}")).collect(), &CLIENTS[..1])
}

fn pairs(names: Vec<String>, clients: &[&str]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut planned = Vec::new();
    for (place, from) in names.iter().enumerate() {
        for (other, to) in names.iter().enumerate().filter(|(other, _)| *other != place) {
            let snake = |name: &str| name.replace('-', "_");
            let trial = format!("kind::isolation::other_tenants::{}_to_{}", snake(from), snake(to));
            let before = events.len();
            pair(&mut events, &trial, (from, to), (place * 7 + other, clients));
            let cells = events.len() - before;
            events.push(finished(&trial, from, cells));
            planned.push(trial);
        }
    }
    let started = Event::RunStarted {
        version: EVENT_VERSION,
        backend: Backend::Kind,
        layout: "fixtures/deployments".to_string(),
        commit: Some("3bab83d0b81fcd690e42ae8561f1baf83b6475b7".to_string()),
        tenants: names,
        planned,
        at_ms: 0,
    };
    let is_cell = |event: &&Event| matches!(event, Event::CellJudged(_));
    let cells = events.iter().filter(is_cell).count();
    events.insert(0, started);
    events.push(Event::RunFinished { probes: cells, cells, leaks: 0, elapsed_ms: 9_000, exit: 0 });
    events
}

fn pair(
    events: &mut Vec<Event>,
    trial: &str,
    (from, to): (&str, &str),
    (place, clients): (usize, &[&str]),
) {
    for (of_target, target) in TARGETS.into_iter().enumerate() {
        for (of_client, client) in clients.iter().enumerate() {
            let address = format!("10.244.{}.{}", place % 256, of_target * 10);
            let asked = ["18080/TCP", "18080/UDP", "5432/TCP", "5432/UDP", "6432/TCP"];
            for (of_port, port) in asked.into_iter().enumerate() {
                let to_port = format!("{to}/{target} {port} by pod {address}");
                events.push(Event::CellJudged(CellResult {
                    trial: trial.to_string(),
                    row: from.to_string(),
                    column: format!("{to}/{target}"),
                    square: format!("{from}/{client} -> {to}/{target} {port} by pod"),
                    from: Some(PodName::new(from, *client)),
                    to: to_port,
                    expect: "denied".to_string(),
                    controls: CONTROLS.to_string(),
                    evidence: Some(Evidence {
                        outcome: "dropped".to_string(),
                        receipt: "no server has the nonce".to_string(),
                        elapsed_us: Some(400_000 + 1_000 * (of_client * 5 + of_port) as u64),
                    }),
                    verdict: sample::proven(),
                }));
            }
        }
    }
}

fn finished(trial: &str, tenant: &str, cells: usize) -> Event {
    Event::TrialFinished {
        trial: trial.to_string(),
        claim: format!("{tenant} reaches no pod of any other tenant"),
        scenario: "isolation/other-tenants".to_string(),
        tenant: Some(tenant.to_string()),
        verdict: sample::proven(),
        cells_planned: cells,
        cells_judged: cells,
        elapsed_ms: 9_000,
        blame: None,
        repeat: format!("partywall test {trial}"),
    }
}

/// Let one cell leak, to the first `postgres`.
pub fn leak(events: &mut [Event]) {
    let cells = events.iter_mut().filter_map(|event| match event {
        Event::CellJudged(cell) => Some(cell),
        _ => None,
    });
    if let Some(cell) = cells.into_iter().find(|cell| cell.column.ends_with("/postgres")) {
        cell.verdict = Verdict::violated("expected denied, saw reached after 2 ms");
    }
}

fn edge(to: &str, forbidden: bool, states: &[(u64, u64, ExposedState)]) -> EdgeExposure {
    let against = if forbidden { ExposedState::Open } else { ExposedState::Closed };
    let of_state = states.iter().filter(|(_, _, state)| *state == against);
    EdgeExposure {
        from: "customer-b/open-webui".to_string(),
        to: to.to_string(),
        forbidden,
        probes: 2990,
        reached: if forbidden { 279 } else { 2990 },
        lost: 0,
        against_us: of_state.map(|(from, to, _)| to - from).sum(),
        intervals: states
            .iter()
            .map(|(from_us, to_us, state)| Interval {
                from_us: *from_us,
                to_us: *to_us,
                state: *state,
            })
            .collect(),
        versions: None,
    }
}

/// A policy is removed and a forbidden edge is open for 312.4 ms. There is no start: the meter
/// only adds its events.
pub fn watched() -> Vec<Event> {
    use ExposedState::{Closed, Open, Unknown};
    let moment = |at_us, kind, what: &str| Moment { at_us, kind, what: what.to_string() };
    let experiment = Experiment {
        name: "policy-removed".to_string(),
        summary: "the policy that shuts customer-a off is removed and put back".to_string(),
        layout: "fixtures/deployments".to_string(),
        commit: Some("3bab83d0b81fcd690e42ae8561f1baf83b6475b7".to_string()),
        network_plugin: "calico v3.31.3".to_string(),
        rate_per_second: 50,
        elapsed_us: 60_000_000,
        moments: vec![
            moment(20_000_000, MomentKind::Git, "commit 3bab83d pushed"),
            moment(21_120_000, MomentKind::Flux, "Kustomization flux-system/customer-a applied"),
            moment(
                21_310_000,
                MomentKind::Policy,
                "NetworkPolicy customer-a/default-deny-all deleted",
            ),
            moment(21_402_000, MomentKind::DataPlane, "first packet"),
        ],
        edges: vec![
            edge("shared-services/gateway 8000/TCP", false, &[(0, 60_000_000, Open)]),
            edge(
                "customer-a/postgres 5432/TCP",
                true,
                &[
                    (0, 21_402_000, Closed),
                    (21_402_000, 21_714_400, Open),
                    (21_714_400, 21_800_000, Unknown),
                    (21_800_000, 60_000_000, Closed),
                ],
            ),
        ],
        finding: Some(Defect {
            name: "policy-after-workload".to_string(),
            summary: "Flux deletes a policy before what it protects".to_string(),
            object: "Kustomization flux-system/customer-a".to_string(),
            message: "put the policies into a Kustomization that the workloads depend on"
                .to_string(),
            location: Some(SourceLocation::new("clusters/flux/customer-a.yaml", 12)),
            behind: None,
        }),
    };
    let measured = Distribution {
        name: "policy removed to first packet".to_string(),
        under: "calico v3.31.3".to_string(),
        unit: "us".to_string(),
        count: 12,
        p50: 92_000,
        p99: 240_000,
        max: 240_000,
    };
    vec![Event::ExperimentFinished(experiment), Event::Measured(measured)]
}

fn killed(by: &str, also: &[&str]) -> Fate {
    Fate::Killed {
        by: by.to_string(),
        trial: Some("kind::isolation::other_tenants::customer_a_to_customer_b".to_string()),
        reason: "expected denied, saw reached after 2 ms".to_string(),
        also: also.iter().map(ToString::to_string).collect(),
    }
}

/// One killed, one that survives live, one equivalent.
pub fn mutated() -> Vec<Event> {
    let mutant = |operator: &str, offline: Fate, live: Fate| {
        Event::MutantJudged(MutantResult {
            name: format!("{operator}/customer-a/default-deny-all"),
            operator: operator.to_string(),
            change: "NetworkPolicy default-deny-all is changed".to_string(),
            location: SourceLocation::new("platform/tenants/customer-a/network-policies.yaml", 3),
            offline,
            live,
        })
    };
    let reason = || "the allowed sets are identical".to_string();
    vec![
        mutant(
            "policy-removed",
            killed("isolation/other-tenants", &["isolation/platform"]),
            killed("isolation/other-tenants", &[]),
        ),
        mutant("renamed", Fate::Equivalent { reason: reason() }, Fate::NotRun { reason: reason() }),
        mutant("port-added", killed("uncontracted-flow", &[]), Fate::Survived { reason: reason() }),
    ]
}

/// Names that a hostile author would choose, in every text of every event.
pub fn hostile() -> Vec<Event> {
    let name =
        "<img src=x onerror=alert(1)>\"><script>alert(1)</script>{{ 7 * 7 }}'\u{202e}\u{1b}[31m";
    let text =
        serde_json::to_string(&[sample::red(), watched(), mutated()].concat()).unwrap_or_default();
    let quoted = serde_json::to_string(name).unwrap_or_default();
    let mut events: Vec<Event> = serde_json::from_str(&text).unwrap_or_default();
    let item = NotJudged { subject: name.into(), reason: name.into(), location: None };
    events.insert(1, Event::NotJudged(item));
    let text = serde_json::to_string(&events).unwrap_or_default();
    let quoted = quoted.trim_matches('"');
    let text =
        ["customer-a", "gateway", "same client", "policy-removed", "first packet", "equivalent by"]
            .iter()
            .fold(text, |text, word| text.replace(word, quoted));
    serde_json::from_str(&text).unwrap_or_default()
}
