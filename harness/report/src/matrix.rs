//! The matrix of a topic: tenants by targets.

use std::collections::HashMap;

use partywall_core::event::CellResult;

use crate::square::{Square, Word};
use crate::text::clean;
use crate::view::{RunView, topic, topics};

/// A column: a target, or several of one kind folded together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Column {
    /// What its neighbours share with it, shown once above them: the namespace. Empty for a
    /// target in no namespace.
    pub group: String,
    /// Its own name: the workload.
    pub name: String,
}

/// What a square of a matrix holds: it can be folded with its neighbours.
pub(crate) trait Fold: Clone + Default {
    /// Take in another one.
    fn add(&mut self, other: &Self);
    /// Whether a reader has to look at it.
    fn is_problem(&self) -> bool;
}

/// Tenants by targets, with a square for every pair.
#[derive(Clone, Debug)]
pub(crate) struct Matrix<S = Square> {
    pub topic: String,
    /// Names of rows.
    pub rows: Vec<String>,
    /// Columns; those of one group stand together.
    pub columns: Vec<Column>,
    /// One square for every row and column.
    pub squares: Vec<Vec<S>>,
}

impl<S: Fold> Matrix<S> {
    /// Everything in one square.
    pub fn total(&self) -> S {
        let mut total = S::default();
        for square in self.squares.iter().flatten() {
            total.add(square);
        }
        total
    }

    /// Whether a reader has to look at something in this column.
    pub fn column_is_problem(&self, column: usize) -> bool {
        self.squares.iter().any(|row| row[column].is_problem())
    }

    /// Whether a reader has to look at something in this row.
    pub fn row_is_problem(&self, row: usize) -> bool {
        self.squares[row].iter().any(S::is_problem)
    }
}

/// One matrix for each topic that has cells.
pub(crate) fn matrices(view: &RunView<'_>) -> Vec<Matrix> {
    let mut of_topic: HashMap<&str, Vec<&CellResult>> = HashMap::new();
    for cell in &view.cells {
        of_topic.entry(topic(&cell.trial)).or_default().push(*cell);
    }
    let names = topics(view.cells.iter().map(|cell| cell.trial.as_str()));
    names
        .into_iter()
        .map(|topic| {
            matrix(topic, of_topic.get(topic).map(Vec::as_slice).unwrap_or_default(), view)
        })
        .collect()
}

fn matrix(topic: &str, cells: &[&CellResult], view: &RunView<'_>) -> Matrix {
    let mut row_places: HashMap<&str, usize> = HashMap::new();
    let mut column_places: HashMap<&str, usize> = HashMap::new();
    let mut squares: HashMap<(usize, usize), Square> = HashMap::new();
    for cell in cells {
        let next = row_places.len();
        let row = *row_places.entry(&cell.row).or_insert(next);
        let next = column_places.len();
        let column = *column_places.entry(&cell.column).or_insert(next);
        squares.entry((row, column)).or_default().enter(Word::of(cell));
    }
    let rows = sorted_rows(row_places, &view.tenants);
    let columns = sorted_columns(column_places, &view.tenants);
    let square =
        |row: usize, column: usize| squares.get(&(row, column)).copied().unwrap_or_default();
    Matrix {
        topic: clean(topic),
        squares: rows
            .iter()
            .map(|(_, row)| columns.iter().map(|(_, column)| square(*row, *column)).collect())
            .collect(),
        rows: rows.iter().map(|(name, _)| clean(name)).collect(),
        columns: columns.iter().map(|(name, _)| column_of(name)).collect(),
    }
}

/// Names with their places, in the order of a key that is made once for each.
fn sorted<K: Ord>(places: HashMap<&str, usize>, key: impl Fn(&str) -> K) -> Vec<(&str, usize)> {
    let mut names: Vec<(&str, usize)> = places.into_iter().collect();
    names.sort_by_cached_key(|(name, place)| (key(name), *place));
    names
}

/// Rows with their places: tenants first.
pub(crate) fn sorted_rows<'a>(
    places: HashMap<&'a str, usize>,
    tenants: &[&str],
) -> Vec<(&'a str, usize)> {
    sorted(places, |name| (tenant_place(name, tenants), name.to_string()))
}

/// Columns with their places: those of tenants first, those of one group together.
pub(crate) fn sorted_columns<'a>(
    places: HashMap<&'a str, usize>,
    tenants: &[&str],
) -> Vec<(&'a str, usize)> {
    sorted(places, |name| {
        let column = column_of(name);
        (tenant_place(&column.group, tenants), column.group.is_empty(), column)
    })
}

/// Tenants stand first, in the contract's order.
fn tenant_place(name: &str, tenants: &[&str]) -> usize {
    tenants.iter().position(|tenant| *tenant == name).unwrap_or(tenants.len())
}

pub(crate) fn column_of(name: &str) -> Column {
    match name.split_once('/') {
        Some((group, own)) => Column { group: clean(group), name: clean(own) },
        None => Column { group: String::new(), name: clean(name) },
    }
}
