//! One cell by the observations of its batch.

use super::{attempt, dns, load, reach, reading, secret, telemetry};
use crate::observation::Observation;
use crate::plan::{Cell, CellSubject, Plan, Trial};
use crate::probe::Probe;
use crate::verdict::Verdict;

/// Judge one cell of a plan by the observations of its batch.
pub fn judge(plan: &Plan, trial: &Trial, cell: &Cell, observations: &[Observation]) -> Verdict {
    if let CellSubject::Missing { why } = &cell.subject {
        return Verdict::undetermined(why.clone());
    }
    let Some(observation) = observations.get(cell.probe) else {
        return Verdict::undetermined("the probe was planned but never answered");
    };
    if let Observation::Failed { detail } = observation {
        return Verdict::undetermined(format!("the probe could not be made: {detail}"));
    }
    let expect = trial.scenario.expect;
    match (&plan.batch.probes[cell.probe], observation, &cell.subject) {
        (Probe::Reach(_), Observation::Reach(seen), CellSubject::Reach(controls)) => {
            let of = |indices: &[usize]| reach::controls(indices, observations);
            let evidence = reach::Evidence {
                seen,
                client: of(&controls.client_controls),
                target: of(&controls.target_controls),
                proof: controls.proof,
                unproven: controls.unproven,
            };
            reach::judge(expect, &evidence)
        }
        (Probe::Secret(probe), Observation::Secret(seen), _) => secret::judge(probe, seen),
        (Probe::Deliver(probe), Observation::Deliver(seen), _) => telemetry::deliver(probe, seen),
        (Probe::Load(probe), Observation::Load(seen), _) => load::judge(probe, seen),
        (Probe::Access(_), Observation::Access(seen), _) => telemetry::access(seen),
        (Probe::Access(_), Observation::Read(seen), _) => reading::two_organisations(seen),
        (Probe::Sources(probe), Observation::Sources(seen), _) => reading::sources(probe, seen),
        (Probe::Dns(probe), Observation::Dns(seen), _) => dns::judge(probe, seen),
        (Probe::Attempt(probe), Observation::Attempt(seen), _) => {
            attempt::judge(expect, probe, seen)
        }
        _ => Verdict::undetermined("the answer is of another kind than the question"),
    }
}
