//! One step of a build: timed, logged, and told about.

use std::path::PathBuf;
use std::time::Instant;

use partywall_tool::ToolError;

use crate::docker::DockerError;
use crate::error::{BuildError, ComponentFailure, ResolveError};
use crate::progress::{Progress, ProgressEvent};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error("{0}")]
    Message(String),
}

/// Whether a step had anything to do.
pub(crate) enum Outcome {
    Reused,
    Made {
        /// The size of the result.
        bytes: u64,
    },
}

/// A step that is about to run.
pub(crate) struct Step<'a> {
    pub(crate) component: &'a str,
    pub(crate) name: &'static str,
    pub(crate) log: PathBuf,
}

impl Step<'_> {
    /// Runs the work and tells how it went. `work` announces itself once it knows that there is
    /// something to do.
    pub(crate) fn run(
        &self,
        progress: &dyn Progress,
        work: impl FnOnce(&dyn Fn()) -> Result<Outcome, StepError>,
    ) -> Result<bool, ComponentFailure> {
        let (component, step, log) = (self.component, self.name, self.log.as_path());
        let start = Instant::now();
        let announce = || {
            progress.event(&ProgressEvent::Started { component, step, log: Some(log) });
        };
        match work(&announce) {
            Ok(Outcome::Reused) => {
                progress.event(&ProgressEvent::Reused { component, step });
                Ok(false)
            }
            Ok(Outcome::Made { bytes }) => {
                let duration = start.elapsed();
                progress.event(&ProgressEvent::Finished { component, step, duration, bytes });
                Ok(true)
            }
            Err(error) => {
                let message = with_causes(&error);
                let log = log.is_file().then_some(log);
                progress.event(&ProgressEvent::Failed { component, message: &message, log });
                let (component, log) = (component.to_owned(), log.map(Into::into));
                Err(ComponentFailure { component, message, log })
            }
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
