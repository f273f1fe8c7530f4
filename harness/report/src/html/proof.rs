//! What stands behind every square: verdict, proof, controls, receipts, time, and every client
//! and target by name. Cells that differ in nothing but client and target stand together.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use partywall_core::event::Blame;
use partywall_core::verdict::{ProofLevel, Verdict};
use serde::Serialize;

use super::grid;
use super::head::class_of;
use super::links::{Links, square_id};
use crate::error::ReportError;
use crate::layers::State;
use crate::matrix::Fold;
use crate::scene::{Scene, SceneCell, Topic};
use crate::text::{clean, counted, cut, milliseconds};
use crate::view::short_name;

/// Clients of a row are named once where a line is about this many and all of them.
const ALL_MIN: usize = 2;
const TEXT_MAX: usize = 1_500;

/// The proofs of a topic, row by row.
#[derive(Serialize)]
pub(super) struct TopicProof {
    topic: String,
    rows: Vec<RowProof>,
    /// Squares that are left out because the page would grow too large; all is well in them.
    left_out: usize,
}

#[derive(Serialize)]
struct RowProof {
    id: String,
    name: String,
    text: String,
    is_problem: bool,
    /// All clients, for the lines that say `all 4 clients`: on a cluster, and in the files.
    clients: Vec<(&'static str, String)>,
    /// Each is HTML of its own.
    squares: Vec<String>,
}

#[derive(Serialize)]
struct SquareProof {
    id: String,
    title: String,
    class: &'static str,
    contrary: bool,
    marks: String,
    text: String,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    word: &'static str,
    class: &'static str,
    proof: &'static str,
    trial: String,
    trial_id: Option<String>,
    cells: String,
    layers: [(&'static str, char, &'static str); 3],
    is_contrary: bool,
    seen: String,
    receipt: String,
    controls: String,
    reason: String,
    cause: Option<(String, String)>,
    repeat: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    clients: String,
    targets: Vec<String>,
}

/// The clients that a row's cells come from, on a cluster and in the files.
#[derive(Default)]
struct Clients {
    live: BTreeSet<String>,
    files: BTreeSet<String>,
}

/// The proofs of every square, as many as there is room for: those that a reader has to look at
/// first.
pub(super) fn proofs<'a>(
    scene: &Scene<'a>,
    topics: &[Topic],
    links: &mut Links<'a>,
    environment: &Environment<'_>,
    bytes_max: usize,
) -> Result<Vec<TopicProof>, ReportError> {
    let template = environment.get_template("square")?;
    let clients = all_clients(scene, topics);
    let mut rendered: BTreeMap<(usize, usize, usize), String> = BTreeMap::new();
    let mut room = bytes_max;
    for is_problem in [true, false] {
        // Once one does not fit, none is tried any more: rendering is what takes the time.
        for place in places(topics, is_problem) {
            if room == 0 {
                break;
            }
            let square = square(scene, topics, place, (&clients[place.0][place.1], links));
            let text = template.render(Value::from(Serde(&square)))?;
            if text.len() > room {
                room = 0;
                break;
            }
            room -= text.len();
            rendered.insert(place, text);
            links.enter_square(place);
        }
    }
    let topic = |(place, topic): (usize, &Topic)| {
        topic_proof((place, topic), &clients[place], &mut rendered)
    };
    Ok(topics.iter().enumerate().map(topic).collect())
}

/// Squares with cells: those that need a look, or the others.
fn places(topics: &[Topic], is_problem: bool) -> Vec<(usize, usize, usize)> {
    let mut places = Vec::new();
    for (topic, of_topic) in topics.iter().enumerate() {
        for (row, squares) in of_topic.matrix.squares.iter().enumerate() {
            let asked = squares.iter().enumerate().filter(|(_, layers)| layers.place.is_some());
            let wanted = asked.filter(|(_, layers)| layers.is_problem() == is_problem);
            places.extend(wanted.map(|(column, _)| (topic, row, column)));
        }
    }
    places
}

fn topic_proof(
    (place, topic): (usize, &Topic),
    clients: &[Clients],
    rendered: &mut BTreeMap<(usize, usize, usize), String>,
) -> TopicProof {
    let mut left_out = 0;
    let mut rows = Vec::new();
    for (row, name) in topic.matrix.rows.iter().enumerate() {
        let mut squares = Vec::new();
        for column in 0..topic.matrix.columns.len() {
            let is_asked = topic.matrix.squares[row][column].place.is_some();
            match rendered.remove(&(place, row, column)) {
                Some(text) => squares.push(text),
                None => left_out += usize::from(is_asked),
            }
        }
        let members = || topic.cells[row].iter().flatten();
        rows.push(RowProof {
            id: format!("row-{}-{}", place + 1, row + 1),
            name: name.clone(),
            text: format!(
                "{}, {}",
                counted(squares.len(), "square"),
                counted(members().count(), "cell")
            ),
            is_problem: topic.matrix.row_is_problem(row),
            clients: clients[row].named(),
            squares,
        });
    }
    rows.retain(|row| !row.squares.is_empty());
    TopicProof { topic: topic.matrix.topic.clone(), rows, left_out }
}

/// Of every topic and row.
fn all_clients(scene: &Scene<'_>, topics: &[Topic]) -> Vec<Vec<Clients>> {
    let of_topic = |topic: &Topic| topic.cells.iter().map(|row| clients(scene, row)).collect();
    topics.iter().map(of_topic).collect()
}

fn clients(scene: &Scene<'_>, row: &[Vec<usize>]) -> Clients {
    let mut clients = Clients::default();
    for index in row.iter().flatten() {
        let shown = &scene.cells[*index];
        let of = if shown.observed.is_some() { &mut clients.live } else { &mut clients.files };
        of.extend(client(shown));
    }
    clients
}

impl Clients {
    fn named(&self) -> Vec<(&'static str, String)> {
        let name = |of: &BTreeSet<String>| of.iter().cloned().collect::<Vec<_>>().join(", ");
        let both = [("clients", &self.live), ("clients by the files", &self.files)];
        let many = both.into_iter().filter(|(_, of)| of.len() >= ALL_MIN);
        many.map(|(label, of)| (label, name(of))).collect()
    }
}

/// The client, without the row's name where that is its namespace.
fn client(shown: &SceneCell<'_>) -> Option<String> {
    let from = shown.cell.from.as_ref()?;
    let name = if from.namespace == shown.cell.row { from.name.clone() } else { from.to_string() };
    Some(clean(&name))
}

/// The target, without the column's name.
fn target(shown: &SceneCell<'_>) -> String {
    let rest = shown.cell.to.strip_prefix(shown.cell.column.as_str());
    let rest = rest.and_then(|rest| rest.strip_prefix(' ')).filter(|rest| !rest.is_empty());
    clean(rest.unwrap_or(&shown.cell.to))
}

fn square(
    scene: &Scene<'_>,
    topics: &[Topic],
    place: (usize, usize, usize),
    (all, links): (&Clients, &Links<'_>),
) -> SquareProof {
    let (topic, row, column) = (&topics[place.0], place.1, place.2);
    let layers = &topic.matrix.squares[row][column];
    let target = &topic.matrix.columns[column];
    let slash = if target.group.is_empty() { "" } else { "/" };
    let groups = grouped(scene, &topic.cells[row][column]);
    SquareProof {
        id: square_id(place),
        title: format!("{} → {}{slash}{}", topic.matrix.rows[row], target.group, target.name),
        class: grid::class(layers),
        contrary: layers.contrary > 0,
        marks: layers.marks(),
        text: layers.text(),
        groups: groups.iter().map(|cells| group(scene, cells, all, links)).collect(),
    }
}

/// Cells that are told in the same words but for client, target and time.
fn grouped<'s, 'a>(scene: &'s Scene<'a>, members: &[usize]) -> Vec<Vec<&'s SceneCell<'a>>> {
    let mut groups: Vec<Vec<&SceneCell<'a>>> = Vec::new();
    for index in members {
        let shown = &scene.cells[*index];
        match groups.iter_mut().find(|group| is_alike(group[0], shown)) {
            Some(group) => group.push(shown),
            None => groups.push(vec![shown]),
        }
    }
    groups.sort_by_key(|group| crate::square::Word::of(group[0].cell));
    groups
}

fn is_alike(one: &SceneCell<'_>, other: &SceneCell<'_>) -> bool {
    let words = |shown: &SceneCell<'_>| {
        let evidence = shown.cell.evidence.as_ref();
        evidence.map(|evidence| (evidence.outcome.clone(), evidence.receipt.clone()))
    };
    one.run == other.run
        && one.cell.trial == other.cell.trial
        && one.cell.expect == other.cell.expect
        && one.cell.verdict.word() == other.cell.verdict.word()
        && untimed(&one.cell.verdict) == untimed(&other.cell.verdict)
        && one.cell.controls == other.cell.controls
        && (one.policy, one.observed) == (other.policy, other.observed)
        && words(one) == words(other)
}

/// A verdict without the milliseconds in its reason.
fn untimed(verdict: &Verdict) -> (Option<ProofLevel>, String) {
    let proof = match verdict {
        Verdict::Holds { proof } => *proof,
        _ => None,
    };
    let mut words: Vec<&str> = verdict.reason().split(' ').collect();
    if let Some(place) = words.iter().position(|word| *word == "ms").filter(|place| *place > 0) {
        words.remove(place - 1);
    }
    (proof, words.join(" "))
}

fn group(scene: &Scene<'_>, cells: &[&SceneCell<'_>], all: &Clients, links: &Links<'_>) -> Group {
    let first = cells[0];
    let (cell, evidence) = (first.cell, first.cell.evidence.as_ref());
    let intended = State::intended(&cell.expect);
    let layer = |name, state: Option<State>| {
        (name, state.map_or('·', State::mark), state.map_or("not asked", State::word))
    };
    let is_problem =
        matches!(cell.verdict, Verdict::Violated { .. } | Verdict::Undetermined { .. });
    let trial = is_problem.then(|| scene.trial(first)).flatten();
    Group {
        word: cell.verdict.word(),
        class: class_of(cell.verdict.word()),
        proof: proof(&cell.verdict),
        trial: clean(short_name(&cell.trial)),
        trial_id: links.trial(&cell.trial),
        cells: counted(cells.len(), "cell"),
        layers: [
            ("contract", intended.mark(), wish(&cell.expect)),
            layer("files", first.policy),
            layer("cluster", first.observed),
        ],
        is_contrary: crate::layers::are_contrary(intended, first.policy, first.observed),
        seen: seen(cells),
        receipt: evidence.map(|evidence| clean(&evidence.receipt)).unwrap_or_default(),
        controls: clean(&cell.controls),
        reason: cut(&clean(cell.verdict.reason()), TEXT_MAX),
        cause: trial.and_then(|(blame, _)| blame).map(cause),
        repeat: trial.map(|(_, repeat)| clean(repeat)).unwrap_or_default(),
        lines: lines(cells, all),
    }
}

fn cause(blame: &Blame) -> (String, String) {
    let location = crate::failures::clean_location(&blame.location);
    (location.to_string(), cut(&clean(&blame.because), TEXT_MAX))
}

fn wish(expect: &str) -> &'static str {
    match expect {
        "reached" => "allowed",
        "denied" => "denied",
        "recorded" => "not judged",
        "sealed" => "sealed for its own key",
        "ownorgonly" | "own-org-only" => "in its own organisation and in no other",
        "nootherorg" | "no-other-org" => "in no other organisation than its own",
        "unauthorized" => "unauthorized (401)",
        "refused" => "refused",
        "contained" => "refused, or opens nothing",
        _ => "claimed",
    }
}

const fn proof(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds { proof: Some(ProofLevel::Receipt) } => "by receipt",
        Verdict::Holds { proof: Some(ProofLevel::Control) } => "by controls alone",
        Verdict::Holds { proof: Some(ProofLevel::Computed) } => "by the files",
        _ => "",
    }
}

/// `dropped after 401.2 to 412.0 ms`.
fn seen(cells: &[&SceneCell<'_>]) -> String {
    let evidence = || cells.iter().filter_map(|shown| shown.cell.evidence.as_ref());
    let Some(first) = evidence().next() else { return String::new() };
    let times = || evidence().filter_map(|evidence| evidence.elapsed_us);
    let outcome = clean(&first.outcome);
    match (times().min(), times().max()) {
        (Some(min), Some(max)) if min != max => {
            format!("{outcome} after {} to {}", milliseconds(min), milliseconds(max))
        }
        (Some(time), _) => format!("{outcome} after {}", milliseconds(time)),
        _ => outcome,
    }
}

/// Targets that the same clients asked stand in one line, so that no cell is named twice.
fn lines(cells: &[&SceneCell<'_>], all: &Clients) -> Vec<Line> {
    let mut of_target: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for shown in cells {
        of_target.entry(target(shown)).or_default().extend(client(shown));
    }
    let mut of_clients: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (target, mut clients) in of_target {
        clients.sort_unstable();
        of_clients.entry(clients).or_default().push(target);
    }
    let is_live = cells.iter().any(|shown| shown.observed.is_some());
    let whole = if is_live { &all.live } else { &all.files };
    let line = |(clients, targets): (Vec<String>, Vec<String>)| {
        let is_all = clients.len() >= ALL_MIN && clients.iter().eq(whole.iter());
        let clients = match is_all {
            true => format!("all {} clients", clients.len()),
            false => clients.join(", "),
        };
        Line { clients, targets }
    };
    of_clients.into_iter().map(line).collect()
}

impl Scene<'_> {
    /// What is to blame for a cell's trial, and the command that repeats it.
    fn trial(&self, shown: &SceneCell<'_>) -> Option<(Option<&Blame>, &str)> {
        let trials = &self.runs.get(shown.run)?.view.trials;
        let trial = trials.iter().find(|trial| trial.name == shown.cell.trial)?;
        Some((trial.blame, trial.repeat))
    }
}
