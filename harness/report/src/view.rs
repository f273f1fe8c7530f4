//! What all reports know of a run: the events, put in order once.

use std::collections::HashMap;

use partywall_core::event::{Blame, CellResult, Defect, Event};
use partywall_core::exit::Exit;
use partywall_core::verdict::Verdict;

use crate::text::thousands;

/// The events of one run, or of several that were merged.
#[derive(Default)]
pub(crate) struct RunView<'a> {
    /// `kind · fixtures/deployments @ 1a2b3c4d5e6f`, one for each distinct start.
    pub subjects: Vec<String>,
    /// The layout's folder of the first run.
    pub layout: &'a str,
    /// Tenants in the contract's order.
    pub tenants: Vec<&'a str>,
    /// Trials in the order in which they ended.
    pub trials: Vec<TrialView<'a>>,
    /// Names of the trials that no backend judged, and why.
    pub ignored: Vec<(&'a str, &'a str)>,
    /// Defects in the order in which they were found.
    pub defects: Vec<&'a Defect>,
    /// Every cell, also of trials that never ended.
    pub cells: Vec<&'a CellResult>,
    /// How the run ended; `None` where it did not.
    pub ending: Option<Ending>,
    starts: usize,
    ends: usize,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ending {
    pub probes: usize,
    pub leaks: usize,
    pub elapsed_ms: u64,
    pub exit: u8,
}

/// A judged trial with its cells.
pub(crate) struct TrialView<'a> {
    pub name: &'a str,
    pub claim: &'a str,
    pub scenario: &'a str,
    pub verdict: &'a Verdict,
    pub elapsed_ms: u64,
    pub blame: Option<&'a Blame>,
    pub repeat: &'a str,
    pub cells: Vec<&'a CellResult>,
}

impl<'a> RunView<'a> {
    pub fn of(events: &'a [Event]) -> Self {
        let mut view = Self::default();
        let mut trials: HashMap<(usize, &'a str), usize> = HashMap::new();
        let mut cells: Vec<((usize, &'a str), &'a CellResult)> = Vec::new();
        for event in events {
            match event {
                Event::RunStarted { .. } => view.start(event),
                Event::TrialIgnored { trial, reason } => view.ignored.push((trial, reason)),
                Event::DefectFound(defect) => view.defects.push(defect),
                Event::CellJudged(cell) => cells.push(((view.starts, cell.trial.as_str()), cell)),
                Event::TrialFinished { trial, .. } => {
                    trials.insert((view.starts, trial.as_str()), view.trials.len());
                    view.finish_trial(event);
                }
                Event::RunFinished { probes, leaks, elapsed_ms, exit, .. } => {
                    let (probes, leaks, exit) = (*probes, *leaks, *exit);
                    view.end(Ending { probes, leaks, elapsed_ms: *elapsed_ms, exit });
                }
            }
        }
        for (key, cell) in cells {
            view.cells.push(cell);
            if let Some(index) = trials.get(&key) {
                view.trials[*index].cells.push(cell);
            }
        }
        view
    }

    fn start(&mut self, event: &'a Event) {
        let Event::RunStarted { backend, layout, commit, tenants, .. } = event else {
            return;
        };
        if self.starts == 0 {
            self.layout = layout;
        }
        self.starts += 1;
        let short = |commit: &String| commit.chars().take(12).collect::<String>();
        let commit = commit.as_ref().map(|commit| format!(" @ {}", short(commit)));
        let subject = format!("{backend} · {layout}{}", commit.unwrap_or_default());
        if !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
        for tenant in tenants {
            if !self.tenants.contains(&tenant.as_str()) {
                self.tenants.push(tenant);
            }
        }
    }

    fn finish_trial(&mut self, event: &'a Event) {
        let Event::TrialFinished {
            trial, claim, scenario, verdict, elapsed_ms, blame, repeat, ..
        } = event
        else {
            return;
        };
        self.trials.push(TrialView {
            name: trial,
            claim,
            scenario,
            verdict,
            elapsed_ms: *elapsed_ms,
            blame: blame.as_ref(),
            repeat,
            cells: Vec::new(),
        });
    }

    fn end(&mut self, ending: Ending) {
        self.ends += 1;
        let total = self.ending.get_or_insert_default();
        total.probes = total.probes.saturating_add(ending.probes);
        total.leaks = total.leaks.saturating_add(ending.leaks);
        total.elapsed_ms = total.elapsed_ms.saturating_add(ending.elapsed_ms);
        total.exit = graver(total.exit, ending.exit);
    }

    /// Whether every run that began also ended.
    pub fn is_complete(&self) -> bool {
        self.starts > 0 && self.starts == self.ends
    }

    /// How many trials came to each verdict that occurs, as `12 hold`, with the verdict's word.
    pub fn counts(&self) -> Vec<(&'static str, String)> {
        const WORDS: [(&str, &str); 4] = [
            ("holds", "hold"),
            ("violated", "violated"),
            ("undetermined", "undetermined"),
            ("recorded", "recorded"),
        ];
        let of_word = |(word, text)| {
            let count = self.trials.iter().filter(|trial| trial.verdict.word() == word).count();
            (count > 0).then(|| (word, format!("{} {text}", thousands(count))))
        };
        let mut counts: Vec<(&str, String)> = WORDS.into_iter().filter_map(of_word).collect();
        if !self.ignored.is_empty() {
            counts.push(("ignored", format!("{} ignored", thousands(self.ignored.len()))));
        }
        counts
    }

    /// The distinct reasons for which trials were ignored, with how many each.
    pub fn ignored_reasons(&self) -> Vec<(&'a str, usize)> {
        let mut reasons: Vec<(&'a str, usize)> = Vec::new();
        for (_, reason) in &self.ignored {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((*reason, 1)),
            }
        }
        reasons
    }
}

/// The topic of a trial: the first part of its scenario, or of its name after the backend.
pub(crate) fn topic(trial: &str) -> &str {
    trial.split("::").nth(1).filter(|topic| !topic.is_empty()).unwrap_or("other")
}

/// The topics of these trials: the four of the design first, then others by name.
pub(crate) fn topics<'a>(trials: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    const KNOWN: [&str; 4] = ["reach", "isolation", "secrets", "telemetry"];
    let mut seen: Vec<&str> = Vec::new();
    for of_trial in trials.map(topic) {
        if !seen.contains(&of_trial) {
            seen.push(of_trial);
        }
    }
    let place = |topic: &str| KNOWN.iter().position(|known| *known == topic).unwrap_or(KNOWN.len());
    seen.sort_by_key(|topic| (place(topic), *topic));
    seen
}

/// The name of a trial without its backend, which the head of the report names.
pub(crate) fn short_name(trial: &str) -> &str {
    trial.split_once("::").map_or(trial, |(_, rest)| rest)
}

/// Of two exit codes the one that is reported.
fn graver(one: u8, other: u8) -> u8 {
    match (exit_of(one), exit_of(other)) {
        (Some(first), Some(second)) => first.and(second).code(),
        // A code that nobody defined is no success.
        (None, _) => one,
        (_, None) => other,
    }
}

/// The exit of this code.
pub(crate) fn exit_of(code: u8) -> Option<Exit> {
    const ALL: [Exit; 6] = [
        Exit::Holds,
        Exit::Violated,
        Exit::Usage,
        Exit::Environment,
        Exit::Undetermined,
        Exit::Certificate,
    ];
    ALL.into_iter().find(|exit| exit.code() == code)
}

/// What an exit code means, as a headline and a sentence.
pub(crate) const fn meaning(exit: Option<Exit>) -> (&'static str, &'static str) {
    match exit {
        Some(Exit::Holds) => ("HOLDS", "every claim is proven"),
        Some(Exit::Violated) => ("VIOLATED", "at least one claim is disproven"),
        Some(Exit::Usage) => ("NO RESULT", "the input cannot be used"),
        Some(Exit::Environment) => ("NO RESULT", "the environment is not fit to judge in"),
        Some(Exit::Undetermined) => ("UNDETERMINED", "evidence is missing, which is never green"),
        Some(Exit::Certificate) => ("NOT VALID", "the certificate is not valid"),
        None => ("NO RESULT", "the run ended with a code that nobody defined"),
    }
}
