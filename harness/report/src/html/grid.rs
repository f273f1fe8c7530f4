//! The matrices: tenants by targets, three layers in every square.

use serde::Serialize;

use super::links::Links;
use crate::fold::{Keep, fold_columns, fold_groups, fold_rows, groups};
use crate::layers::{Layers, MIXED, NOT_ASKED, PARTLY, State};
use crate::matrix::Matrix;
use crate::scene::Topic;
use crate::square::Word;
use crate::text::width;

/// More columns than this and those of a tenant in which all is well become one.
const COLUMNS_MAX: usize = 40;
/// About so many characters of a namespace's name fit above one column.
const COLUMN_CHARACTERS: usize = 4;
const KEEP_ROWS: Keep = Keep { well_max: 50, problem_max: 50 };
const KEEP_COLUMNS: Keep = Keep { well_max: 40, problem_max: 20 };

#[derive(Serialize)]
pub(super) struct Grid {
    id: String,
    topic: String,
    total: String,
    groups: Vec<GridGroup>,
    columns: Vec<String>,
    rows: Vec<GridRow>,
    folded: bool,
}

/// What stands above the columns of one namespace.
#[derive(Serialize)]
struct GridGroup {
    name: String,
    span: usize,
    /// Whether the name is longer than its columns are wide.
    is_narrow: bool,
}

#[derive(Serialize)]
struct GridRow {
    name: String,
    is_problem: bool,
    squares: Vec<GridSquare>,
}

#[derive(Serialize)]
struct GridSquare {
    class: &'static str,
    marks: String,
    text: String,
    /// For those who do not see the marks.
    words: String,
    link: Option<String>,
    contrary: bool,
}

/// One line of the legend.
#[derive(Serialize)]
pub(super) struct Sign {
    class: &'static str,
    sign: String,
    meaning: &'static str,
}

pub(super) fn grids(topics: &[Topic], links: &Links<'_>) -> Vec<Grid> {
    topics.iter().enumerate().map(|(place, topic)| grid(place, &topic.matrix, links)).collect()
}

fn grid(topic: usize, whole: &Matrix<Layers>, links: &Links<'_>) -> Grid {
    let mut matrix = fold_rows(whole, KEEP_ROWS);
    if matrix.columns.len() > COLUMNS_MAX {
        matrix = fold_columns(&fold_groups(&matrix), KEEP_COLUMNS);
    }
    let group = |members: Vec<usize>| {
        let (name, span) = (matrix.columns[members[0]].group.clone(), members.len());
        GridGroup { is_narrow: width(&name) > span * COLUMN_CHARACTERS, name, span }
    };
    let row = |(place, name): (usize, &String)| GridRow {
        name: name.clone(),
        is_problem: matrix.row_is_problem(place),
        squares: matrix.squares[place].iter().map(|layers| square(topic, layers, links)).collect(),
    };
    Grid {
        id: format!("matrix-{}", topic + 1),
        topic: matrix.topic.clone(),
        total: total(&matrix.total()),
        groups: groups(&matrix).into_iter().map(group).collect(),
        columns: matrix.columns.iter().map(|column| column.name.clone()).collect(),
        rows: matrix.rows.iter().enumerate().map(row).collect(),
        folded: matrix.columns.len() < whole.columns.len() || matrix.rows.len() < whole.rows.len(),
    }
}

/// `ok 270 · LEAK 2`, of the cells of a cluster, then of those that only the files answer.
fn total(layers: &Layers) -> String {
    let count = |square: &crate::square::Square| {
        let count =
            |word: Word| format!("{} {}", word.text(), crate::text::thousands(square.count(word)));
        square.words().into_iter().map(count).collect::<Vec<_>>().join(" · ")
    };
    let (seen, computed) = (count(&layers.seen), count(&layers.computed));
    match (seen.is_empty(), computed.is_empty()) {
        (_, true) => seen,
        (true, false) => format!("by the files: {computed}"),
        _ => format!("{seen}; only by the files: {computed}"),
    }
}

fn square(topic: usize, layers: &Layers, links: &Links<'_>) -> GridSquare {
    let is_asked = layers.place.is_some();
    GridSquare {
        class: class(layers),
        marks: if is_asked { layers.marks() } else { String::new() },
        text: if is_asked { layers.text() } else { String::new() },
        words: if is_asked { layers.words() } else { "not asked".to_string() },
        link: layers.place.and_then(|(row, column)| links.square((topic, row, column))),
        contrary: layers.contrary > 0,
    }
}

pub(super) fn class(layers: &Layers) -> &'static str {
    match layers.word() {
        None => "none",
        _ if layers.contrary > 0 => "bad",
        Some(word) => class_of_word(word),
    }
}

const fn class_of_word(word: Word) -> &'static str {
    match word {
        Word::Leak | Word::Cut | Word::Fail => "bad",
        Word::Unknown => "unsure",
        Word::Ok => "good",
        Word::Recorded => "quiet",
    }
}

/// Marks, then words.
pub(super) fn legend(is_offline: bool) -> Vec<Sign> {
    let mark = |mark: char, meaning| Sign { class: "", sign: mark.to_string(), meaning };
    let mut signs = vec![
        mark(State::Open.mark(), "open, or allowed"),
        mark(State::Shut.mark(), "shut, or denied"),
        mark(MIXED, "some open, some shut"),
        mark(State::Kept.mark(), "another claim, kept"),
        mark(State::Broken.mark(), "another claim, broken"),
        mark(State::Recorded.mark(), "left to the implementation"),
        mark(State::Unknown.mark(), "asked, not known"),
        mark(PARTLY, "asked of some cells only"),
        mark(NOT_ASKED, "not asked"),
        Sign {
            class: "bad",
            sign: "≠".to_string(),
            meaning: "files and cluster contradict each other",
        },
    ];
    let word = |word: Word| Sign {
        class: class_of_word(word),
        sign: word.text().to_string(),
        meaning: word.meaning(is_offline),
    };
    signs.extend(Word::ALL.map(word));
    signs
}
