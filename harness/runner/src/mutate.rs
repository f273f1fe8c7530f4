//! Judging generated mutants from the files: the same rendering and the same checks as for the
//! layout itself, some at a time.

use std::sync::Mutex;
use std::thread;

use futures::executor::block_on;
use partywall_core::contract;
use partywall_core::event::{Event, Fate, MutantResult};
use partywall_core::layout::Layout;
use partywall_core::plan::Trial;
use partywall_offline::cluster::{OfflineCluster, Surroundings};
use partywall_offline::mutate::{Allowed, Generated, Red, fate, reds};
use partywall_offline::secret::Keys;

use crate::execute::RunOutcome;
use crate::files::{Files, Judgeable, Rendering, judge_files};
use crate::load::{CONTRACT_FILE, Project};

/// Each rendering runs programs on threads of its own: more would only wait for each other.
const THREADS: usize = 2;
/// The reader of YAML goes down a document on the stack.
const STACK_BYTES: usize = 16 << 20;
/// The word for a layout that its own contract refuses.
const CONTRACT: &str = "contract";
const OFFLINE_ONLY: &str = "only the files were asked";

/// A layout and what is asked of every mutant of it.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The layout as it is written.
    pub files: &'a Files,
    /// The same, rendered.
    pub judgeable: &'a Judgeable,
    /// Keys that open its sealed files.
    pub keys: &'a Keys,
    /// What is asked.
    pub trials: &'a [Trial],
    /// How mutants are rendered.
    pub rendering: &'a Rendering,
}

/// What the layout itself comes to: what was red before kills nothing.
pub struct Unmutated {
    /// Its run.
    pub outcome: RunOutcome,
    allowed: Allowed,
}

/// Why the layout could not be judged at all.
type Failed = partywall_core::cluster::ObserveError;

impl Bench<'_> {
    /// Judge the layout as it is written.
    pub fn unmutated(&self) -> Result<Unmutated, Failed> {
        let outcome = self.judged(self.files, self.judgeable)?;
        Ok(Unmutated { outcome, allowed: self.allowed(self.files, self.judgeable) })
    }

    fn judged(&self, files: &Files, judgeable: &Judgeable) -> Result<RunOutcome, Failed> {
        let around = Surroundings::assumed(&files.project.contract, &judgeable.rendered);
        block_on(judge_files(files, judgeable, self.trials, self.keys, &around, "{trial}"))
    }

    fn allowed(&self, files: &Files, judgeable: &Judgeable) -> Allowed {
        let (project, rendered) = (&files.project, &judgeable.rendered);
        let around = Surroundings::assumed(&project.contract, rendered);
        let (layout, contract) = (&project.layout, &project.contract);
        Allowed::of(&OfflineCluster::new(layout, rendered, contract, self.keys, &around))
    }

    /// Judge these mutants; `told` hears of each as soon as it is known. The results are in the
    /// order of the mutants.
    pub fn judge(
        &self,
        unmutated: &Unmutated,
        mutants: &[Generated],
        told: &(dyn Fn(&MutantResult) + Sync),
    ) -> Vec<MutantResult> {
        let open = Mutex::new(mutants.iter().enumerate());
        let next = || open.lock().map_or(None, |mut open| open.next());
        let worker = || {
            let mut done = Vec::new();
            while let Some((index, mutant)) = next() {
                let result = self.one(unmutated, mutant);
                told(&result);
                done.push((index, result));
            }
            done
        };
        let mut results: Vec<(usize, MutantResult)> = thread::scope(|scope| {
            let spawn =
                |_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, worker);
            let workers: Vec<_> = (0..THREADS).map(spawn).filter_map(Result::ok).collect();
            if workers.is_empty() {
                return worker();
            }
            let join = |worker: thread::ScopedJoinHandle<'_, _>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().flat_map(join).collect()
        });
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn one(&self, unmutated: &Unmutated, mutant: &Generated) -> MutantResult {
        let offline = self.fate(unmutated, mutant);
        MutantResult {
            name: mutant.name.clone(),
            operator: mutant.operator.name.to_string(),
            change: mutant.change.clone(),
            location: mutant.location.clone(),
            offline: offline.unwrap_or_else(|reason| Fate::NotRun { reason }),
            live: Fate::NotRun { reason: OFFLINE_ONLY.to_string() },
        }
    }

    /// What the files say of a mutant, or why it was not put to them.
    fn fate(&self, unmutated: &Unmutated, mutant: &Generated) -> Result<Fate, String> {
        let layout = mutant.applied(&self.files.project.layout)?;
        if let Some(red) = self.refused(&layout) {
            return Ok(fate(mutant, &[red]));
        }
        let files = self.with(layout);
        let judgeable =
            block_on(files.deploy(self.rendering)).map_err(|error| error.to_string())?;
        let outcome = self.judged(&files, &judgeable).map_err(|error| error.to_string())?;
        let seen = reds(&unmutated.outcome.events, &outcome.events);
        let Fate::Survived { reason } = fate(mutant, &seen) else { return Ok(fate(mutant, &seen)) };
        if let Some(reason) = mutant.operator.unseen_by_files() {
            return Err(reason.to_string());
        }
        let allowed = self.allowed(&files, &judgeable);
        Ok(match allowed.same(&unmutated.allowed) {
            // What went red, went red for something that the comparison does not see.
            Some(reason) if seen.is_empty() => Fate::Equivalent { reason },
            Some(_) => Fate::Survived { reason },
            None => {
                let difference = unmutated.allowed.difference(&allowed);
                Fate::Survived { reason: format!("{reason} ({difference})") }
            }
        })
    }

    fn with(&self, layout: Layout) -> Files {
        let Files { project, repositories, not_judged, .. } = self.files;
        let (directory, contract) = (project.directory.clone(), project.contract.clone());
        Files {
            project: Project { directory, layout, contract },
            repositories: repositories.clone(),
            not_judged: not_judged.clone(),
            commit: None,
            history: self.files.history.clone(),
        }
    }

    /// A layout that its contract does not fit is not judged at all, and says so.
    fn refused(&self, layout: &Layout) -> Option<Red> {
        let errors = contract::check(CONTRACT_FILE, &self.files.project.contract, layout);
        let first = errors.first()?;
        Some(Red::defect(CONTRACT, first.to_string()))
    }
}

/// The events of a run with what became of the mutants, before the run's end.
pub fn with_mutants(run: &[Event], results: &[MutantResult]) -> Vec<Event> {
    let judged = results.iter().cloned().map(Event::MutantJudged);
    let end = run.iter().position(|event| matches!(event, Event::RunFinished { .. }));
    let (before, after) = run.split_at(end.unwrap_or(run.len()));
    before.iter().cloned().chain(judged).chain(after.iter().cloned()).collect()
}
