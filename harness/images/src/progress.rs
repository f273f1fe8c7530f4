//! What a build tells while it runs.

use std::path::Path;
use std::time::Duration;

/// A step of a build. Steps of two lanes may interleave.
#[derive(Debug)]
pub enum ProgressEvent<'a> {
    /// How many steps there are, of which some are done already.
    Planned {
        /// All steps.
        steps: usize,
    },
    /// A step begins.
    Started {
        /// Its component.
        component: &'a str,
        /// What is done: `build`, `image`, `pull`.
        step: &'static str,
        /// Where its output goes.
        log: Option<&'a Path>,
    },
    /// A step's result is in the cache already.
    Reused {
        /// Its component.
        component: &'a str,
        /// What would have been done.
        step: &'static str,
    },
    /// A transient failure; the step is tried once more.
    Retried {
        /// Its component.
        component: &'a str,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why.
        reason: &'a str,
    },
    /// A step is done.
    Finished {
        /// Its component.
        component: &'a str,
        /// What was done.
        step: &'static str,
        /// How long it took.
        duration: Duration,
        /// What came out of it.
        bytes: u64,
    },
    /// A step failed; the others go on.
    Failed {
        /// Its component.
        component: &'a str,
        /// Why.
        message: &'a str,
        /// The whole log.
        log: Option<&'a Path>,
    },
    /// Something worth saying that is no step.
    Note {
        /// A full sentence.
        text: &'a str,
    },
}

/// Receives the events of a build, from more than one thread.
pub trait Progress: Sync {
    /// Takes one event.
    fn event(&self, event: &ProgressEvent<'_>);
}

/// A progress that says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: &ProgressEvent<'_>) {}
}
