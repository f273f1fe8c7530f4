//! The reference layout's telemetry, put together by hand: tests may change any of its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use partywall_core::cluster::Backend;
use partywall_core::contract::Contract;
use partywall_core::document::documents;
use partywall_core::inventory::Inventory;
use partywall_core::observation::Observation;
use partywall_core::plan::{plan, trials};
use partywall_core::probe::{Asker, Probe};
use partywall_core::scenario::{Question, Scenario, load_scenario};
use partywall_core::source::SourceLocation;
use partywall_core::{Layout, check};
use serde_json::json;

use super::{Hop, ORGANISATION_FROM_CLIENT_HEADER, Reaches, Telemetry};
use crate::render::{Object, Rendered, parse_stream};

const OBSERVABILITY: &str = "shared-services/observability";
const CHART: &str = "../charts/helm/open-webui-stack/templates/open-webui.yaml";
const SCENARIOS: [(&str, &str); 4] = [
    ("telemetry/log-own-org", include_str!("../../../../scenarios/telemetry/log-own-org.yaml")),
    (
        "telemetry/metric-own-org",
        include_str!("../../../../scenarios/telemetry/metric-own-org.yaml"),
    ),
    (
        "telemetry/log-store-needs-org",
        include_str!("../../../../scenarios/telemetry/log-store-needs-org.yaml"),
    ),
    (
        "telemetry/metric-store-needs-org",
        include_str!("../../../../scenarios/telemetry/metric-store-needs-org.yaml"),
    ),
];

/// A scenario without a protocol of its own.
fn as_the_environment_says((path, text): (&str, &str)) -> Scenario {
    let mut scenario = load_scenario(path, text).unwrap();
    if let Question::Deliver(question) = &mut scenario.probe {
        question.over.clear();
    }
    scenario
}

/// The files of a layout.
pub(super) struct Sample {
    files: BTreeMap<String, String>,
    more: String,
}

/// A sample as Flux would apply it.
pub(super) struct Built {
    pub(super) rendered: Rendered,
    pub(super) contract: Contract,
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

impl Sample {
    /// A receiver for each tenant.
    pub(super) fn reference() -> Self {
        Self::at(&fixtures().join("deployments"))
    }

    /// One receiver for all, and a header that is believed.
    pub(super) fn trusted() -> Self {
        Self::at(&fixtures().join("layouts/trusted-header"))
    }

    /// The reference layout with a mutant's patch.
    pub(super) fn mutant(name: &str) -> (Self, crate::mutant::Mutant) {
        let mutant = crate::mutant::Mutant::load(&fixtures().join("mutants").join(name)).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        crate::mutant::apply(&mutant, &mutant.layout_dir(), scratch.path()).unwrap();
        (Self::at(scratch.path()), mutant)
    }

    fn at(folder: &Path) -> Self {
        let mut files = crate::load::working_tree(folder).unwrap().files;
        let chart = fs::read_to_string(fixtures().join("deployments").join(CHART)).unwrap();
        files.insert(CHART.to_string(), chart);
        Self { files, more: String::new() }
    }

    /// Replace a text in a file; it must be there.
    pub(super) fn with(mut self, file: &str, from: &str, to: &str) -> Self {
        let (path, text) = self.files.iter_mut().find(|(path, _)| path.ends_with(file)).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        *text = text.replace(from, to);
        self
    }

    pub(super) fn text(&self, file: &str) -> &str {
        self.files.iter().find(|(path, _)| path.ends_with(file)).unwrap().1
    }

    pub(super) fn collector(self, from: &str, to: &str) -> Self {
        self.with("config/collector.yaml", from, to)
    }

    /// More objects, as they would be applied.
    pub(super) fn and(mut self, objects: &str) -> Self {
        self.more.push_str("---\n");
        self.more.push_str(objects);
        self
    }

    pub(super) fn build(&self) -> Built {
        let mut rendered =
            Rendered { sources: Layout::lenient(self.files.clone()).into(), ..Rendered::default() };
        for file in ["alloy", "loki", "mimir"] {
            let path = format!("{OBSERVABILITY}/{file}.yaml");
            let written = documents(&path, &self.files[&path]).unwrap();
            let values = parse_stream(&path, &self.files[&path]).unwrap();
            for (mut value, document) in values.into_iter().zip(written) {
                value["metadata"]["namespace"] = json!("observability");
                rendered.objects.push(object(value, document.location));
            }
            let config = if file == "alloy" { "collector" } else { file };
            let text = &self.files[&format!("{OBSERVABILITY}/config/{config}.yaml")];
            let kustomization =
                SourceLocation::new(format!("{OBSERVABILITY}/kustomization.yaml"), 13);
            let value = json!({
                "kind": "ConfigMap",
                "metadata": {"name": file, "namespace": "observability"},
                "data": {"config.yaml": text},
            });
            rendered.objects.push(object(value, kustomization));
        }
        let receivers = format!("{OBSERVABILITY}/receivers/");
        let given = format!("{OBSERVABILITY}/grafana-datasources.yaml");
        let is_more = |path: &String| path.starts_with(&receivers) || *path == given;
        for (path, text) in self.files.iter().filter(|(path, _)| is_more(path)) {
            let written = documents(path, text).unwrap();
            let values = parse_stream(path, text).unwrap();
            for (mut value, document) in values.into_iter().zip(written) {
                value["metadata"]["namespace"] = json!("observability");
                rendered.objects.push(object(value, document.location));
            }
        }
        let contract = Contract::load("partywall.yaml", &self.files["partywall.yaml"]).unwrap();
        for tenant in &contract.tenants {
            rendered.objects.push(self.workload(&tenant.name));
        }
        for value in parse_stream("more", &self.more).unwrap() {
            rendered.objects.push(object(value, SourceLocation::new("more.yaml", 1)));
        }
        Built { rendered, contract }
    }

    /// What the chart makes of a tenant's values, as far as telemetry goes.
    fn workload(&self, tenant: &str) -> Object {
        let path = format!("customers/{tenant}/values.yaml");
        let values = documents(&path, &self.files[&path]).unwrap();
        let otel = |key: &str| {
            values[0].root.text(&["openWebui", "config", "telemetry", "otel", key]).unwrap()
        };
        let value = json!({
            "kind": "Deployment",
            "metadata": {"name": "open-webui", "namespace": tenant},
            "spec": {"template": {
                "metadata": {"labels": {"app": "open-webui"}},
                "spec": {"containers": [{"name": "open-webui", "env": [
                    {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": otel("endpoint")},
                    {
                        "name": "OTEL_EXPORTER_OTLP_HEADERS",
                        "value": format!("X-Scope-OrgID={}", otel("tenantId")),
                    },
                ]}]},
            }},
        });
        object(value, SourceLocation::new(CHART, 1))
    }
}

fn object(value: serde_json::Value, origin: SourceLocation) -> Object {
    Object { value, origin, applied_by: String::new() }
}

impl Built {
    pub(super) fn telemetry(&self) -> Telemetry<'_> {
        Telemetry::new(&self.rendered, &self.contract)
    }

    /// What the judge says of every telemetry trial: `holds`, or the word and the reason.
    pub(super) fn verdicts(&self, reaches: &dyn Fn(&Hop) -> Reaches) -> BTreeMap<String, String> {
        self.judged(&SCENARIOS.map(as_the_environment_says), reaches)
    }

    /// What the judge says of these scenarios, by trial and square.
    pub(super) fn judged(
        &self,
        scenarios: &[Scenario],
        reaches: &dyn Fn(&Hop) -> Reaches,
    ) -> BTreeMap<String, String> {
        let trials = trials(Backend::Offline, scenarios, &self.contract);
        let plan = plan(&trials, &self.contract, &Inventory::default());
        let telemetry = self.telemetry();
        let deliveries = telemetry.deliveries(reaches);
        let answers = plan.batch.probes.iter().map(|probe| match probe {
            Probe::Deliver(probe) => deliveries.observe(probe).map(Observation::Deliver),
            Probe::Access(probe) if probe.by == Asker::TwoOrganisations => {
                telemetry.both(probe.store, &deliveries).map(Observation::Read)
            }
            Probe::Access(probe) => telemetry.access(probe.store, reaches).map(Observation::Access),
            Probe::Sources(probe) => {
                telemetry.sources(probe, &deliveries).map(Observation::Sources)
            }
            other => panic!("{other:?}"),
        });
        let failed = |unknown: partywall_core::event::NotJudged| Observation::Failed {
            detail: format!("{}: {}", unknown.subject, unknown.reason),
        };
        let answers: Vec<Observation> =
            answers.map(|answer| answer.unwrap_or_else(failed)).collect();
        let judged = plan.cells.iter().map(|cell| {
            let trial = &trials[cell.trial];
            let verdict = check::judge(&plan, trial, cell, &answers);
            let mut name = trial.name.trim_start_matches("offline::telemetry::").to_string();
            match &plan.batch.probes[cell.probe] {
                Probe::Deliver(probe) if probe.over.is_some() => {
                    name = format!("{name} {}", probe.words());
                }
                Probe::Sources(probe) => name = format!("{name} {:?}", probe.store),
                _ => {}
            }
            (name, format!("{} {}", verdict.word(), verdict.reason()).trim_end().to_string())
        });
        judged.collect()
    }

    /// Verdicts when every policy lets telemetry through; those that hold are left out.
    pub(super) fn not_held(&self) -> Vec<String> {
        let verdicts = self.verdicts(&|_| Reaches::Yes);
        let shown = verdicts.iter().map(|(trial, said)| format!("{trial}: {said}"));
        shown.filter(|line| !line.ends_with(": holds")).collect()
    }

    /// Defects but for the one that is in every layout which believes a header.
    pub(super) fn findings(&self) -> Vec<String> {
        self.defects(|name| name != ORGANISATION_FROM_CLIENT_HEADER)
    }

    pub(super) fn believed(&self) -> Vec<String> {
        self.defects(|name| name == ORGANISATION_FROM_CLIENT_HEADER)
    }

    fn defects(&self, is_meant: fn(&str) -> bool) -> Vec<String> {
        let found = self.telemetry().findings();
        let shown = found.iter().filter(|one| is_meant(&one.name)).map(|one| {
            let location = one.location.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {location} {}", one.name, one.summary)
        });
        shown.collect()
    }
}
