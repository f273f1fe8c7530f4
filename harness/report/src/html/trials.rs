//! The trials: what each claims, what each backend answers, and the command that repeats it.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::head::class_of;
use super::links::Links;
use crate::failures::clean_blame;
use crate::scene::Scene;
use crate::text::{clean, cut, duration, thousands};
use crate::view::{short_name, topic, topics};

const TEXT_MAX: usize = 400;

#[derive(Serialize)]
pub(super) struct TrialTable {
    topic: String,
    trials: Vec<TrialRow>,
    left_out: usize,
}

#[derive(Serialize)]
struct TrialRow {
    id: String,
    name: String,
    claim: String,
    answers: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    backend: String,
    word: &'static str,
    class: &'static str,
    cells: String,
    took: String,
    repeat: String,
    cause: Option<(String, String)>,
}

pub(super) fn tables(scene: &Scene<'_>, links: &Links<'_>) -> Vec<TrialTable> {
    let all = || scene.runs.iter().flat_map(|run| &run.view.trials);
    let names = topics(all().map(|trial| trial.name));
    names.into_iter().map(|name| table(scene, name, links)).collect()
}

fn table(scene: &Scene<'_>, name: &str, links: &Links<'_>) -> TrialTable {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut rows: Vec<TrialRow> = Vec::new();
    let mut left_out: BTreeSet<&str> = BTreeSet::new();
    for run in &scene.runs {
        let backend = run.view.starts.first().map(|start| start.backend.to_string());
        for trial in run.view.trials.iter().filter(|trial| topic(trial.name) == name) {
            let name = short_name(trial.name);
            let Some(id) = links.trial(trial.name) else {
                left_out.insert(name);
                continue;
            };
            let place = *places.entry(name).or_insert_with(|| {
                rows.push(TrialRow {
                    id,
                    name: clean(name),
                    claim: cut(&clean(trial.claim), TEXT_MAX),
                    answers: Vec::new(),
                });
                rows.len() - 1
            });
            let cause = trial.blame.map(clean_blame);
            rows[place].answers.push(Answer {
                backend: backend.clone().unwrap_or_default(),
                word: trial.verdict.word(),
                class: class_of(trial.verdict.word()),
                cells: thousands(trial.cells.len()),
                took: duration(trial.elapsed_ms),
                repeat: clean(trial.repeat),
                cause: cause
                    .map(|cause| (cause.location.to_string(), cut(&cause.because, TEXT_MAX))),
            });
        }
    }
    TrialTable { topic: clean(name), trials: rows, left_out: left_out.len() }
}
