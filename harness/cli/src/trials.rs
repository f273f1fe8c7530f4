//! The scenarios as trials of a test runner.

use std::path::PathBuf;

use partywall_core::cluster::Backend;
use partywall_core::event::Event;
use partywall_core::plan::{Trial, lack, trials};
use partywall_core::verdict::Verdict;
use partywall_live::{Session, known};
use partywall_runner::Project;

use crate::args::LayoutArgs;
use crate::commands::judge_session;
use crate::{paths, project};

/// How one trial ended.
#[derive(Clone, Debug)]
pub struct TrialResult {
    name: String,
    /// `None` where the trial holds.
    problem: Option<String>,
    /// Why it was not asked: then it neither holds nor fails.
    ignored: Option<String>,
}

/// The trials of one layout, to be run on one session.
pub struct Conformance {
    project: Project,
    trials: Vec<Trial>,
    session: String,
}

impl Conformance {
    /// The layout of `PARTYWALL_LAYOUT` (else the reference layout) on the session of
    /// `PARTYWALL_SESSION` (else `partywall`). Reads YAML and nothing else.
    pub fn from_environment() -> Result<Self, String> {
        let layout = paths::variable("PARTYWALL_LAYOUT").map(PathBuf::from);
        let arguments = LayoutArgs { layout, keys: None };
        let project = project::project(&arguments).map_err(|error| error.to_string())?;
        let scenarios = project::scenarios(None).map_err(|error| error.to_string())?;
        let trials = trials(Backend::Kind, &scenarios, &project.contract);
        let named = paths::variable("PARTYWALL_SESSION");
        let session = named.clone().unwrap_or_else(|| "partywall".to_string());
        let conformance = Self { project, trials, session };
        if let (Some(name), false) = (named, conformance.has_session()) {
            return Err(format!("PARTYWALL_SESSION names `{name}`, and there is no such session"));
        }
        Ok(conformance)
    }

    /// The names of all trials.
    pub fn names(&self) -> Vec<String> {
        self.trials.iter().map(|trial| trial.name.clone()).collect()
    }

    /// The trials that the session cannot be asked, as `up` found it: they are listed as ignored.
    pub fn lacking(&self) -> Vec<String> {
        let Ok(session) = Session::load(&paths::state(), &self.session) else { return Vec::new() };
        let known = known(&session);
        let lacks = |trial: &&Trial| lack(trial, &self.project.contract, &known).is_some();
        self.trials.iter().filter(lacks).map(|trial| trial.name.clone()).collect()
    }

    /// Whether there is a session file. Without one the trials are listed as ignored.
    pub fn has_session(&self) -> bool {
        Session::exists(&paths::state(), &self.session)
    }

    /// The names of the trials that a selection takes.
    pub fn selected(&self, is_selected: impl Fn(&str) -> bool) -> Vec<String> {
        self.names().into_iter().filter(|name| is_selected(name)).collect()
    }

    /// Run these trials as one batch.
    pub fn run(&self, selected: &[String]) -> Vec<TrialResult> {
        let trials: Vec<Trial> =
            self.trials.iter().filter(|trial| selected.contains(&trial.name)).cloned().collect();
        match judge_session(&self.session, &self.project, &trials) {
            Ok(events) => events.iter().filter_map(result_of).collect(),
            Err(failure) => {
                let problem = Some(format!("environment: {failure}"));
                let failed = |name: &String| TrialResult {
                    name: name.clone(),
                    problem: problem.clone(),
                    ignored: None,
                };
                selected.iter().map(failed).collect()
            }
        }
    }

    /// The result of one trial, or why it could not be asked; a trial that was never judged has
    /// failed.
    pub fn result_of(&self, results: &[TrialResult], name: &str) -> Result<Option<String>, String> {
        match results.iter().find(|result| result.name == name) {
            Some(TrialResult { problem: None, ignored, .. }) => Ok(ignored.clone()),
            Some(TrialResult { problem: Some(problem), .. }) => Err(problem.clone()),
            None => Err("the trial was planned but never judged".to_string()),
        }
    }
}

fn result_of(event: &Event) -> Option<TrialResult> {
    if let Event::TrialIgnored { trial, reason } = event {
        let (name, ignored) = (trial.clone(), Some(reason.clone()));
        return Some(TrialResult { name, problem: None, ignored });
    }
    let Event::TrialFinished { trial, claim, verdict, blame, repeat, .. } = event else {
        return None;
    };
    let problem = match verdict {
        Verdict::Holds { .. } | Verdict::Recorded { .. } => None,
        Verdict::Violated { reason } | Verdict::Undetermined { reason } => {
            let word = verdict.word();
            let at =
                blame.as_ref().map(|blame| format!("\n  at {}: {}", blame.location, blame.because));
            let at = at.unwrap_or_default();
            Some(format!("{word}: {claim}\n  {reason}{at}\n  repeat: {repeat}"))
        }
    };
    Some(TrialResult { name: trial.clone(), problem, ignored: None })
}
