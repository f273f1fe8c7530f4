//! Planned = executed = reported, and more than nothing for every tenant.
//!
//! A run whose books do not balance is no result: a claim that silently was not judged looks
//! exactly like one that holds.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::event::{CellResult, Event};
use partywall_core::verdict::Verdict;
use thiserror::Error;

/// What a run, or several merged, came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Runs.
    pub runs: usize,
    /// Trials that were planned.
    pub trials_planned: usize,
    /// Trials that hold.
    pub trials_held: usize,
    /// Trials that are violated.
    pub trials_violated: usize,
    /// Trials that are undetermined.
    pub trials_undetermined: usize,
    /// Trials that are shown and not judged.
    pub trials_recorded: usize,
    /// Trials that the backend cannot judge.
    pub trials_ignored: usize,
    /// Cells that were judged.
    pub cells: usize,
    /// Cells of each tenant.
    pub cells_of_tenant: BTreeMap<String, usize>,
    /// Probes that were put.
    pub probes: usize,
    /// Denied cells in which a leak was seen.
    pub leaks: usize,
    /// Defects of the layout.
    pub defects: usize,
    /// What a backend met and could not judge.
    pub not_judged: usize,
}

/// Why a run is no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    /// There is no `run-started`.
    #[error("no run was started")]
    NotStarted,
    /// Something was reported before its run began.
    #[error("events came before `run-started`, so nobody knows which run they belong to")]
    BeforeStart,
    /// There is no `run-finished`: the run was killed, or it failed.
    #[error("the run did not finish")]
    NotFinished,
    /// There is more than one `run-finished`, or something came after it.
    #[error("events came after `run-finished`")]
    AfterFinish,
    /// Nothing was planned, so nothing can hold.
    #[error("no trial was planned")]
    NothingPlanned,
    /// A name is planned twice.
    #[error("trial {trial} was planned more than once")]
    PlannedTwice {
        /// The trial.
        trial: String,
    },
    /// A planned trial was neither judged nor ignored.
    #[error("trial {trial} was planned but neither judged nor ignored")]
    NotExecuted {
        /// The trial.
        trial: String,
    },
    /// A trial was judged that nobody planned.
    #[error("trial {trial} was judged but never planned")]
    NotPlanned {
        /// The trial.
        trial: String,
    },
    /// A trial ended twice, or was judged and ignored.
    #[error("trial {trial} was reported more than once")]
    ReportedTwice {
        /// The trial.
        trial: String,
    },
    /// A trial's cells do not add up.
    #[error("trial {trial}: {planned} cells planned, {judged} judged, {reported} reported")]
    Cells {
        /// The trial.
        trial: String,
        /// Planned.
        planned: usize,
        /// Judged, by its own count.
        judged: usize,
        /// Events of judged cells.
        reported: usize,
    },
    /// A trial holds although it judged nothing.
    #[error("trial {trial} holds without a single judged cell")]
    HoldsNothing {
        /// The trial.
        trial: String,
    },
    /// A trial's verdict is milder than that of one of its cells.
    #[error("trial {trial} ends as `{verdict}`, but one of its cells as `{cell}`")]
    Verdict {
        /// The trial.
        trial: String,
        /// Its verdict.
        verdict: &'static str,
        /// The cell's verdict.
        cell: &'static str,
    },
    /// A cell of a trial that never ended.
    #[error("a cell was judged for trial {trial}, which did not end")]
    StrayCell {
        /// The trial.
        trial: String,
    },
    /// A tenant for which nothing was judged.
    #[error("no cell was judged for tenant {tenant}")]
    NoCells {
        /// The tenant.
        tenant: String,
    },
    /// The totals at the end are not those of the events.
    #[error("the run counts {counted} {what}, its events {reported}")]
    Totals {
        /// `cells` or `leaks`.
        what: &'static str,
        /// By the run's end.
        counted: usize,
        /// By its events.
        reported: usize,
    },
    /// The run exits 0 although something is not proven.
    #[error("the run exits 0 although not every claim holds")]
    ExitTooMild,
}

/// Check that everything that was planned was executed and reported, run by run.
pub fn account(events: &[Event]) -> Result<Account, AccountError> {
    let is_start = |event: &Event| matches!(event, Event::RunStarted { .. });
    match events.first() {
        None => return Err(AccountError::NotStarted),
        Some(first) if !is_start(first) => {
            let started = events.iter().any(is_start);
            return Err(if started { AccountError::BeforeStart } else { AccountError::NotStarted });
        }
        Some(_) => {}
    }
    let mut account = Account::default();
    let starts: Vec<usize> = (0..events.len()).filter(|index| is_start(&events[*index])).collect();
    for (place, start) in starts.iter().enumerate() {
        let end = starts.get(place + 1).copied().unwrap_or(events.len());
        Books::open(&events[*start..end])?.balance(&mut account)?;
    }
    Ok(account)
}

/// One run's events by kind.
#[derive(Default)]
struct Books<'a> {
    tenants: &'a [String],
    planned: BTreeSet<&'a str>,
    ended: BTreeMap<&'a str, &'a Event>,
    ignored: BTreeSet<&'a str>,
    cells: BTreeMap<&'a str, Vec<&'a CellResult>>,
    defects: usize,
    not_judged: usize,
    finish: Option<&'a Event>,
}

impl<'a> Books<'a> {
    fn open(run: &'a [Event]) -> Result<Self, AccountError> {
        let mut books = Self::default();
        for event in run {
            if books.finish.is_some() {
                return Err(AccountError::AfterFinish);
            }
            books.enter(event)?;
        }
        Ok(books)
    }

    fn enter(&mut self, event: &'a Event) -> Result<(), AccountError> {
        let twice = |trial: &str| AccountError::ReportedTwice { trial: trial.to_string() };
        match event {
            Event::RunStarted { tenants, planned, .. } => {
                self.tenants = tenants;
                for trial in planned {
                    if !self.planned.insert(trial) {
                        return Err(AccountError::PlannedTwice { trial: trial.clone() });
                    }
                }
            }
            Event::TrialIgnored { trial, .. } => {
                if self.ended.contains_key(trial.as_str()) || !self.ignored.insert(trial) {
                    return Err(twice(trial));
                }
            }
            Event::TrialFinished { trial, .. } => {
                let ignored = self.ignored.contains(trial.as_str());
                if ignored || self.ended.insert(trial, event).is_some() {
                    return Err(twice(trial));
                }
            }
            Event::CellJudged(cell) => self.cells.entry(&cell.trial).or_default().push(cell),
            Event::DefectFound(_) => self.defects += 1,
            Event::NotJudged(_) => self.not_judged += 1,
            // Meters and mutants have no trials to add up.
            Event::ExperimentFinished(_)
            | Event::MutantJudged(_)
            | Event::Measured(_)
            | Event::LoadCounted(_) => {}
            Event::RunFinished { .. } => self.finish = Some(event),
        }
        Ok(())
    }

    fn balance(&self, account: &mut Account) -> Result<(), AccountError> {
        self.check_trials()?;
        for (trial, event) in &self.ended {
            self.check_cells(trial, event)?;
        }
        if let Some(stray) = self.cells.keys().find(|trial| !self.ended.contains_key(*trial)) {
            return Err(AccountError::StrayCell { trial: (*stray).to_string() });
        }
        self.check_tenants(account)?;
        self.check_end(account)?;
        self.add_to(account);
        Ok(())
    }

    fn check_trials(&self) -> Result<(), AccountError> {
        if self.finish.is_none() {
            return Err(AccountError::NotFinished);
        }
        if self.planned.is_empty() {
            return Err(AccountError::NothingPlanned);
        }
        let executed =
            |trial: &&&str| self.ended.contains_key(**trial) || self.ignored.contains(**trial);
        if let Some(trial) = self.planned.iter().find(|trial| !executed(trial)) {
            return Err(AccountError::NotExecuted { trial: (*trial).to_string() });
        }
        if let Some(trial) = self.ended.keys().find(|trial| !self.planned.contains(*trial)) {
            return Err(AccountError::NotPlanned { trial: (*trial).to_string() });
        }
        Ok(())
    }

    fn check_cells(&self, trial: &str, event: &Event) -> Result<(), AccountError> {
        let Event::TrialFinished { verdict, cells_planned, cells_judged, .. } = event else {
            return Ok(());
        };
        let cells = self.cells.get(trial).map(Vec::as_slice).unwrap_or_default();
        let (planned, judged, reported) = (*cells_planned, *cells_judged, cells.len());
        let trial = trial.to_string();
        if planned != judged || judged != reported {
            return Err(AccountError::Cells { trial, planned, judged, reported });
        }
        if reported == 0 && matches!(verdict, Verdict::Holds { .. }) {
            return Err(AccountError::HoldsNothing { trial });
        }
        let gravest = Verdict::gravest(cells.iter().map(|cell| &cell.verdict).chain([verdict]));
        if gravest.word() != verdict.word() {
            let (verdict, cell) = (verdict.word(), gravest.word());
            return Err(AccountError::Verdict { trial, verdict, cell });
        }
        Ok(())
    }

    fn check_tenants(&self, account: &mut Account) -> Result<(), AccountError> {
        let mut of_tenant: BTreeMap<&str, usize> = BTreeMap::new();
        for (trial, cells) in &self.cells {
            if let Some(Event::TrialFinished { tenant: Some(tenant), .. }) = self.ended.get(trial) {
                *of_tenant.entry(tenant).or_default() += cells.len();
            }
        }
        for tenant in self.tenants {
            let Some(cells) = of_tenant.get(tenant.as_str()) else {
                return Err(AccountError::NoCells { tenant: tenant.clone() });
            };
            *account.cells_of_tenant.entry(tenant.clone()).or_default() += cells;
        }
        Ok(())
    }

    fn check_end(&self, account: &mut Account) -> Result<(), AccountError> {
        let Some(Event::RunFinished { probes, cells, leaks, exit, .. }) = self.finish else {
            return Err(AccountError::NotFinished);
        };
        let all = || self.cells.values().flatten();
        let is_leak = |cell: &&&CellResult| {
            cell.expect == "denied" && matches!(cell.verdict, Verdict::Violated { .. })
        };
        let totals =
            [("cells", *cells, all().count()), ("leaks", *leaks, all().filter(is_leak).count())];
        for (what, counted, reported) in totals {
            if counted != reported {
                return Err(AccountError::Totals { what, counted, reported });
            }
        }
        let is_proven =
            |verdict: &Verdict| matches!(verdict, Verdict::Holds { .. } | Verdict::Recorded { .. });
        let is_whole = self.defects == 0 && self.not_judged == 0;
        if *exit == 0 && !(is_whole && self.verdicts().all(is_proven)) {
            return Err(AccountError::ExitTooMild);
        }
        account.probes = account.probes.saturating_add(*probes);
        account.cells += cells;
        account.leaks += leaks;
        Ok(())
    }

    fn verdicts(&self) -> impl Iterator<Item = &'a Verdict> {
        self.ended.values().filter_map(|event| match event {
            Event::TrialFinished { verdict, .. } => Some(verdict),
            _ => None,
        })
    }

    fn add_to(&self, account: &mut Account) {
        account.runs += 1;
        account.trials_planned += self.planned.len();
        account.trials_ignored += self.ignored.len();
        account.defects += self.defects;
        account.not_judged += self.not_judged;
        for verdict in self.verdicts() {
            match verdict {
                Verdict::Holds { .. } => account.trials_held += 1,
                Verdict::Violated { .. } => account.trials_violated += 1,
                Verdict::Undetermined { .. } => account.trials_undetermined += 1,
                Verdict::Recorded { .. } => account.trials_recorded += 1,
            }
        }
    }
}
