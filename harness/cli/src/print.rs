//! The one place that prints: results to standard output, everything else to standard error.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

/// A result that a person or another program wants.
pub fn result(text: &str) {
    println!("{}", text.trim_end_matches('\n'));
}

/// What the command is doing.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// Why the command failed.
pub fn error(text: &str) {
    eprintln!("error: {text}");
}
