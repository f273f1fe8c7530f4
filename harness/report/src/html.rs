//! The run as one page of HTML that needs nothing but itself: no scripts, no fonts, nothing
//! from the network.

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};
use partywall_core::event::{Event, NotJudged};
use serde::Serialize;

use crate::error::ReportError;
use crate::failures::{clean_defect, failures};
use crate::fold::{Keep, fold_columns, fold_groups, fold_rows, groups};
use crate::matrix::{Matrix, matrices};
use crate::not_judged::{by_reason, place};
use crate::outcome::outcome;
use crate::square::{Square, Word};
use crate::text::{clean, counted, duration};
use crate::view::{COMPUTED, RunView};

const TEMPLATE: &str = include_str!("report.html");
const COLUMNS_MAX: usize = 60;
const KEEP_ROWS: Keep = Keep { well_max: 100, problem_max: 200 };
const KEEP_COLUMNS: Keep = Keep { well_max: 30, problem_max: 60 };

#[derive(Serialize)]
struct Page {
    word: &'static str,
    sentence: String,
    subjects: Vec<String>,
    facts: Vec<String>,
    cards: Vec<Card>,
    tables: Vec<Table>,
    legend: [(&'static str, &'static str, &'static str); 6],
    ignored: Vec<(String, usize)>,
}

#[derive(Serialize)]
struct Table {
    topic: String,
    groups: Vec<(String, usize)>,
    columns: Vec<String>,
    rows: Vec<(String, Vec<SquareText>)>,
}

#[derive(Serialize)]
struct SquareText {
    class: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Card {
    word: &'static str,
    title: String,
    fields: Vec<(&'static str, String)>,
}

/// The page.
pub fn render(events: &[Event]) -> Result<String, ReportError> {
    let view = RunView::of(events);
    let (word, sentence) = outcome(events, &view);
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_name| AutoEscape::Html);
    environment.add_template("report", TEMPLATE)?;
    let ignored = view.ignored_reasons();
    let is_offline = view.is_offline();
    let page = Page {
        word,
        sentence,
        subjects: view.subjects.iter().map(|subject| clean(subject)).collect(),
        facts: facts(&view),
        cards: cards(&view),
        tables: matrices(&view).iter().map(table).collect(),
        legend: Word::ALL.map(|word| (class(Some(word)), word.text(), word.meaning(is_offline))),
        ignored: ignored.into_iter().map(|(reason, count)| (clean(reason), count)).collect(),
    };
    Ok(environment.get_template("report")?.render(Value::from(Serde(&page)))?)
}

fn facts(view: &RunView<'_>) -> Vec<String> {
    let mut facts = vec![counted(view.trials.len(), "trial"), counted(view.cells.len(), "cell")];
    if let Some(ending) = view.ending {
        facts.push(ending.bounds());
        facts.push(duration(ending.elapsed_ms));
    }
    if view.is_offline() {
        facts.push(COMPUTED.to_string());
    }
    facts
}

fn cards(view: &RunView<'_>) -> Vec<Card> {
    let defects = view.defects.iter().map(|defect| {
        let defect = clean_defect(defect);
        let fields = [
            ("what", defect.summary),
            ("where", defect.location.map(|location| location.to_string()).unwrap_or_default()),
            ("object", defect.object),
            ("says", defect.message),
            ("behind", defect.behind.unwrap_or_default()),
        ];
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        Card { word: "defect", title: defect.name, fields }
    });
    let of_trials = failures(view).into_iter().map(|failure| {
        let fields = failure.fields();
        Card { word: failure.word, title: failure.short, fields }
    });
    defects.chain(of_trials).chain(by_reason(view).iter().map(|group| unknown(group))).collect()
}

/// What was not judged for one reason.
fn unknown(group: &[NotJudged]) -> Card {
    let first = group.first();
    let others: Vec<String> = group.iter().skip(1).map(place).collect();
    let location = first.and_then(|item| item.location.as_ref());
    let fields = [
        ("where", location.map(ToString::to_string).unwrap_or_default()),
        ("why", first.map(|item| item.reason.clone()).unwrap_or_default()),
        ("also", others.join(", ")),
    ];
    let fields = fields.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    let title = first.map(|item| item.subject.clone()).unwrap_or_default();
    Card { word: "not judged", title, fields }
}

fn table(whole: &Matrix) -> Table {
    let mut matrix = fold_rows(whole, KEEP_ROWS);
    if matrix.columns.len() > COLUMNS_MAX {
        matrix = fold_columns(&fold_groups(&matrix), KEEP_COLUMNS);
    }
    let group = |members: Vec<usize>| (matrix.columns[members[0]].group.clone(), members.len());
    let square =
        |square: &Square| SquareText { class: class(square.word()), text: square.to_string() };
    let rows = matrix.rows.iter().zip(&matrix.squares);
    Table {
        topic: matrix.topic.clone(),
        groups: groups(&matrix).into_iter().map(group).collect(),
        columns: matrix.columns.iter().map(|column| column.name.clone()).collect(),
        rows: rows.map(|(name, row)| (name.clone(), row.iter().map(square).collect())).collect(),
    }
}

const fn class(word: Option<Word>) -> &'static str {
    match word {
        None => "none",
        Some(Word::Leak | Word::Cut | Word::Fail) => "bad",
        Some(Word::Unknown) => "unsure",
        Some(Word::Ok) => "good",
        Some(Word::Recorded) => "quiet",
    }
}
