//! Executing trials on a backend: prepare, observe once, judge, conclude.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use partywall_core::check::judge;
use partywall_core::cluster::{Backend, Capability, Cluster, Deadline, ObserveError};
use partywall_core::event::{Defect, EVENT_VERSION, Event, NotJudged};
use partywall_core::exit::Exit;
use partywall_core::index::Index;
use partywall_core::inventory::Inventory;
use partywall_core::observation::Observation;
use partywall_core::plan::{NodeCoverage, Plan, Trial, lack, node_coverage, plan};
use partywall_core::probe::{ProbeBatch, ProbeKind};
use partywall_core::verdict::Verdict;

use crate::flows::denied_flows;
use crate::judge::{Judged, events_of, is_leak};
use crate::load::Project;
use crate::measured::{counted, measured};

/// Bounds of the parts of a run.
const PREPARE: Deadline = Deadline(Duration::from_secs(180));
/// In a layout in which nothing leaves a tenant, every marker, load and fence is waited for to its end.
const OBSERVE: Duration = Duration::from_secs(240);
/// What each probe adds: thirty tenants ask a quarter of a million questions.
const OBSERVE_PROBE: Duration = Duration::from_millis(2);
/// What each attempt adds: a hostile object that is admitted brings pods up, and takes them down.
const OBSERVE_ATTEMPT: Duration = Duration::from_secs(2);
const CONCLUDE: Deadline = Deadline(Duration::from_secs(90));

/// What is to be run.
pub struct Run<'a> {
    /// The layout and contract.
    pub project: &'a Project,
    /// The trials.
    pub trials: &'a [Trial],
    /// The commit that is judged, where there is one.
    pub commit: Option<String>,
    /// Defects that were found while the layout was deployed.
    pub defects: &'a [Defect],
    /// What the files alone tell to be wrong.
    pub findings: &'a [Defect],
    /// What the backend met and cannot judge.
    pub not_judged: &'a [NotJudged],
    /// The command that repeats one trial, with `{trial}` where its name goes.
    pub repeat: &'a str,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Everything that happened, in order.
    pub events: Vec<Event>,
    /// The exit code.
    pub exit: Exit,
    /// What stood in the cluster.
    pub inventory: Inventory,
    /// From which nodes the tenants' pods were asked.
    pub coverage: NodeCoverage,
}

impl Run<'_> {
    /// The trials that this backend can judge, and the reasons why not for the others.
    fn split<C: Cluster>(&self, cluster: &C) -> (Vec<Trial>, Vec<Event>) {
        split(self.trials.to_vec(), |trial| reason_to_ignore(cluster.backend(), cluster, trial))
    }

    fn started(&self, backend: Backend, judged: &[Trial], at_ms: u64) -> Event {
        Event::RunStarted {
            version: EVENT_VERSION,
            backend,
            layout: self.project.directory.display().to_string(),
            commit: self.commit.clone(),
            tenants: self.tenants_of(judged),
            planned: judged.iter().map(|trial| trial.name.clone()).collect(),
            at_ms,
        }
    }

    /// The tenants that these trials are about: each must get at least one cell.
    fn tenants_of(&self, judged: &[Trial]) -> Vec<String> {
        let names = self.project.contract.tenants.iter().map(|tenant| tenant.name.clone());
        names
            .filter(|name| judged.iter().any(|trial| trial.tenant.as_ref() == Some(name)))
            .collect()
    }
}

fn reason_to_ignore<C: Cluster>(backend: Backend, cluster: &C, trial: &Trial) -> Option<String> {
    if !trial.scenario.backends.contains(&backend) {
        return Some(format!("the scenario is not for the {backend} backend"));
    }
    match cluster.capability(trial.scenario.probe.kind()) {
        Capability::Yes => None,
        Capability::No { reason } => Some(reason),
    }
}

/// The trials that can be asked; the others are ignored, with the reason, and count for nothing.
fn split(
    trials: Vec<Trial>,
    reason: impl Fn(&Trial) -> Option<String>,
) -> (Vec<Trial>, Vec<Event>) {
    let mut judged = Vec::new();
    let mut ignored = Vec::new();
    for trial in trials {
        match reason(&trial) {
            None => judged.push(trial),
            Some(reason) => ignored.push(Event::TrialIgnored { trial: trial.name, reason }),
        }
    }
    (judged, ignored)
}

/// Run the trials and judge them. An error means that the environment was not fit: then no
/// verdict is given at all.
pub async fn execute<C: Cluster>(cluster: &C, run: &Run<'_>) -> Result<RunOutcome, ObserveError> {
    let started = Instant::now();
    let started_at = now_ms();
    let (able, mut ignored) = run.split(cluster);
    let inventory = cluster.prepare(&run.project.contract, PREPARE).await?;
    let lacks = |trial: &Trial| lack(trial, &run.project.contract, &inventory);
    let (judged, lacking) = split(able, lacks);
    ignored.extend(lacking);
    let mut events = vec![run.started(cluster.backend(), &judged, started_at)];
    events.extend(ignored);
    events.extend(run.defects.iter().cloned().map(Event::DefectFound));
    events.extend(run.not_judged.iter().cloned().map(Event::NotJudged));
    let plan = plan(&judged, &run.project.contract, &inventory);
    let asked = Instant::now();
    let observations = cluster.observe(&plan.batch, limit(&plan.batch)).await?;
    let asked = asked.elapsed();
    cluster.conclude(CONCLUDE).await?;
    let elapsed = started.elapsed();
    let verdicts = judge_all(&plan, &judged, &observations);
    let facts = Judged {
        run,
        trials: &judged,
        plan: &plan,
        observations: &observations,
        verdicts: &verdicts,
        pods: &Index::of(&inventory),
        elapsed_ms: milliseconds(elapsed),
    };
    events.extend(denied_flows(&facts).into_iter().map(Event::DefectFound));
    events.extend(run.findings.iter().cloned().map(Event::DefectFound));
    let (trial_events, exit) = events_of(&facts, &|probe| cluster.blame(probe));
    events.extend(trial_events);
    let is_sound = run.defects.is_empty() && run.findings.is_empty();
    let exit = if is_sound { exit } else { exit.and(Exit::Violated) };
    let exit = if run.not_judged.is_empty() { exit } else { exit.and(Exit::Undetermined) };
    if cluster.backend() != Backend::Offline {
        events.extend(
            measured(cluster.backend(), &plan.batch.probes, &observations, asked)
                .map(Event::Measured),
        );
        events.extend(counted(&plan.batch.probes, &observations).map(Event::LoadCounted));
    }
    events.push(finished(&facts, exit, started.elapsed()));
    let coverage = node_coverage(&plan, &judged, &inventory);
    Ok(RunOutcome { events, exit, inventory, coverage })
}

/// How long the probes of a batch may take together.
fn limit(batch: &ProbeBatch) -> Deadline {
    let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
    let attempts = batch.probes.iter().filter(|probe| probe.kind() == ProbeKind::Attempt).count();
    let all = OBSERVE_PROBE.saturating_mul(count(batch.probes.len()));
    let attempts = OBSERVE_ATTEMPT.saturating_mul(count(attempts));
    Deadline(OBSERVE.saturating_add(all).saturating_add(attempts))
}

fn judge_all(plan: &Plan, trials: &[Trial], observations: &[Observation]) -> Vec<Verdict> {
    let cells = plan.cells.iter();
    cells.map(|cell| judge(plan, &trials[cell.trial], cell, observations)).collect()
}

fn finished(facts: &Judged<'_>, exit: Exit, elapsed: Duration) -> Event {
    Event::RunFinished {
        probes: facts.plan.batch.probes.len(),
        cells: facts.plan.cells.len(),
        leaks: facts
            .plan
            .cells
            .iter()
            .zip(facts.verdicts)
            .filter(|c| is_leak(facts, c.0, c.1))
            .count(),
        elapsed_ms: milliseconds(elapsed),
        exit: exit.code(),
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds)
}
