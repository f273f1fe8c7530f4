//! The one place that prints: results to standard output, everything else to standard error.

use std::io::{Write, stderr, stdout};

/// A result that a person or another program wants.
pub fn result(text: &str) {
    // Whoever reads may stop early, as `head` does; that is no failure of ours.
    let _written = writeln!(stdout().lock(), "{}", text.trim_end_matches('\n'));
}

/// What the command is doing.
pub fn note(text: &str) {
    let _written = writeln!(stderr().lock(), "{text}");
}

/// Why the command failed.
pub fn error(text: &str) {
    let _written = writeln!(stderr().lock(), "error: {text}");
}
