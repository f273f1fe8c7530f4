//! Several runs over one layout, brought together square by square.

use std::collections::{HashMap, HashSet};

use partywall_core::event::{CellResult, Event};

use crate::layers::{Layers, State};
use crate::matrix::{Matrix, column_of, sorted_columns, sorted_rows};
use crate::square::Word;
use crate::text::clean;
use crate::view::{RunView, short_name, topic, topics};

/// What is known of a layout: from a cluster, from its files, from a meter, from mutants.
pub(crate) struct Scene<'a> {
    pub runs: Vec<Run<'a>>,
    /// Tenants of every run, in the contract's order.
    pub tenants: Vec<&'a str>,
    /// Every cell of a cluster with what the files say of it, then the cells that only the files
    /// answer.
    pub cells: Vec<SceneCell<'a>>,
}

/// One run.
pub(crate) struct Run<'a> {
    pub events: &'a [Event],
    pub view: RunView<'a>,
}

impl Run<'_> {
    /// Whether claims were judged in it, as in a test and unlike under a meter.
    pub fn is_of_claims(&self) -> bool {
        let is_planned = |event: &Event| match event {
            Event::RunStarted { planned, .. } => !planned.is_empty(),
            _ => false,
        };
        !self.view.trials.is_empty()
            || !self.view.cells.is_empty()
            || self.events.iter().any(is_planned)
    }
}

/// One cell.
pub(crate) struct SceneCell<'a> {
    /// Its run.
    pub run: usize,
    pub cell: &'a CellResult,
    /// What the files say; `None` where they were not asked.
    pub policy: Option<State>,
    /// What was seen; `None` where no cluster was asked.
    pub observed: Option<State>,
}

/// The matrix of a topic, and which cells stand in each square.
pub(crate) struct Topic {
    pub matrix: Matrix<Layers>,
    /// Row, column, indices into the scene's cells.
    pub cells: Vec<Vec<Vec<usize>>>,
}

impl<'a> Scene<'a> {
    /// The runs of these event streams; a stream may hold several.
    pub fn of(streams: &[&'a [Event]]) -> Self {
        let runs: Vec<Run<'a>> = streams
            .iter()
            .flat_map(|stream| runs_of(stream))
            .map(|events| Run { events, view: RunView::of(events) })
            .collect();
        let mut tenants: Vec<&str> = Vec::new();
        for tenant in runs.iter().flat_map(|run| &run.view.tenants) {
            if !tenants.contains(tenant) {
                tenants.push(tenant);
            }
        }
        let cells = cells(&runs);
        Self { runs, tenants, cells }
    }

    /// The events of the runs in which claims were judged, or of all where there is none.
    pub fn of_claims(&self) -> Vec<Event> {
        let is_any = self.runs.iter().any(Run::is_of_claims);
        let runs = self.runs.iter().filter(|run| run.is_of_claims() || !is_any);
        runs.flat_map(|run| run.events).cloned().collect()
    }

    /// One matrix for each topic that has cells.
    pub fn topics(&self) -> Vec<Topic> {
        let mut of_topic: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, shown) in self.cells.iter().enumerate() {
            of_topic.entry(topic(&shown.cell.trial)).or_default().push(index);
        }
        let names = topics(self.cells.iter().map(|shown| shown.cell.trial.as_str()));
        let members = |name: &str| of_topic.get(name).map(Vec::as_slice).unwrap_or_default();
        names.into_iter().map(|name| self.topic(name, members(name))).collect()
    }

    fn topic(&self, name: &str, members: &[usize]) -> Topic {
        let mut row_places: HashMap<&str, usize> = HashMap::new();
        let mut column_places: HashMap<&str, usize> = HashMap::new();
        let mut squares: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
        for index in members {
            let cell = self.cells[*index].cell;
            let next = row_places.len();
            let row = *row_places.entry(&cell.row).or_insert(next);
            let next = column_places.len();
            let column = *column_places.entry(&cell.column).or_insert(next);
            squares.entry((row, column)).or_default().push(*index);
        }
        let rows = sorted_rows(row_places, &self.tenants);
        let columns = sorted_columns(column_places, &self.tenants);
        let mut cells: Vec<Vec<Vec<usize>>> = Vec::new();
        for (_, row) in &rows {
            let take = |(_, column): &(&str, usize)| squares.remove(&(*row, *column));
            cells.push(columns.iter().map(take).map(Option::unwrap_or_default).collect());
        }
        let of_row = |(row, squares): (usize, &Vec<Vec<usize>>)| {
            let place = |column: usize| Some((row, column));
            let all = squares.iter().enumerate();
            all.map(|(column, members)| self.layers(place(column), members)).collect()
        };
        let matrix = Matrix {
            topic: clean(name),
            rows: rows.iter().map(|(name, _)| clean(name)).collect(),
            columns: columns.iter().map(|(name, _)| column_of(name)).collect(),
            squares: cells.iter().enumerate().map(of_row).collect(),
        };
        Topic { matrix, cells }
    }

    fn layers(&self, place: Option<(usize, usize)>, members: &[usize]) -> Layers {
        let place = place.filter(|_| !members.is_empty());
        let mut layers = Layers { place, ..Layers::default() };
        for index in members {
            let shown = &self.cells[*index];
            layers.enter(shown.cell, shown.policy, shown.observed);
        }
        layers
    }
}

/// A stream's parts, each from one start to the next; what stands before the first is a part
/// too.
fn runs_of(stream: &[Event]) -> Vec<&[Event]> {
    let is_start = |event: &Event| matches!(event, Event::RunStarted { .. });
    let mut parts = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let next = rest.iter().skip(1).position(is_start).map_or(rest.len(), |at| at + 1);
        let (part, after) = rest.split_at(next);
        parts.push(part);
        rest = after;
    }
    parts
}

type Key<'a> = (&'a str, &'a str);

fn key(cell: &CellResult) -> Key<'_> {
    (short_name(&cell.trial), &cell.square)
}

fn cells<'a>(runs: &[Run<'a>]) -> Vec<SceneCell<'a>> {
    let of = |is_offline: bool| {
        let runs = runs.iter().enumerate().filter(move |(_, r)| r.view.is_offline() == is_offline);
        runs.flat_map(|(run, of_run)| of_run.view.cells.iter().map(move |cell| (run, *cell)))
    };
    let mut told: HashMap<Key<'_>, &CellResult> = HashMap::new();
    for (_, cell) in of(true) {
        let known = told.entry(key(cell)).or_insert(cell);
        if Word::of(cell) < Word::of(known) {
            *known = cell;
        }
    }
    let asked: HashSet<Key<'_>> = of(false).map(|(_, cell)| key(cell)).collect();
    let live = of(false).map(|(run, cell)| {
        let policy = told.get(&key(cell)).map(|cell| State::answered(cell));
        SceneCell { run, cell, policy, observed: Some(State::answered(cell)) }
    });
    let computed = of(true).filter(|(_, cell)| !asked.contains(&key(cell)));
    let computed = computed.map(|(run, cell)| {
        let policy = Some(State::answered(cell));
        SceneCell { run, cell, policy, observed: None }
    });
    live.chain(computed).collect()
}
