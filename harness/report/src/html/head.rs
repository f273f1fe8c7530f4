//! What it all came to, run by run, and what was not judged.

use partywall_core::cluster::Backend;
use partywall_core::event::{CellResult, Fate};
use partywall_core::statistics;
use partywall_core::verdict::Verdict;
use serde::Serialize;

use crate::not_judged::{by_reason, place};
use crate::outcome::outcome;
use crate::scene::{Run, Scene};
use crate::text::{clean, counted, duration, milliseconds, thousands};
use crate::view::{COMPUTED, RunView, exit_of, meaning};

#[derive(Serialize)]
pub(super) struct Head {
    pub word: &'static str,
    pub class: &'static str,
    pub sentence: String,
    pub tenants: Vec<String>,
    pub runs: Vec<RunRow>,
    /// What the comparison of runs, the meter and the mutants came to, with where to read on.
    pub notes: Vec<Note>,
    /// Reason, how many, and which.
    pub ignored: Vec<Unjudged>,
    pub not_judged: Vec<Unjudged>,
}

#[derive(Serialize)]
pub(super) struct RunRow {
    backend: String,
    layout: String,
    commit: String,
    word: &'static str,
    class: &'static str,
    sentence: String,
    trials: String,
    cells: String,
    bound: String,
    rate: String,
    took: String,
}

#[derive(Serialize)]
pub(super) struct Note {
    class: &'static str,
    text: String,
    link: &'static str,
}

#[derive(Serialize)]
pub(super) struct Unjudged {
    reason: String,
    count: usize,
    which: Vec<String>,
}

pub(super) fn head(scene: &Scene<'_>) -> Head {
    let (word, sentence) = overall(scene);
    Head {
        word,
        class: class_of(word),
        sentence,
        tenants: scene.tenants.iter().map(|tenant| clean(tenant)).collect(),
        runs: scene.runs.iter().map(run_row).collect(),
        notes: notes(scene),
        ignored: ignored(scene),
        not_judged: scene.runs.iter().flat_map(not_judged).collect(),
    }
}

/// The word and the sentence of the gravest run in which claims were judged.
fn overall(scene: &Scene<'_>) -> (&'static str, String) {
    let is_any = scene.runs.iter().any(Run::is_of_claims);
    let of_claims = scene.runs.iter().filter(|run| run.is_of_claims() || !is_any);
    let all: Vec<(&'static str, String)> = of_claims.map(run_outcome).collect();
    let gravest = all.iter().enumerate().min_by_key(|(place, (word, _))| (gravity(word), *place));
    match gravest {
        Some((_, (word, sentence))) => (*word, sentence.clone()),
        None => ("NO RESULT", "no run was started".to_string()),
    }
}

fn gravity(word: &str) -> usize {
    const ORDER: [&str; 5] = ["NO RESULT", "VIOLATED", "UNDETERMINED", "NOT VALID", "HOLDS"];
    ORDER.iter().position(|known| *known == word).unwrap_or(0)
}

/// A run under a meter plans no trials, so only its own exit speaks for it.
fn run_outcome(run: &Run<'_>) -> (&'static str, String) {
    let view = &run.view;
    match view.ending {
        _ if run.is_of_claims() => outcome(run.events, view),
        Some(ending) if view.is_complete() => {
            let (word, _) = meaning(exit_of(ending.exit), false);
            (word, format!("exit {}", ending.exit))
        }
        None if view.starts.is_empty() => ("", "no claims were judged in it".to_string()),
        _ => outcome(run.events, view),
    }
}

fn run_row(run: &Run<'_>) -> RunRow {
    let view = &run.view;
    let (word, sentence) = run_outcome(run);
    let start = view.starts.first();
    let commit = start.and_then(|start| start.commit);
    let is_offline = view.is_offline();
    RunRow {
        backend: start.map_or_else(|| "events".to_string(), |start| start.backend.to_string()),
        layout: start.map(|start| clean(start.layout)).unwrap_or_default(),
        commit: match (start, commit) {
            (Some(_), None) => "no commit".to_string(),
            (_, commit) => commit.map(short).unwrap_or_default(),
        },
        word,
        class: class_of(word),
        sentence,
        trials: if run.is_of_claims() { view.tally() } else { contents(run) },
        cells: if run.is_of_claims() { thousands(view.cells.len()) } else { String::new() },
        bound: if run.is_of_claims() { bound(&view.cells, is_offline) } else { String::new() },
        rate: rate(view),
        took: view.ending.map(|ending| duration(ending.elapsed_ms)).unwrap_or_default(),
    }
}

/// `2,239 probes, 196 a second`; nothing is sent offline.
fn rate(view: &RunView<'_>) -> String {
    if view.is_offline() {
        return COMPUTED.to_string();
    }
    let Some(ending) = view.ending.filter(|ending| ending.sent.of > 0) else {
        return String::new();
    };
    let probes = ending.sent.of;
    let milliseconds = usize::try_from(ending.elapsed_ms).unwrap_or(0);
    let asked = counted(probes, "probe");
    match probes.saturating_mul(1000).checked_div(milliseconds) {
        Some(rate) => format!("{asked}, {} a second", thousands(rate)),
        None => asked,
    }
}

fn short(commit: &str) -> String {
    clean(commit).chars().take(12).collect()
}

/// What a run holds beside claims.
fn contents(run: &Run<'_>) -> String {
    let view = &run.view;
    let parts = [
        (view.experiments.len(), "experiment"),
        (view.mutants.len(), "mutant"),
        (view.measured.len(), "distribution"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    parts.map(|(count, noun)| counted(count, noun)).collect::<Vec<_>>().join(", ")
}

/// Only a denied cell that was told can show a leak, so only those are counted.
fn bound(cells: &[&CellResult], is_offline: bool) -> String {
    let is_told = |cell: &&&CellResult| {
        cell.expect == "denied"
            && matches!(cell.verdict, Verdict::Holds { .. } | Verdict::Violated { .. })
    };
    let told = cells.iter().filter(is_told).count();
    let is_leak = |cell: &&&CellResult| matches!(cell.verdict, Verdict::Violated { .. });
    let leaks = cells.iter().filter(is_told).filter(is_leak).count();
    if is_offline {
        let squares = counted(told, "denied square");
        return format!("{} of {squares} open by the files", thousands(leaks));
    }
    statistics::leaks(leaks, told)
}

pub(super) fn class_of(word: &str) -> &'static str {
    match word {
        "HOLDS" | "holds" | "killed" => "good",
        "UNDETERMINED" | "undetermined" => "unsure",
        "recorded" | "not run" | "equivalent" | "" => "quiet",
        _ => "bad",
    }
}

fn notes(scene: &Scene<'_>) -> Vec<Note> {
    let all = [comparison(scene), other_commit(scene), exposure(scene), mutation(scene)];
    all.into_iter().flatten().collect()
}

fn comparison(scene: &Scene<'_>) -> Option<Note> {
    let both = scene.cells.iter().filter(|c| c.policy.is_some() && c.observed.is_some()).count();
    let live = scene.cells.iter().filter(|c| c.policy.is_none()).count();
    let files = scene.cells.iter().filter(|c| c.observed.is_none()).count();
    if both == 0 {
        return None;
    }
    let contrary = scene.contrary();
    let class = if contrary > 0 { "bad" } else { "good" };
    let text = format!(
        "files and cluster: asked of both {}, contrary {}; only of the cluster {}, only of the files {}",
        counted(both, "cell"),
        thousands(contrary),
        thousands(live),
        thousands(files)
    );
    Some(Note { class, text, link: "matrix" })
}

/// Two answers may only be held against each other if they are about the same layout.
fn other_commit(scene: &Scene<'_>) -> Option<Note> {
    let starts = || scene.runs.iter().filter(|run| run.is_of_claims()).flat_map(|r| &r.view.starts);
    let live = starts().find(|start| start.backend != Backend::Offline)?;
    let files = starts().find(|start| start.backend == Backend::Offline)?;
    if files.commit.is_some() && files.commit == live.commit {
        return None;
    }
    let name = |commit: Option<&str>| {
        commit.map_or_else(
            || "a working tree".to_string(),
            |commit| format!("commit {}", short(commit)),
        )
    };
    let text = format!(
        "the cluster holds {} of {}, the files are of {} of {}: hold them against each other only \
         if they are the same",
        name(live.commit),
        clean(live.layout),
        name(files.commit),
        clean(files.layout)
    );
    Some(Note { class: "quiet", text, link: "" })
}

fn exposure(scene: &Scene<'_>) -> Option<Note> {
    let experiments: Vec<_> = scene.runs.iter().flat_map(|run| &run.view.experiments).collect();
    let edges = || experiments.iter().flat_map(|experiment| &experiment.edges);
    let longest = |forbidden: bool| {
        edges().filter(|edge| edge.forbidden == forbidden).map(|edge| edge.against_us).max()
    };
    let (open, closed) = (longest(true).unwrap_or(0), longest(false).unwrap_or(0));
    let class = if open > 0 { "bad" } else { "good" };
    let text = format!(
        "under the meter: {}; longest that a forbidden edge was open {}, that an allowed one was \
         closed {}",
        counted(experiments.len(), "experiment"),
        milliseconds(open),
        milliseconds(closed)
    );
    (!experiments.is_empty()).then_some(Note { class, text, link: "exposure" })
}

fn mutation(scene: &Scene<'_>) -> Option<Note> {
    let mutants: Vec<_> = scene.runs.iter().flat_map(|run| &run.view.mutants).collect();
    let count = |fates: &[&Fate], word: &str| fates.iter().filter(|f| f.word() == word).count();
    let said = |name: &str, fates: &[&Fate]| {
        let (killed, survived) = (count(fates, "killed"), count(fates, "survived"));
        format!("{name} {killed} of {} killable killed", killed + survived)
    };
    let live: Vec<&Fate> = mutants.iter().map(|mutant| &mutant.live).collect();
    let offline: Vec<&Fate> = mutants.iter().map(|mutant| &mutant.offline).collect();
    let class = if count(&live, "survived") > 0 { "bad" } else { "good" };
    let text = format!(
        "{}: {}, {}",
        counted(mutants.len(), "mutant"),
        said("live", &live),
        said("by the files", &offline)
    );
    (!mutants.is_empty()).then_some(Note { class, text, link: "mutation" })
}

fn ignored(scene: &Scene<'_>) -> Vec<Unjudged> {
    let mut groups: Vec<Unjudged> = Vec::new();
    for (trial, reason) in scene.runs.iter().flat_map(|run| &run.view.ignored) {
        let (trial, reason) = (clean(trial), clean(reason));
        match groups.iter_mut().find(|group| group.reason == reason) {
            Some(group) => group.which.push(trial),
            None => groups.push(Unjudged { reason, count: 0, which: vec![trial] }),
        }
    }
    for group in &mut groups {
        group.count = group.which.len();
    }
    groups
}

fn not_judged(run: &Run<'_>) -> Vec<Unjudged> {
    let groups = by_reason(&run.view);
    let unjudged = |group: &Vec<_>| Unjudged {
        reason: group
            .first()
            .map(|item: &partywall_core::event::NotJudged| item.reason.clone())
            .unwrap_or_default(),
        count: group.len(),
        which: group.iter().map(place).collect(),
    };
    groups.iter().map(unjudged).collect()
}
