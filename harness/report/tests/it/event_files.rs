//! Reading and writing event files.

use std::fs;
use std::path::Path;

use partywall_report::events::{EventsError, append_line, read};

use crate::sample;

fn without_folder(error: &EventsError, folder: &Path) -> String {
    error.to_string().replace(&folder.display().to_string(), "events")
}

#[test]
fn files_are_merged_by_name_then_line() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (sample::green(), sample::red());
    for (name, events) in [("2.jsonl", &second), ("1.jsonl", &first)] {
        for event in events {
            append_line(&folder.path().join(name), event).unwrap();
        }
    }
    fs::write(folder.path().join("notes.txt"), "not events").unwrap();
    assert_eq!(read(folder.path()).unwrap(), [first, second].concat());
}

#[test]
fn says_what_is_wrong_with_a_file() {
    let cases = [
        ("", "no events in events\nhint: `partywall test` writes them there"),
        (
            "\n{\"event\":\"run-started\",\"version\":7}",
            "events/a.jsonl:2: events of version 7, but this partywall reads version 3\n\
             hint: render the run with the partywall that wrote it",
        ),
        (
            "{\"event\":\"run-sta",
            "events/a.jsonl:1: not an event: EOF while parsing a string at line 1 column 17",
        ),
    ];
    for (text, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jsonl"), text).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert_eq!(without_folder(&error, folder.path()), message);
    }
}

#[test]
fn a_start_of_a_newer_version_with_the_same_fields_is_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    let line = serde_json::to_string(&sample::green()[0]).unwrap();
    let newer = line.replace("\"version\":3", "\"version\":4");
    fs::write(folder.path().join("a.jsonl"), newer).unwrap();
    assert!(matches!(read(folder.path()), Err(EventsError::Version { version: 4, .. })));
}

#[test]
fn an_unknown_event_and_a_missing_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), "{\"event\":\"coffee-made\"}").unwrap();
    let message = without_folder(&read(folder.path()).unwrap_err(), folder.path());
    assert!(message.starts_with("events/a.jsonl:1: not an event: unknown variant `coffee-made`"));
    let missing = folder.path().join("missing");
    let message = without_folder(&read(&missing).unwrap_err(), folder.path());
    assert!(message.starts_with("failed to read events/missing: "), "{message}");
}
