//! What a backend met and could not judge, once for all reports.

use partywall_core::event::NotJudged;

use crate::failures::clean_location;
use crate::text::{clean, counted};
use crate::view::RunView;

/// `2 parts of the layout are not judged`.
pub(crate) fn title(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} of the layout {verb} not judged", counted(count, "part"))
}

/// Everything that was not judged, each once and with clean texts; what has the same reason
/// stands together.
pub(crate) fn by_reason(view: &RunView<'_>) -> Vec<Vec<NotJudged>> {
    grouped(view.not_judged.iter().copied())
}

/// The same of any list.
pub(crate) fn grouped<'a>(all: impl Iterator<Item = &'a NotJudged>) -> Vec<Vec<NotJudged>> {
    let mut groups: Vec<Vec<NotJudged>> = Vec::new();
    for item in all.map(cleaned) {
        match groups.iter_mut().find(|group| group[0].reason == item.reason) {
            Some(group) if group.contains(&item) => {}
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// With every text as one clean line.
pub(crate) fn cleaned(item: &NotJudged) -> NotJudged {
    NotJudged {
        subject: clean(&item.subject),
        reason: clean(&item.reason),
        location: item.location.as_ref().map(clean_location),
    }
}

/// `base/x.yaml:3 (CiliumNetworkPolicy a/deny)`, or the subject alone.
pub(crate) fn place(item: &NotJudged) -> String {
    match &item.location {
        Some(location) => format!("{location} ({})", item.subject),
        None => item.subject.clone(),
    }
}
