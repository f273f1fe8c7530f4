//! The event files of a run: one JSON object a line.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use partywall_core::event::{EVENT_VERSION, Event};
use serde_json::Value;
use thiserror::Error;

/// Why events could not be read or written.
#[derive(Debug, Error)]
pub enum EventsError {
    /// The folder or a file in it cannot be read or written.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// `read` or `append to`.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The folder holds no event at all.
    #[error("no events in {}\nhint: `partywall test` writes them there", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A line is no event.
    #[error("{}:{line}: not an event: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the reader says.
        message: String,
    },
    /// A run was written in another version of the format.
    #[error(
        "{}:{line}: events of version {version}, but this partywall reads version {EVENT_VERSION}\n\
         hint: render the run with the partywall that wrote it",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The version found.
        version: u64,
    },
    /// An event cannot be written as JSON.
    #[error("failed to write an event as JSON")]
    Json(#[from] serde_json::Error),
}

/// Every event of the `*.jsonl` files in this folder, ordered by file name, then by line.
pub fn read(directory: &Path) -> Result<Vec<Event>, EventsError> {
    let mut events = Vec::new();
    for file in event_files(directory)? {
        read_file(&file, &mut events)?;
    }
    if events.is_empty() {
        return Err(EventsError::Empty { path: directory.to_path_buf() });
    }
    Ok(events)
}

/// Add one event to a file, which is made where it is missing. The line is written at once, so
/// that a run that is killed leaves whole lines.
pub fn append_line(file: &Path, event: &Event) -> Result<(), EventsError> {
    let mut line = serde_json::to_string(event)?;
    line.push('\n');
    let mut options = OpenOptions::new();
    let written = options
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut opened| opened.write_all(line.as_bytes()));
    written.map_err(failed("append to", file))
}

fn event_files(directory: &Path) -> Result<Vec<PathBuf>, EventsError> {
    let entries = fs::read_dir(directory).map_err(failed("read", directory))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("read", directory))?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(file: &Path, events: &mut Vec<Event>) -> Result<(), EventsError> {
    let opened = fs::File::open(file).map_err(failed("read", file))?;
    for (index, line) in BufReader::new(opened).lines().enumerate() {
        let line = line.map_err(failed("read", file))?;
        if !line.trim().is_empty() {
            events.push(parse(file, index + 1, &line)?);
        }
    }
    Ok(())
}

fn parse(file: &Path, line: usize, text: &str) -> Result<Event, EventsError> {
    match serde_json::from_str(text) {
        Ok(Event::RunStarted { version, .. }) if version != EVENT_VERSION => {
            Err(EventsError::Version { path: file.to_path_buf(), line, version: version.into() })
        }
        Ok(event) => Ok(event),
        Err(error) => Err(unreadable(file, line, text, &error)),
    }
}

/// A start of another version may have other fields, so its version is looked for first.
fn unreadable(file: &Path, line: usize, text: &str, error: &serde_json::Error) -> EventsError {
    let path = file.to_path_buf();
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version != u64::from(EVENT_VERSION) => {
            EventsError::Version { path, line, version }
        }
        _ => EventsError::Malformed { path, line, message: error.to_string() },
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> EventsError + 'a {
    move |source| EventsError::Io { action, path: path.to_path_buf(), source }
}
