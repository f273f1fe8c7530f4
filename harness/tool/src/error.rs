//! How a run can fail.

use std::path::PathBuf;
use std::time::Duration;

/// Why a program gave no usable result. Messages hold no secrets.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// No such program in `PATH`, or at the given path.
    #[error("failed to run `{program}`: no such program (is it installed and in PATH?)")]
    NotFound {
        /// The name that was looked for.
        program: String,
    },
    /// The program could not be started, or its files not be prepared.
    #[error("failed to start `{command}`")]
    Start {
        /// The command line, secrets masked.
        command: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The log file could not be opened.
    #[error("failed to open the log file {}", path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The program ran and ended with something else than 0.
    #[error("`{command}` ended with {}{}", describe_exit(*exit), describe_tail(tail))]
    Failed {
        /// The command line, secrets masked.
        command: String,
        /// The exit code; none where a signal ended it.
        exit: Option<i32>,
        /// The last lines it wrote to standard error (or to its log), secrets masked.
        tail: String,
        /// From start to end.
        duration: Duration,
    },
    /// The program was still running at its time limit and was killed.
    #[error("`{command}` did not end within {} s and was killed{}", after.as_secs_f32(), describe_tail(tail))]
    TimedOut {
        /// The command line, secrets masked.
        command: String,
        /// The limit.
        after: Duration,
        /// The last lines it wrote, secrets masked.
        tail: String,
    },
}

impl ToolError {
    /// The last lines the program wrote; empty where it never ran.
    pub fn tail(&self) -> &str {
        match self {
            Self::Failed { tail, .. } | Self::TimedOut { tail, .. } => tail,
            Self::NotFound { .. } | Self::Start { .. } | Self::Log { .. } => "",
        }
    }

    /// The exit code of a program that ran and failed.
    pub fn exit(&self) -> Option<i32> {
        match self {
            Self::Failed { exit, .. } => *exit,
            _ => None,
        }
    }
}

fn describe_exit(exit: Option<i32>) -> String {
    exit.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"))
}

fn describe_tail(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!(":\n{tail}") }
}
