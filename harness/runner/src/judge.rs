//! From verdicts to events: every planned cell and every planned trial is reported.

use partywall_core::event::{Blame, CellResult, Event};
use partywall_core::exit::Exit;
use partywall_core::index::Index;
use partywall_core::inventory::{Pod, PodName, Role};
use partywall_core::observation::Observation;
use partywall_core::plan::{Cell, CellSubject, Plan, ReachCell, Trial};
use partywall_core::probe::Probe;
use partywall_core::scenario::Expect;
use partywall_core::verdict::Verdict;

use crate::blame::blame;
use crate::evidence::{attempted, evidence, outcome_word};
use crate::execute::Run;

/// Everything that a run knows once its cells are judged.
pub(crate) struct Judged<'a> {
    pub run: &'a Run<'a>,
    pub trials: &'a [Trial],
    pub plan: &'a Plan,
    pub observations: &'a [Observation],
    pub verdicts: &'a [Verdict],
    pub pods: &'a Index<'a>,
    pub elapsed_ms: u64,
}

/// The events of every cell and trial, and what they come to.
pub(crate) fn events_of(
    facts: &Judged<'_>,
    known: &dyn Fn(&Probe) -> Option<Blame>,
) -> (Vec<Event>, Exit) {
    let mut events = Vec::new();
    let mut exit = Exit::Holds;
    let mut of_trials: Vec<Vec<(&Cell, &Verdict)>> = vec![Vec::new(); facts.trials.len()];
    for (cell, verdict) in facts.plan.cells.iter().zip(facts.verdicts) {
        of_trials[cell.trial].push((cell, verdict));
    }
    for (trial, of_trial) in facts.trials.iter().zip(&of_trials) {
        let cells = || of_trial.iter().copied();
        events
            .extend(cells().map(|(cell, verdict)| {
                Event::CellJudged(cell_result(facts, trial, cell, verdict))
            }));
        let verdict = Verdict::gravest(cells().map(|(_, verdict)| verdict));
        exit = exit.and(Exit::from(&verdict));
        let worst = cells().find(|(_, of_cell)| **of_cell == verdict).map(|(cell, _)| cell);
        events.push(Event::TrialFinished {
            trial: trial.name.clone(),
            claim: trial.claim.clone(),
            scenario: trial.scenario.path.clone(),
            tenant: trial.tenant.clone(),
            cells_planned: of_trial.len(),
            cells_judged: cells().count(),
            elapsed_ms: facts.elapsed_ms,
            blame: worst.and_then(|cell| blame(facts, trial, cell, &verdict, known)),
            repeat: facts.run.repeat.replace("{trial}", &trial.name),
            verdict,
        });
    }
    (events, exit)
}

fn cell_result(facts: &Judged<'_>, trial: &Trial, cell: &Cell, verdict: &Verdict) -> CellResult {
    let (from, to) = match facts.plan.batch.probes.get(cell.probe) {
        Some(Probe::Reach(reach)) => {
            let target = &reach.target;
            let by = target.by.word();
            let twin = if at_twin(facts, &target.servers) { ", its twin" } else { "" };
            let to = format!("{} {} by {by} {}{twin}", target.label, target.port, target.address);
            (Some(reach.from.clone()), to)
        }
        Some(Probe::Secret(secret)) => (None, format!("secrets of {}", secret.tenant.name)),
        Some(Probe::Deliver(deliver)) => {
            (None, format!("org {}, {}", deliver.tenant.org, deliver.words()))
        }
        Some(Probe::Load(load)) => (None, format!("org {}, {}", load.tenant.org, load.words())),
        Some(Probe::Access(_) | Probe::Sources(_) | Probe::Attempt(_) | Probe::Dns(_)) | None => {
            (None, cell.column.clone())
        }
    };
    CellResult {
        trial: trial.name.clone(),
        row: cell.row.clone(),
        column: cell.column.clone(),
        square: square(facts, cell),
        from,
        to,
        expect: trial.scenario.expect.word().to_string(),
        controls: controls(facts, cell),
        evidence: facts.observations.get(cell.probe).and_then(evidence),
        verdict: verdict.clone(),
    }
}

/// What a square is on every backend.
fn square(facts: &Judged<'_>, cell: &Cell) -> String {
    let (row, column) = (&cell.row, &cell.column);
    match facts.plan.batch.probes.get(cell.probe) {
        Some(Probe::Reach(reach)) => {
            let client = facts.pods.pod(&reach.from);
            // A twin is asked in the place of its original, and shares its workload's name.
            let client = client.map_or(row.as_str(), |pod| pod.workload.as_str());
            let (namespace, target) = (&reach.from.namespace, &reach.target);
            let by = target.by.word();
            // The cluster chooses the numbers of doors.
            let port = target.port.to_string();
            let port = match port.split_once('/') {
                Some((_, transport)) if target.by.is_door() => transport,
                _ => port.as_str(),
            };
            format!("{namespace}/{client} -> {} {port} by {by}", target.label)
        }
        // Several ways and forgeries share a column.
        Some(Probe::Deliver(deliver)) => format!("{row} -> {}", deliver.words()),
        _ => format!("{row} -> {column}"),
    }
}

/// Whether a twin answers in the place of a pod that is not ours.
fn at_twin(facts: &Judged<'_>, servers: &[PodName]) -> bool {
    let is_twin = |pod: &Pod| matches!(pod.role, Role::Twin { .. });
    servers.iter().any(|server| facts.pods.pod(server).is_some_and(is_twin))
}

fn controls(facts: &Judged<'_>, cell: &Cell) -> String {
    if let Some(Observation::Attempt(seen)) = facts.observations.get(cell.probe) {
        return attempted(seen);
    }
    let CellSubject::Reach(reach) = &cell.subject else { return String::new() };
    let ReachCell { client_controls, target_controls, .. } = reach;
    let side = |indices: &[usize]| {
        let outcomes = indices.iter().map(|index| match facts.observations.get(*index) {
            Some(Observation::Reach(seen)) => outcome_word(seen.outcome),
            _ => "unanswered",
        });
        let words = outcomes.collect::<Vec<_>>().join(", ");
        if words.is_empty() { "none".to_string() } else { words }
    };
    format!(
        "same client to an allowed target: {}; allowed client to the same target: {}",
        side(client_controls),
        side(target_controls)
    )
}

/// Whether a cell shows traffic where none may be.
pub(crate) fn is_leak(facts: &Judged<'_>, cell: &Cell, verdict: &Verdict) -> bool {
    facts.trials[cell.trial].scenario.expect == Expect::Denied
        && matches!(verdict, Verdict::Violated { .. })
}
