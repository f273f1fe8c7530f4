//! What does not hold: defects, violated and undetermined trials, each with its squares, and
//! squares of which files and cluster say contrary things.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::links::Links;
use crate::failures::{clean_defect, failures};
use crate::layers::{State, are_contrary};
use crate::scene::{Run, Scene, Topic};
use crate::text::{clean, cut};

/// More cards than this are not read; the trials' tables hold them all.
const CARDS_MAX: usize = 300;
/// More squares of one card than this are counted.
const SQUARES_MAX: usize = 40;
const TEXT_MAX: usize = 1_500;

#[derive(Serialize)]
pub(super) struct Findings {
    pub cards: Vec<Card>,
    pub left_out: usize,
}

#[derive(Serialize)]
pub(super) struct Card {
    word: &'static str,
    title: String,
    fields: Vec<(&'static str, String)>,
    /// Its squares: id, and what stands there. Without an id where the proof is left out.
    squares: Vec<(Option<String>, String)>,
    /// Squares beyond those.
    more: usize,
    trial: Option<String>,
}

/// Where each cell stands: its topic, its row and its column.
type Places = HashMap<usize, (usize, usize, usize)>;

pub(super) fn findings(scene: &Scene<'_>, topics: &[Topic], links: &Links<'_>) -> Findings {
    let places = places(topics);
    let mut cards: Vec<Card> = Vec::new();
    for run in &scene.runs {
        cards.extend(defects(run));
    }
    cards.extend(contrary(scene, &places, links));
    for (index, run) in scene.runs.iter().enumerate() {
        cards.extend(of_trials(scene, (index, run), &places, links));
    }
    let left_out = cards.len().saturating_sub(CARDS_MAX);
    cards.truncate(CARDS_MAX);
    Findings { cards, left_out }
}

fn places(topics: &[Topic]) -> Places {
    let mut places = HashMap::new();
    for (topic, of_topic) in topics.iter().enumerate() {
        for (row, squares) in of_topic.cells.iter().enumerate() {
            for (column, members) in squares.iter().enumerate() {
                places.extend(members.iter().map(|index| (*index, (topic, row, column))));
            }
        }
    }
    places
}

fn defects(run: &Run<'_>) -> Vec<Card> {
    let card = |defect: &&partywall_core::event::Defect| {
        let defect = clean_defect(defect);
        let fields = [
            ("what", defect.summary),
            ("where", defect.location.map(|location| location.to_string()).unwrap_or_default()),
            ("object", defect.object),
            ("says", cut(&defect.message, TEXT_MAX)),
            ("behind", defect.behind.unwrap_or_default()),
        ];
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        Card {
            word: "defect",
            title: defect.name,
            fields,
            squares: Vec::new(),
            more: 0,
            trial: None,
        }
    };
    run.view.defects.iter().map(card).collect()
}

fn of_trials(
    scene: &Scene<'_>,
    (run, of_run): (usize, &Run<'_>),
    places: &Places,
    links: &Links<'_>,
) -> Vec<Card> {
    let mut open: HashMap<(String, &str), Vec<usize>> = HashMap::new();
    for (index, shown) in scene.cells.iter().enumerate().filter(|(_, shown)| shown.run == run) {
        let key = (clean(&shown.cell.trial), shown.cell.verdict.word());
        open.entry(key).or_default().push(index);
    }
    let card = |failure: crate::failures::Failure| {
        let cells = open.get(&(failure.trial.clone(), failure.word));
        let backend = if of_run.view.is_offline() { " by the files" } else { "" };
        let fields = failure.fields().into_iter();
        let (squares, more) =
            squares(scene, cells.map(Vec::as_slice).unwrap_or_default(), places, links);
        Card {
            word: failure.word,
            title: format!("{}{backend}", failure.short),
            fields: fields.map(|(label, text)| (label, cut_field(label, text))).collect(),
            squares,
            more,
            trial: links.trial(&failure.trial),
        }
    };
    failures(&of_run.view).into_iter().map(card).collect()
}

/// A command is repeated as it is.
fn cut_field(label: &str, text: String) -> String {
    if label == "repeat" { text } else { cut(&text, TEXT_MAX) }
}

fn squares(
    scene: &Scene<'_>,
    cells: &[usize],
    places: &Places,
    links: &Links<'_>,
) -> (Vec<(Option<String>, String)>, usize) {
    let mut seen = HashSet::new();
    let mut squares = Vec::new();
    for index in cells {
        let Some(place) = places.get(index).filter(|place| seen.insert(**place)) else { continue };
        if squares.len() < SQUARES_MAX {
            let cell = scene.cells[*index].cell;
            let name = format!("{} → {}", clean(&cell.row), clean(&cell.column));
            squares.push((links.square(*place), name));
        }
    }
    let more = seen.len() - squares.len();
    (squares, more)
}

/// One card for all squares of which files and cluster say contrary things.
fn contrary(scene: &Scene<'_>, places: &Places, links: &Links<'_>) -> Option<Card> {
    let cells: Vec<usize> =
        (0..scene.cells.len()).filter(|index| scene.is_contrary(*index)).collect();
    let first = &scene.cells[*cells.first()?];
    let word = |state: Option<State>| state.map_or("not asked", State::word);
    let says = format!(
        "the files say {}, the cluster says {}, of {}",
        word(first.policy),
        word(first.observed),
        clean(&first.cell.square)
    );
    let because =
        "either the model of the policies is wrong, or the cluster does not run what the files say";
    let (squares, more) = squares(scene, &cells, places, links);
    Some(Card {
        word: "contrary",
        title: format!(
            "files and cluster contradict each other in {}",
            crate::text::counted(cells.len(), "cell")
        ),
        fields: vec![("first", cut(&says, TEXT_MAX)), ("means", because.to_string())],
        squares,
        more,
        trial: None,
    })
}

impl Scene<'_> {
    /// Whether files and cluster contradict each other in this cell.
    pub(super) fn is_contrary(&self, index: usize) -> bool {
        let shown = &self.cells[index];
        are_contrary(State::intended(&shown.cell.expect), shown.policy, shown.observed)
    }

    /// In how many cells they do.
    pub(super) fn contrary(&self) -> usize {
        (0..self.cells.len()).filter(|index| self.is_contrary(*index)).count()
    }
}
