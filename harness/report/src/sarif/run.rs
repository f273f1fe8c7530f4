//! Results with the line to blame.

use std::collections::{BTreeMap, HashMap};

use partywall_core::event::{Defect, Event, NotJudged};
use partywall_core::source::SourceLocation;

use super::log::{
    Artifact, Driver, Finding, Id, Invocation, Level, Log, Notification, Physical, Place, Region,
    Run, SCHEMA, Text, Tool, UriBase,
};
use super::rules::Rules;
use crate::account::account;
use crate::error::ReportError;
use crate::failures::{Failure, clean_defect, failures};
use crate::json;
use crate::not_judged::by_reason;
use crate::outcome::outcome;
use crate::place::from_repository;
use crate::text::clean;
use crate::view::RunView;

/// The rule of what is not judged.
pub const NOT_JUDGED: &str = "not-judged";

/// The root that files are named from.
const ROOT: &str = "%SRCROOT%";
/// The name of our fingerprints. Another way of making them gets another name.
const FINGERPRINT: &str = "partywall/v1";
/// Where every promise stands, for results to which no line of the layout is known: code
/// scanning refuses a whole file for one result without a location.
const CONTRACT: &str = "partywall.yaml";

/// The file, indented, with a line end.
pub fn render(events: &[Event]) -> Result<String, ReportError> {
    let view = RunView::of(events);
    let rules = Rules::of(&view);
    let mut findings = Findings { view: &view, rules: &rules, seen: HashMap::new() };
    let mut results: Vec<Finding> = Vec::new();
    let defects = view.defects.iter().map(|defect| clean_defect(defect));
    results.extend(defects.map(|defect| findings.of_defect(&defect)));
    results.extend(failures(&view).iter().map(|failure| findings.of_failure(failure)));
    let unknown = by_reason(&view);
    results.extend(unknown.iter().flatten().map(|item| findings.of_not_judged(item)));
    let run = Run {
        invocations: [invocation(events, &view)],
        automation_details: Id { id: format!("partywall/{}/", backend(&view)) },
        original_uri_base_ids: BTreeMap::from([(ROOT, root())]),
        column_kind: "unicodeCodePoints",
        results,
        properties: properties(&view),
        tool: Tool {
            driver: Driver {
                name: "partywall",
                semantic_version: env!("CARGO_PKG_VERSION"),
                rules: rules.all,
            },
        },
    };
    json::text(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
}

fn root() -> UriBase {
    let text = "the repository's root, or the layout's where that was not given as a relative path";
    UriBase { description: Text::new(text) }
}

/// `merged` where several backends judged.
fn backend(view: &RunView<'_>) -> String {
    let mut backends: Vec<String> =
        view.starts.iter().map(|start| start.backend.to_string()).collect();
    backends.dedup();
    match backends.as_slice() {
        [backend] => backend.clone(),
        _ => "merged".to_string(),
    }
}

fn properties(view: &RunView<'_>) -> BTreeMap<&'static str, String> {
    let commit = view.starts.iter().find_map(|start| start.commit);
    commit.map(|commit| ("commit", clean(commit))).into_iter().collect()
}

/// A run that does not add up failed, whatever it exits with.
fn invocation(events: &[Event], view: &RunView<'_>) -> Invocation {
    let is_whole = account(events).is_ok() && view.is_complete();
    let (word, sentence) = outcome(events, view);
    let is_result = is_whole && word != "NO RESULT";
    let notification =
        Notification { level: Level::Error, message: Text::new(format!("no result: {sentence}")) };
    Invocation {
        execution_successful: is_result,
        exit_code: view.ending.filter(|_| is_whole).map(|ending| ending.exit),
        tool_execution_notifications: if is_result { Vec::new() } else { vec![notification] },
    }
}

/// What results are made with.
struct Findings<'a> {
    view: &'a RunView<'a>,
    rules: &'a Rules,
    /// How often each fingerprint was given.
    seen: HashMap<String, usize>,
}

impl Findings<'_> {
    fn of_failure(&mut self, failure: &Failure) -> Finding {
        let level = if failure.word == "violated" { Level::Error } else { Level::Warning };
        let message = format!("{}: {}. {}", failure.claim, failure.seen, failure.because);
        let fields = [("cell", &failure.cell), ("also", &failure.others)];
        let mut finding = self.finding(
            &failure.scenario,
            level,
            message,
            failure.location.as_ref(),
            failure.short.clone(),
        );
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
        finding.properties = fields.map(|(label, text)| (label, text.clone())).collect();
        finding.properties.insert("verdict", failure.word.to_string());
        finding.properties.insert("repeat", failure.repeat.clone());
        finding
    }

    fn of_defect(&mut self, defect: &Defect) -> Finding {
        let message = format!("{} ({}: {})", defect.summary, defect.object, defect.message);
        let file = defect.location.as_ref().map_or("", |location| location.file.as_str());
        let print = format!("{} {} {file}", defect.name, defect.object);
        self.finding(&defect.name, Level::Error, message, defect.location.as_ref(), print)
    }

    fn of_not_judged(&mut self, item: &NotJudged) -> Finding {
        let message = format!("not judged: {}: {}", item.subject, item.reason);
        let print = format!("{NOT_JUDGED} {}", item.subject);
        self.finding(NOT_JUDGED, Level::Note, message, item.location.as_ref(), print)
    }

    fn finding(
        &mut self,
        rule: &str,
        level: Level,
        message: String,
        location: Option<&SourceLocation>,
        print: String,
    ) -> Finding {
        let (file, line) = match location {
            Some(location) => (location.file.as_str(), location.line),
            None => (CONTRACT, 1),
        };
        let message = match location {
            Some(_) => message,
            None => format!("{message} (shown at the contract, as no line is known)"),
        };
        Finding {
            rule_id: rule.to_string(),
            rule_index: self.rules.index(rule),
            level,
            message: Text::new(message),
            locations: [Place {
                physical_location: Physical {
                    artifact_location: Artifact {
                        uri: uri(&from_repository(self.view.layout, file)),
                        uri_base_id: ROOT,
                    },
                    region: Region { start_line: line.clamp(1, i32::MAX as u64) },
                },
            }],
            partial_fingerprints: BTreeMap::from([(FINGERPRINT, self.fingerprint(print))]),
            properties: BTreeMap::new(),
        }
    }

    /// What stays the same from run to run: no line, no time, no address. Whatever would get the
    /// same twice is counted.
    fn fingerprint(&mut self, print: String) -> String {
        let count = self.seen.entry(print.clone()).or_default();
        *count += 1;
        if *count == 1 { print } else { format!("{print} #{count}") }
    }
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("customers/a/x.yaml", "customers/a/x.yaml")]
    #[case("a b:c%.yaml", "a%20b%3Ac%25.yaml")]
    #[case("ü.yaml", "%C3%BC.yaml")]
    #[case("/rooted.yaml", "rooted.yaml")]
    fn a_path_becomes_a_relative_uri(#[case] path: &str, #[case] reference: &str) {
        assert_eq!(uri(path), reference);
    }
}
