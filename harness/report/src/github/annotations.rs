//! Annotations: `::error file=..,line=..::message`.

use partywall_core::event::{Event, NotJudged};
use partywall_core::source::SourceLocation;

use crate::account::account;
use crate::failures::{clean_defect, failures};
use crate::not_judged::by_reason;
use crate::place::from_repository;
use crate::text::cut;
use crate::view::RunView;

/// GitHub shows no more errors of one step than these.
pub const ERRORS_MAX: usize = 10;
/// The longest message; GitHub folds longer ones.
const MESSAGE_MAX: usize = 600;

/// GitHub shows no more warnings of one step than these.
pub const WARNINGS_MAX: usize = 10;

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Annotation {
    location: Option<SourceLocation>,
    title: String,
    message: String,
}

/// One line for each error, first the layout's defects, then trials that do not hold, at most
/// [`ERRORS_MAX`], and a notice if there are more; then a warning for each reason for which
/// something is not judged, at most [`WARNINGS_MAX`]. Files are named from the folder in which the
/// layout was given, if that is a relative path.
pub fn annotations(events: &[Event]) -> String {
    let view = RunView::of(events);
    let mut all: Vec<Annotation> = Vec::new();
    if let Err(error) = account(events) {
        let message = error.to_string();
        all.push(Annotation { location: None, title: "no result".to_string(), message });
    }
    for defect in view.defects.iter().map(|defect| clean_defect(defect)) {
        let message = format!("{} ({}: {})", defect.summary, defect.object, defect.message);
        add(&mut all, Annotation { location: defect.location, title: defect.name, message });
    }
    for failure in failures(&view) {
        let message = format!("{}: {}. {}", failure.claim, failure.seen, failure.because);
        let title = format!("{} {}", failure.word, failure.short);
        add(&mut all, Annotation { location: failure.location, title, message });
    }
    let mut lines: Vec<String> =
        all.iter().take(ERRORS_MAX).map(|annotation| line("error", annotation, &view)).collect();
    if all.len() > ERRORS_MAX {
        let more = all.len() - ERRORS_MAX;
        lines.push(format!("::notice title=partywall::and {more} more, see the step summary"));
    }
    let unknown = by_reason(&view);
    let unknown = unknown.iter().take(WARNINGS_MAX).filter_map(|group| warning(group));
    lines.extend(unknown.map(|annotation| line("warning", &annotation, &view)));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn warning(group: &[NotJudged]) -> Option<Annotation> {
    let first = group.first()?;
    let more = match group.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let message = format!("{}{more}: {}", first.subject, first.reason);
    Some(Annotation { location: first.location.clone(), title: "not judged".to_string(), message })
}

fn add(all: &mut Vec<Annotation>, annotation: Annotation) {
    if !all.contains(&annotation) {
        all.push(annotation);
    }
}

fn line(level: &str, annotation: &Annotation, view: &RunView<'_>) -> String {
    let mut properties = Vec::new();
    if let Some(location) = &annotation.location {
        properties
            .push(format!("file={}", property(&from_repository(view.layout, &location.file))));
        properties.push(format!("line={}", location.line));
    }
    properties.push(format!("title={}", property(&annotation.title)));
    let message = data(&cut(&annotation.message, MESSAGE_MAX));
    format!("::{level} {}::{message}", properties.join(","))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_would_end_a_command() {
        let annotation = Annotation {
            location: Some(SourceLocation::new("a,b:c.yaml", 3)),
            title: "100% ::".to_string(),
            message: "one\n::error::two 5%".to_string(),
        };
        assert_eq!(
            line("error", &annotation, &RunView::default()),
            "::error file=a%2Cb%3Ac.yaml,line=3,title=100%25 %3A%3A::one%0A::error::two 5%25"
        );
    }
}
