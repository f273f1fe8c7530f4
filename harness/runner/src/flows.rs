//! Contracted flows that were seen denied, as defects of the layout.

use std::collections::BTreeSet;

use partywall_core::event::Defect;
use partywall_core::probe::Probe;
use partywall_core::scenario::Expect;
use partywall_core::verdict::Verdict;
use partywall_offline::defect::{Violation, of_violation};

use crate::blame::endpoint_of;
use crate::judge::Judged;

/// One defect for each tenant and kind of flow, with the line that lacks the allowance. Where
/// the layout had to be mended before the flow could be asked about at all, it is marked as
/// hidden behind what was mended last.
pub(crate) fn denied_flows(facts: &Judged<'_>) -> Vec<Defect> {
    let mut found: Vec<Defect> = Vec::new();
    let mut seen = BTreeSet::new();
    let behind = facts.run.defects.last().map(|defect| defect.name.clone());
    for (cell, verdict) in facts.plan.cells.iter().zip(facts.verdicts) {
        let trial = &facts.trials[cell.trial];
        let probe = facts.plan.batch.probes.get(cell.probe);
        let (Verdict::Violated { .. }, Expect::Reached, Some(tenant), Some(Probe::Reach(probe))) =
            (verdict, trial.scenario.expect, &trial.tenant, probe)
        else {
            continue;
        };
        let Some(endpoint) = endpoint_of(facts, probe) else { continue };
        let violation = Violation {
            tenant,
            namespace: &probe.from.namespace,
            endpoint: &endpoint,
            port: probe.target.port,
        };
        let project = facts.run.project;
        let mut defect = of_violation(&project.layout, &project.contract, &violation);
        defect.behind.clone_from(&behind);
        if seen.insert((tenant.clone(), defect.name.clone(), defect.location.clone())) {
            found.push(defect);
        }
    }
    found
}
