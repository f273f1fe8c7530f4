//! Defects that came and went.

use std::collections::BTreeMap;

use partywall_core::event::{Defect, NotJudged};

use super::end::{Both, End};

/// Defects of an end: those of its files, its wiring, its policies and its telemetry.
pub(super) fn of_end(end: &End<'_>) -> Vec<Defect> {
    let mut all = end.defects.clone();
    for found in end.cluster.defects() {
        if !all.contains(&found) {
            all.push(found);
        }
    }
    all
}

/// What makes two defects the same. Lines move with what is written above them.
fn key(defect: &Defect) -> (String, String, String, String) {
    let file = defect.location.as_ref().map(|place| place.file.clone());
    (
        defect.name.clone(),
        defect.object.clone(),
        file.unwrap_or_default(),
        without_numbers(&defect.summary),
    )
}

fn without_numbers(text: &str) -> String {
    let mut cut = String::with_capacity(text.len());
    let mut is_line = false;
    for character in text.chars() {
        if !(is_line && character.is_ascii_digit()) {
            is_line = character == ':';
            cut.push(character);
        }
    }
    cut
}

/// Defects that only the second has.
pub(super) fn added(before: &[Defect], after: &[Defect]) -> Vec<Defect> {
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    for defect in before {
        *known.entry(key(defect)).or_default() += 1;
    }
    let is_new = |defect: &&Defect| match known.get_mut(&key(defect)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    after.iter().filter(is_new).cloned().collect()
}

/// What either end could not judge, each once; what only the first met says so.
pub(super) fn not_judged(ends: Both<&End<'_>>) -> Vec<NotJudged> {
    let of_end = |end: &End<'_>| {
        let mut all = end.not_judged.clone();
        all.extend(end.cluster.not_judged());
        all
    };
    let mut found = of_end(ends.head);
    for one in of_end(ends.base) {
        let is_same =
            |other: &NotJudged| other.subject == one.subject && other.reason == one.reason;
        if !found.iter().any(is_same) {
            let reason = format!("before the change: {}", one.reason);
            found.push(NotJudged { reason, ..one });
        }
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use partywall_core::source::SourceLocation;
    use rstest::rstest;

    fn defect(summary: &str, line: u64) -> Defect {
        Defect {
            name: "n".to_string(),
            summary: summary.to_string(),
            object: "o".to_string(),
            message: String::new(),
            location: Some(SourceLocation::new("f.yaml", line)),
            behind: None,
        }
    }

    #[rstest]
    #[case::same("in f.yaml:3", 3, "in f.yaml:3", 3, 0)]
    #[case::moved("in f.yaml:3", 3, "in f.yaml:14", 14, 0)]
    #[case::other("in f.yaml:3", 3, "in g.yaml:3", 3, 1)]
    fn only_new_defects_are_added(
        #[case] before: &str,
        #[case] line: u64,
        #[case] after: &str,
        #[case] after_line: u64,
        #[case] expected: usize,
    ) {
        let (before, after) = (defect(before, line), defect(after, after_line));
        assert_eq!(added(&[before], &[after]).len(), expected);
    }

    #[test]
    fn a_second_one_of_a_kind_is_new() {
        let one = defect("x", 1);
        assert_eq!(added(std::slice::from_ref(&one), &[one.clone(), one.clone()]).len(), 1);
    }
}
