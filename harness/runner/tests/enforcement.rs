//! Enforcement that is lost in the middle of a run: the concluding canary takes every verdict
//! back.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use futures::executor::block_on;
use partywall_core::cluster::{Backend, Capability, Cluster, Deadline, ObserveError};
use partywall_core::contract::Contract;
use partywall_core::inventory::Inventory;
use partywall_core::observation::Observation;
use partywall_core::plan::trials;
use partywall_core::probe::{ProbeBatch, ProbeKind};
use partywall_core::scenario::load_scenario;
use partywall_runner::{Run, RunOutcome, execute, load_project};

const SCENARIO: &str = "claim: nothing of {tenant} is readable\nbecause: it is sealed\nfor: \
                        each-tenant\nprobe:\n  secret: {ask: nothing-readable-in-git}\nexpect: \
                        sealed\n";

/// A cluster whose network plugin enforces until the probes have been answered, or throughout.
struct World {
    enforces_at_the_end: bool,
}

impl Cluster for World {
    fn backend(&self) -> Backend {
        Backend::Kind
    }

    fn capability(&self, _kind: ProbeKind) -> Capability {
        Capability::Yes
    }

    async fn prepare(&self, _: &Contract, _: Deadline) -> Result<Inventory, ObserveError> {
        Ok(Inventory::default())
    }

    async fn observe(
        &self,
        batch: &ProbeBatch,
        _: Deadline,
    ) -> Result<Vec<Observation>, ObserveError> {
        let lost = |_| Observation::Failed { detail: "not asked".to_string() };
        Ok(batch.probes.iter().map(lost).collect())
    }

    async fn conclude(&self, _: Deadline) -> Result<(), ObserveError> {
        if self.enforces_at_the_end {
            return Ok(());
        }
        let (message, hint) = ("these came through".to_string(), String::new());
        Err(ObserveError::Canary { message, hint })
    }
}

fn run(world: &World) -> Result<RunOutcome, ObserveError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/deployments");
    let project = load_project(&root).unwrap();
    let scenario = load_scenario("secrets/nothing-readable.yaml", SCENARIO).unwrap();
    let trials = trials(Backend::Kind, &[scenario], &project.contract);
    let run = Run {
        project: &project,
        trials: &trials,
        commit: None,
        defects: &[],
        findings: &[],
        not_judged: &[],
        repeat: "",
    };
    block_on(execute(world, &run))
}

#[test]
fn a_run_whose_last_canary_does_not_bite_has_no_verdict() {
    assert!(!run(&World { enforces_at_the_end: true }).unwrap().events.is_empty());
    let error = run(&World { enforces_at_the_end: false }).unwrap_err();
    assert!(matches!(error, ObserveError::Canary { .. }), "{error}");
    assert!(error.to_string().contains("the enforcement canary did not bite"), "{error}");
}
