//! Cells: the squares of a matrix, and the probes behind them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::trial::Trial;
use crate::inventory::PodName;
use crate::port::Transport;
use crate::probe::{Probe, ProbeBatch, ReachProbe};
use crate::scenario::Expect;
use crate::verdict::ProofLevel;

/// One square of a matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Index of its trial.
    pub trial: usize,
    /// Row for people: the tenant, or who asks.
    pub row: String,
    /// Column for people: the target.
    pub column: String,
    /// Index of its probe in the batch; beyond its end where there is nothing to ask.
    pub probe: usize,
    /// What is particular to the question.
    pub subject: CellSubject,
}

/// What is particular to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellSubject {
    /// Reach: with its controls.
    Reach(ReachCell),
    /// Questions whose probe says all.
    Single,
    /// There is nothing to ask; says why. Never green.
    Missing {
        /// One line for a person.
        why: String,
    },
}

/// What judges a reach probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachCell {
    /// The weakest proof that the contract accepts for a deny.
    pub proof: ProofLevel,
    /// Probes of the same client to targets that it may reach; one success is enough.
    pub client_controls: Vec<usize>,
    /// Probes of other clients, which may do so, to the same target; one success is enough.
    pub target_controls: Vec<usize>,
    /// Why there may be no such client. Such a square is then recorded: it neither holds nor
    /// fails.
    #[serde(default)]
    pub unproven: Option<Unproven>,
}

/// Why nobody may be able to reach a target, although nothing is amiss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unproven {
    /// It is asked in case something listens: where even a client without walls is refused,
    /// nothing does.
    MayBeIdle,
    /// The door leads from one node to a pod of another, whose policies then see a node's address
    /// and not the client's.
    LeadsAway,
}

/// Everything that is asked and judged in a run.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The probes, each once.
    pub batch: ProbeBatch,
    /// The cells.
    pub cells: Vec<Cell>,
    reach_index: HashMap<ReachProbe, usize>,
    /// Controls of a client by transport, whatever it asks.
    pub(super) client_controls: HashMap<(PodName, Transport), Vec<usize>>,
}

impl Plan {
    /// The cells of a trial. Trials are planned one after the other, so they stand together.
    pub(super) fn cells_of(&self, trial: usize) -> &[Cell] {
        let from = self.cells.partition_point(|cell| cell.trial < trial);
        let own = &self.cells[from..];
        &own[..own.partition_point(|cell| cell.trial == trial)]
    }

    /// The index of a reach probe; put into the batch if it is new.
    pub(super) fn reach(&mut self, probe: ReachProbe) -> usize {
        if let Some(index) = self.reach_index.get(&probe) {
            return *index;
        }
        let index = self.batch.probes.len();
        self.reach_index.insert(probe.clone(), index);
        self.batch.probes.push(Probe::Reach(probe));
        index
    }

    /// Mark the probes that are expected to be answered: the first control of each side, and
    /// cells that expect it. Further controls are asked in case the first one fails, and may well
    /// be denied; nobody waits for them longer than for a deny.
    pub(super) fn mark_answered(&mut self, trials: &[Trial]) {
        for cell in &self.cells {
            let CellSubject::Reach(reach) = &cell.subject else { continue };
            let expect = trials[cell.trial].scenario.expect;
            if expect == Expect::Recorded {
                // Not judged, so that nothing hangs on its controls.
                continue;
            }
            self.batch.answered.extend(reach.client_controls.first());
            self.batch.answered.extend(reach.target_controls.first());
            if expect == Expect::Reached {
                self.batch.answered.insert(cell.probe);
            }
        }
    }

    /// A cell for what could not be asked: a matrix that loses it would be green for it.
    pub(super) fn missing(&mut self, trial: usize, row: &str, column: &str, why: String) {
        self.cells.push(Cell {
            trial,
            row: row.to_string(),
            column: column.to_string(),
            probe: usize::MAX,
            subject: CellSubject::Missing { why },
        });
    }

    /// A cell whose probe says all.
    pub(super) fn single(&mut self, trial: usize, probe: Probe, row: &str, column: &str) {
        let index = self.batch.probes.len();
        self.batch.probes.push(probe);
        self.cells.push(Cell {
            trial,
            row: row.to_string(),
            column: column.to_string(),
            probe: index,
            subject: CellSubject::Single,
        });
    }
}
