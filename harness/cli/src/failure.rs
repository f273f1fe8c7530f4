//! What went wrong, for the command line: one clear message and an exit code.

use partywall_core::Exit;
use partywall_core::cluster::ObserveError;
use partywall_runner::ProjectError;
use thiserror::Error;

/// A command that gave no verdict.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Failure {
    /// The message, with a hint where there is one.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// Usage or bad input.
    pub fn usage(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), exit: Exit::Usage }
    }

    /// The environment is not fit.
    pub fn environment(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), exit: Exit::Environment }
    }
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        Self::usage(error)
    }
}

impl From<ObserveError> for Failure {
    fn from(error: ObserveError) -> Self {
        Self::environment(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::environment(error)
    }
}
