//! What all reports know of a run: the events, put in order once.

use std::collections::HashMap;

use partywall_core::cluster::Backend;
use partywall_core::event::{
    Blame, CellResult, Defect, Distribution, Event, Experiment, LoadCount, MutantResult, NotJudged,
};
use partywall_core::exit::Exit;
use partywall_core::verdict::Verdict;

use crate::text::{counted, thousands};

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
    /// What a backend met and could not judge.
    pub not_judged: Vec<&'a NotJudged>,
    pub experiments: Vec<&'a Experiment>,
    pub mutants: Vec<&'a MutantResult>,
    pub measured: Vec<&'a Distribution>,
    /// What was counted while all tenants sent.
    pub loads: Vec<&'a LoadCount>,
    /// Every cell, also of trials that never ended.
    pub cells: Vec<&'a CellResult>,
    /// How the run ended; `None` where it did not.
    pub ending: Option<Ending>,
    /// Every start, in order.
    pub starts: Vec<Start<'a>>,
    ends: usize,
    /// Denied cells of the run that is being read.
    denied: usize,
}

/// How a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start<'a> {
    pub backend: Backend,
    pub layout: &'a str,
    pub commit: Option<&'a str>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ending {
    /// What was sent to a cluster, and how much of it leaked.
    pub sent: Bound,
    /// Denied squares that were computed from files, and how many of them are open.
    pub computed: Bound,
    pub elapsed_ms: u64,
    pub exit: u8,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub leaks: usize,
    pub of: usize,
}

impl Bound {
    fn add(&mut self, leaks: usize, of: usize) {
        self.leaks = self.leaks.saturating_add(leaks);
        self.of = self.of.saturating_add(of);
    }
}

impl Ending {
    pub fn leaks(&self) -> usize {
        self.sent.leaks.saturating_add(self.computed.leaks)
    }

    /// Probes that were sent, by the seconds of the whole run, canaries and judging included.
    pub fn rate(&self) -> Option<usize> {
        let milliseconds = usize::try_from(self.elapsed_ms).ok()?;
        let rate = self.sent.of.saturating_mul(1000).checked_div(milliseconds)?;
        (self.sent.of > 0).then_some(rate)
    }

    /// `0 leaks in 592 probes`. Nothing is sent offline, so it is said in other words there.
    pub fn bounds(&self) -> String {
        let Bound { leaks, of } = self.sent;
        let sent = format!("{} in {}", counted(leaks, "leak"), counted(of, "probe"));
        let Bound { leaks, of } = self.computed;
        let squares = counted(of, "denied square");
        let computed = format!("{} of {squares} open by the files", thousands(leaks));
        match (self.sent == Bound::default(), self.computed == Bound::default()) {
            (_, true) => sent,
            (true, _) => computed,
            _ => format!("{sent}; {computed}"),
        }
    }
}

/// A judged trial with its cells.
pub(crate) struct TrialView<'a> {
    pub name: &'a str,
    pub claim: &'a str,
    pub scenario: &'a str,
    pub tenant: Option<&'a str>,
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
                Event::NotJudged(not_judged) => view.not_judged.push(not_judged),
                Event::ExperimentFinished(experiment) => view.experiments.push(experiment),
                Event::MutantJudged(mutant) => view.mutants.push(mutant),
                Event::Measured(distribution) => view.measured.push(distribution),
                Event::LoadCounted(count) => view.loads.push(count),
                Event::CellJudged(cell) => {
                    view.denied += usize::from(cell.expect == "denied");
                    cells.push(((view.starts.len(), cell.trial.as_str()), cell));
                }
                Event::TrialFinished { trial, .. } => {
                    trials.insert((view.starts.len(), trial.as_str()), view.trials.len());
                    view.finish_trial(event);
                }
                Event::RunFinished { .. } => view.end(event),
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
        if self.starts.is_empty() {
            self.layout = layout;
        }
        self.denied = 0;
        self.starts.push(Start { backend: *backend, layout, commit: commit.as_deref() });
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
            trial,
            claim,
            scenario,
            tenant,
            verdict,
            elapsed_ms,
            blame,
            repeat,
            ..
        } = event
        else {
            return;
        };
        self.trials.push(TrialView {
            name: trial,
            claim,
            scenario,
            tenant: tenant.as_deref(),
            verdict,
            elapsed_ms: *elapsed_ms,
            blame: blame.as_ref(),
            repeat,
            cells: Vec::new(),
        });
    }

    fn end(&mut self, event: &'a Event) {
        let Event::RunFinished { probes, leaks, elapsed_ms, exit, .. } = event else {
            return;
        };
        self.ends += 1;
        let is_offline = self.starts.last().is_some_and(|start| start.backend == Backend::Offline);
        let total = self.ending.get_or_insert_default();
        match is_offline {
            true => total.computed.add(*leaks, self.denied),
            false => total.sent.add(*leaks, *probes),
        }
        total.elapsed_ms = total.elapsed_ms.saturating_add(*elapsed_ms);
        total.exit = graver(total.exit, *exit);
    }

    /// Whether every run that began also ended.
    pub fn is_complete(&self) -> bool {
        !self.starts.is_empty() && self.starts.len() == self.ends
    }

    /// Whether everything was computed from files, so that nothing was sent to anybody.
    pub fn is_offline(&self) -> bool {
        let mut starts = self.starts.iter();
        !self.starts.is_empty() && starts.all(|start| start.backend == Backend::Offline)
    }

    /// `12 hold, 3 violated`, for all of so many trials.
    pub fn tally(&self) -> String {
        let all = counted(self.trials.len() + self.ignored.len(), "trial");
        let parts: Vec<String> = self.counts().into_iter().map(|(_, text)| text).collect();
        format!("{all}: {}", parts.join(", "))
    }

    /// Where everything is that a report had no room for.
    pub fn whole(&self) -> &'static str {
        if self.is_offline() { "see `--format json`" } else { "see reports/junit.xml" }
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

/// What the proof of an offline run is worth.
pub(crate) const COMPUTED: &str = "computed from the files; no cluster was asked";

/// What an exit code means, as a headline and a sentence.
pub(crate) const fn meaning(exit: Option<Exit>, is_offline: bool) -> (&'static str, &'static str) {
    match exit {
        Some(Exit::Holds) if is_offline => ("HOLDS", "every claim holds by the files"),
        Some(Exit::Holds) => ("HOLDS", "every claim is proven"),
        Some(Exit::Violated) => ("VIOLATED", "a claim is disproven, or the layout has a defect"),
        Some(Exit::Usage) => ("NO RESULT", "the input cannot be used"),
        Some(Exit::Environment) => ("NO RESULT", "the environment is not fit to judge in"),
        Some(Exit::Undetermined) => ("UNDETERMINED", "evidence is missing, which is never green"),
        Some(Exit::Certificate) => ("NOT VALID", "the certificate is not valid"),
        None => ("NO RESULT", "the run ended with a code that nobody defined"),
    }
}
