//! What a finished program left behind.

use std::borrow::Cow;
use std::time::Duration;

/// A finished run: what was called, how it ended, what it wrote and how long it took.
///
/// With [`crate::Tool::log_to`] both streams went to the log file, and are empty here.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line as it may be shown: secrets are masked.
    pub command: String,
    /// The exit code; none where a signal ended the program.
    pub exit: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// From start to end.
    pub duration: Duration,
}

impl Output {
    /// Whether the program ended with exit code 0.
    pub fn success(&self) -> bool {
        self.exit == Some(0)
    }

    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text; bytes that are not UTF-8 are replaced.
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }
}
