//! What can be jumped to: ids are places and never names, because names are made by tenants.

use std::collections::{HashMap, HashSet};

use crate::scene::Scene;
use crate::view::short_name;

/// More trials than this of a topic are not listed.
const TRIALS_MAX: usize = 1_000;

/// Ids of what the page holds.
pub(super) struct Links<'a> {
    /// The trials of all backends by their names without the backend, in order.
    trials: HashMap<&'a str, usize>,
    /// Squares whose proof is in the page: topic, row, column.
    squares: HashSet<(usize, usize, usize)>,
}

impl<'a> Links<'a> {
    /// Trials that the page lists: of every topic so many, those that do not hold first.
    pub fn of(scene: &Scene<'a>) -> Self {
        let all = || scene.runs.iter().flat_map(|run| &run.view.trials);
        let mut names: Vec<&str> = Vec::new();
        let mut well: HashMap<&str, bool> = HashMap::new();
        for trial in all() {
            let name = short_name(trial.name);
            let is_well = well.entry(name).or_insert_with(|| {
                names.push(name);
                true
            });
            *is_well &= matches!(trial.verdict.word(), "holds" | "recorded");
        }
        let mut ordered: Vec<(usize, &str)> = (1..).zip(names).collect();
        ordered.sort_by_key(|(place, name)| (well.get(name).copied(), *place));
        let mut of_topic: HashMap<&str, usize> = HashMap::new();
        ordered.retain(|(_, name)| {
            let topic = name.split("::").next().unwrap_or_default();
            let count = of_topic.entry(topic).or_default();
            *count += 1;
            *count <= TRIALS_MAX
        });
        let trials = ordered.into_iter().map(|(place, name)| (name, place)).collect();
        Self { trials, squares: HashSet::new() }
    }

    /// `trial-7`, where the page lists the trial.
    pub fn trial(&self, name: &str) -> Option<String> {
        self.trials.get(short_name(name)).map(|place| format!("trial-{place}"))
    }

    /// Note that the proof of a square is in the page.
    pub fn enter_square(&mut self, place: (usize, usize, usize)) {
        self.squares.insert(place);
    }

    /// `cell-1-2-3`, where the proof of this square is in the page.
    pub fn square(&self, place: (usize, usize, usize)) -> Option<String> {
        self.squares.contains(&place).then(|| square_id(place))
    }
}

/// The id of a square: topic, row and column, each from 1.
pub(super) fn square_id((topic, row, column): (usize, usize, usize)) -> String {
    format!("cell-{}-{}-{}", topic + 1, row + 1, column + 1)
}
