//! A run made by hand that holds one of everything a report has to decide about.

use partywall_core::cluster::Backend;
use partywall_core::event::{Blame, CellResult, Defect, EVENT_VERSION, Event, NotJudged};
use partywall_core::inventory::PodName;
use partywall_core::source::SourceLocation;
use partywall_core::verdict::{ProofLevel, Verdict};

pub const TENANTS: [&str; 3] = ["customer-a", "customer-b", "soev-internal"];
const WORKLOADS: [&str; 4] = ["open-webui", "postgres", "reranker", "weaviate"];
const SERVICES: [&str; 4] = [
    "observability/alloy",
    "shared-services/crawl4ai",
    "shared-services/gateway",
    "shared-services/searxng",
];
const CONTROLS: &str = "same client to an allowed target: reached; \
                        allowed client to the same target: reached";

/// A run under construction.
pub struct Builder {
    pub events: Vec<Event>,
    backend: Backend,
    cells: usize,
    leaks: usize,
    planned: Vec<String>,
}

impl Builder {
    pub fn new(tenants: &[&str]) -> Self {
        Self::on(Backend::Kind, tenants)
    }

    pub fn on(backend: Backend, tenants: &[&str]) -> Self {
        let started = Event::RunStarted {
            version: EVENT_VERSION,
            backend,
            layout: "fixtures/deployments".to_string(),
            commit: Some("4f1c0ffee5eed0000000000000000000deadbeef".to_string()),
            tenants: tenants.iter().map(ToString::to_string).collect(),
            planned: Vec::new(),
            at_ms: 1_790_000_000_000,
        };
        Self { events: vec![started], backend, cells: 0, leaks: 0, planned: Vec::new() }
    }

    /// A trial with these cells of (column, expect, verdict).
    pub fn trial(
        &mut self,
        scenario: &str,
        tenant: Option<&str>,
        claim: &str,
        cells: Vec<(String, &str, Verdict)>,
        blame: Option<Blame>,
    ) {
        let backend = self.backend;
        let mut name = format!("{backend}::{}", scenario.replace('/', "::").replace('-', "_"));
        if let Some(tenant) = tenant {
            name.push_str(&format!("::{}", tenant.replace('-', "_")));
        }
        let verdict = Verdict::gravest(cells.iter().map(|cell| &cell.2));
        let count = cells.len();
        for (place, (column, expect, verdict)) in cells.into_iter().enumerate() {
            self.leaks += usize::from(expect == "denied" && verdict.word() == "violated");
            let from = tenant.map(|tenant| PodName::new(tenant, "open-webui-0"));
            self.events.push(Event::CellJudged(CellResult {
                trial: name.clone(),
                row: tenant.unwrap_or("platform").to_string(),
                to: match from {
                    Some(_) if expect == "denied" || expect == "reached" => {
                        format!("{column} by pod 10.244.0.{place} 8000/TCP")
                    }
                    _ => column.clone(),
                },
                square: format!("{} -> {column}", tenant.unwrap_or("platform")),
                column,
                from,
                expect: expect.to_string(),
                controls: controls(scenario, &verdict),
                evidence: None,
                verdict,
            }));
        }
        self.cells += count;
        self.planned.push(name.clone());
        self.events.push(Event::TrialFinished {
            claim: claim.to_string(),
            scenario: scenario.to_string(),
            tenant: tenant.map(str::to_string),
            verdict,
            cells_planned: count,
            cells_judged: count,
            elapsed_ms: 7_431,
            blame,
            repeat: match backend {
                Backend::Offline => format!("partywall check --trial {name}"),
                _ => format!("partywall test --session partywall --trial {name}"),
            },
            trial: name,
        });
    }

    pub fn ignored(&mut self, trial: &str, reason: &str) {
        self.events.push(Event::TrialIgnored { trial: trial.into(), reason: reason.into() });
    }

    pub fn finish(mut self, exit: u8) -> Vec<Event> {
        if let Some(Event::RunStarted { planned, .. }) = self.events.first_mut() {
            planned.clone_from(&self.planned);
        }
        let (cells, leaks) = (self.cells, self.leaks);
        let probes = cells + 96;
        self.events.push(Event::RunFinished { probes, cells, leaks, elapsed_ms: 9_874, exit });
        self.events
    }
}

fn controls(scenario: &str, verdict: &Verdict) -> String {
    match (scenario.split('/').next(), verdict) {
        (Some("secrets" | "telemetry"), _) => String::new(),
        (_, Verdict::Undetermined { .. }) => {
            CONTROLS.replace("same target: reached", "same target: refused")
        }
        _ => CONTROLS.to_string(),
    }
}

pub fn proven() -> Verdict {
    Verdict::Holds { proof: Some(ProofLevel::Receipt) }
}

fn times(
    count: usize,
    column: &str,
    expect: &'static str,
    verdict: &Verdict,
) -> Vec<(String, &'static str, Verdict)> {
    vec![(column.to_string(), expect, verdict.clone()); count]
}

fn blame(file: &str, line: u64, because: &str) -> Option<Blame> {
    Some(Blame { location: SourceLocation::new(file, line), because: because.to_string() })
}

/// Cells of one tenant to every pod of the others and of the platform.
fn isolation(
    tenant: &str,
    leak_to: Option<&str>,
    unknown: Option<&str>,
) -> Vec<(String, &'static str, Verdict)> {
    let mut cells = Vec::new();
    let others = TENANTS.iter().filter(|other| **other != tenant);
    let mut columns: Vec<String> =
        others.flat_map(|other| WORKLOADS.map(|workload| format!("{other}/{workload}"))).collect();
    columns.extend(
        ["source-controller", "kustomize-controller", "helm-controller"]
            .map(|n| format!("flux-system/{n}")),
    );
    columns.extend(
        ["observability/loki", "observability/mimir", "apiserver", "kubelet"].map(str::to_string),
    );
    for column in columns {
        cells.extend(times(6, &column, "denied", &proven()));
        if leak_to == Some(column.as_str()) {
            let seen = "expected denied, saw reached after 2 ms (echo of nonce 7d41)";
            cells.extend(times(2, &column, "denied", &Verdict::violated(seen)));
        }
        if unknown == Some(column.as_str()) {
            let why = "no allowed client reached the same target and port: the control saw refused after 0 ms";
            cells.extend(times(1, &column, "denied", &Verdict::undetermined(why)));
        }
    }
    cells
}

fn reach(builder: &mut Builder, tenant: &str, is_cut: bool) {
    let mut cells = Vec::new();
    for service in SERVICES {
        let cut = is_cut && service == "observability/alloy";
        let dropped = Verdict::violated("expected reached, saw dropped after 1503 ms");
        let verdict = if cut { dropped } else { Verdict::holds() };
        cells.extend(times(12, service, "reached", &verdict));
    }
    let because = "no egress rule of allow-internal-and-shared lets observability/alloy on 4317/TCP; \
                   add a rule to namespace observability, port 4317";
    let of_layout = blame("customers/customer-a/network-policies.yaml", 31, because);
    builder.trial(
        "reach/contracted-ports",
        Some(tenant),
        &format!(
            "{tenant} reaches the shared services and the collector on their contracted ports"
        ),
        cells,
        is_cut.then_some(of_layout).flatten(),
    );
    let denied = SERVICES.into_iter().flat_map(|service| times(4, service, "denied", &proven()));
    builder.trial(
        "reach/undeclared-ports",
        Some(tenant),
        &format!("{tenant} reaches no undeclared port of the services that it may use"),
        denied.collect(),
        None,
    );
}

fn own(builder: &mut Builder, tenant: &str, is_swapped: bool) {
    let seen = Verdict::Recorded { seen: "reached after 0 ms".to_string() };
    let hairpin = WORKLOADS
        .into_iter()
        .flat_map(|workload| times(2, &format!("{tenant}/{workload}"), "recorded", &seen));
    builder.trial(
        "isolation/hairpin",
        Some(tenant),
        &format!("a pod of {tenant} to itself"),
        hairpin.collect(),
        None,
    );
    let claim = format!("the secret of {tenant} arrives decrypted, as it went in");
    builder.trial(
        "secrets/arrives-decrypted",
        Some(tenant),
        &claim,
        times(1, "secrets", "sealed", &Verdict::holds()),
        None,
    );
    let lands = if is_swapped {
        Verdict::violated("the marker arrived in org customer-a, where it is absent by contract")
    } else {
        Verdict::holds()
    };
    let of_layout = blame(
        "customers/customer-b/values.yaml",
        12,
        "tenantId is customer-a, the contract says customer-b",
    );
    builder.trial(
        "telemetry/log-own-org",
        Some(tenant),
        &format!("a log of {tenant} lands in its own organisation and in no other"),
        times(1, "log", "own-org-only", &lands),
        is_swapped.then_some(of_layout).flatten(),
    );
}

fn defects() -> Vec<Event> {
    let patch = Defect {
        name: "patch-does-not-apply".to_string(),
        summary: "a JSON-6902 replace of a path that the base does not have".to_string(),
        object: "Kustomization flux-system/customer-a".to_string(),
        message: "kustomize build failed: replace operation does not apply: doc is missing path: \
                  /spec/values/ingress/hosts/0/host: missing value"
            .to_string(),
        location: Some(SourceLocation::new("customers/customer-a/kustomization.yaml", 24)),
        behind: None,
    };
    let source = Defect {
        name: "cross-namespace-source".to_string(),
        summary: "a HelmRelease takes its chart from another namespace, which the lockdown forbids".to_string(),
        object: "HelmRelease customer-a/open-webui".to_string(),
        message: "can't access 'GitRepository/flux-system/open-webui-public', cross-namespace references have been blocked".to_string(),
        location: Some(SourceLocation::new("base/helmrelease.yaml", 13)),
        behind: Some("patch-does-not-apply".to_string()),
    };
    let elsewhere = Defect {
        object: "Kustomization flux-system/customer-b".to_string(),
        location: Some(SourceLocation::new("customers/customer-b/kustomization.yaml", 24)),
        ..patch.clone()
    };
    [patch, elsewhere, source].map(Event::DefectFound).to_vec()
}

/// Holds, violated, undetermined, recorded, ignored, and defects, one behind the other.
pub fn red() -> Vec<Event> {
    let mut builder = Builder::new(&TENANTS);
    builder.ignored("kind::custom::ingress_controller", "the layout has no ingress controller");
    builder.events.extend(defects());
    for tenant in TENANTS {
        reach(&mut builder, tenant, tenant == "customer-a");
        let leak = (tenant == "soev-internal").then_some("customer-a/postgres");
        let unknown = (tenant == "customer-b").then_some("observability/mimir");
        let because = "allow-from-soev lets every pod of soev-internal in on every port; remove it";
        let of_layout = blame("customers/customer-a/network-policies.yaml", 58, because);
        builder.trial(
            "isolation/other-tenants",
            Some(tenant),
            &format!("{tenant} reaches no pod of any other tenant"),
            isolation(tenant, leak, unknown),
            leak.and(of_layout),
        );
        own(&mut builder, tenant, tenant == "customer-b");
    }
    let answers = "Loki answers 401 to a request without an organisation";
    builder.trial(
        "telemetry/log-store-needs-org",
        None,
        answers,
        times(1, "log store", "unauthorized", &Verdict::holds()),
        None,
    );
    builder.finish(1)
}

/// The reference layout as it should be.
pub fn green() -> Vec<Event> {
    let mut builder = Builder::new(&TENANTS);
    for tenant in TENANTS {
        reach(&mut builder, tenant, false);
        let claim = format!("{tenant} reaches no pod of any other tenant");
        builder.trial(
            "isolation/other-tenants",
            Some(tenant),
            &claim,
            isolation(tenant, None, None),
            None,
        );
        own(&mut builder, tenant, false);
    }
    builder.finish(0)
}

/// What a backend met and could not judge: two for one reason, one without a place.
pub fn not_judged() -> Vec<Event> {
    let cilium = "policies of Cilium are not modelled; read them against the contract yourself";
    let policy = |tenant: &str, line| NotJudged {
        subject: format!("CiliumNetworkPolicy {tenant}/deny"),
        reason: cilium.to_string(),
        location: Some(SourceLocation::new(format!("customers/{tenant}/cilium.yaml"), line)),
    };
    let chart = NotJudged {
        subject: "HelmRelease monitoring/grafana".to_string(),
        reason: "its chart cannot be had without a network".to_string(),
        location: None,
    };
    let all = [policy("customer-a", 3), policy("customer-b", 5), chart];
    all.map(Event::NotJudged).to_vec()
}

/// A run from files alone: a leak, an unblamed cut, defects, and parts that are not judged.
pub fn offline() -> Vec<Event> {
    let computed = Verdict::Holds { proof: Some(ProofLevel::Computed) };
    let mut builder = Builder::on(Backend::Offline, &TENANTS[..2]);
    builder.ignored("offline::telemetry::log_store_needs_org", "no file says how Loki answers");
    builder.events.extend(defects());
    builder.events.extend(not_judged());
    for tenant in &TENANTS[..2] {
        let mut cells = times(8, "shared-services/gateway", "reached", &computed);
        if *tenant == "customer-b" {
            let dropped = Verdict::violated("expected reached, saw dropped by the files");
            cells.extend(times(1, "observability/alloy", "reached", &dropped));
        }
        let claim = format!("{tenant} reaches the shared services on their contracted ports");
        builder.trial("reach/contracted-ports", Some(tenant), &claim, cells, None);
        let mut cells = times(6, "observability/loki", "denied", &computed);
        if *tenant == "customer-a" {
            let seen = "expected denied, saw reached by the files";
            cells.extend(times(2, "customer-b/postgres", "denied", &Verdict::violated(seen)));
        }
        let because = "allow-from-a lets every pod of customer-a in on every port; remove it";
        let of_layout = blame("customers/customer-b/network-policies.yaml", 58, because);
        let claim = format!("{tenant} reaches nothing that the contract does not list");
        let of_layout = (*tenant == "customer-a").then_some(of_layout).flatten();
        builder.trial("isolation/platform", Some(tenant), &claim, cells, of_layout);
    }
    let why = Verdict::undetermined("no private key is given, so nothing can be opened");
    let cells = times(1, "secrets", "sealed", &why);
    let claim = "only the key of customer-b opens the files of customer-b";
    builder.trial("secrets/own-key-only", Some("customer-b"), claim, cells, None);
    builder.finish(1)
}

/// A run from files alone in which everything holds.
pub fn offline_green() -> Vec<Event> {
    let computed = Verdict::Holds { proof: Some(ProofLevel::Computed) };
    let mut builder = Builder::on(Backend::Offline, &TENANTS[..1]);
    let claim = "customer-a reaches nothing that the contract does not list";
    let cells = times(6, "observability/loki", "denied", &computed);
    builder.trial("isolation/platform", Some("customer-a"), claim, cells, None);
    builder.finish(0)
}

/// The same, but something could not be judged.
pub fn offline_not_whole() -> Vec<Event> {
    let mut events = offline_green();
    events.splice(1..1, not_judged());
    if let Some(Event::RunFinished { exit, .. }) = events.last_mut() {
        *exit = 4;
    }
    events
}
