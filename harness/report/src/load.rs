//! What was counted while all tenants sent telemetry, and how long single markers took.

use std::collections::BTreeMap;

use partywall_core::event::{LoadCount, MARKER_VISIBLE};
use serde::Serialize;

use crate::text::{clean, counted, duration, milliseconds, thousands};
use crate::view::RunView;

/// What one organisation was sent, and what it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct OrgLoad {
    pub org: String,
    /// Items that its tenant put on the way.
    pub sent: u64,
    /// Those that the collector took.
    pub accepted: u64,
    /// Those that it shows.
    pub found: u64,
    /// Items of other tenants that it shows.
    pub misplaced: u64,
    /// Items that the collector took in a second.
    pub rate: u64,
    sending_us: u64,
}

/// One line for each organisation, in the order of the tenants, then those that only hold what is
/// misplaced.
pub(crate) fn by_organisation(loads: &[&LoadCount]) -> Vec<OrgLoad> {
    let mut rows: Vec<OrgLoad> = Vec::new();
    for load in loads {
        let row = row_of(&mut rows, &load.org);
        row.sent = row.sent.saturating_add(load.sent);
        row.accepted = row.accepted.saturating_add(load.accepted);
        row.found = row.found.saturating_add(load.found);
        row.sending_us = row.sending_us.max(load.sending_us);
    }
    let mut foreign: BTreeMap<&str, u64> = BTreeMap::new();
    for (org, count) in loads.iter().flat_map(|load| &load.misplaced) {
        *foreign.entry(org).or_default() += count;
    }
    for (org, count) in foreign {
        row_of(&mut rows, org).misplaced = count;
    }
    for row in &mut rows {
        row.rate = rate(row.accepted, row.sending_us);
    }
    rows
}

fn row_of<'r>(rows: &'r mut Vec<OrgLoad>, org: &str) -> &'r mut OrgLoad {
    let place = rows.iter().position(|row| row.org == org).unwrap_or_else(|| {
        rows.push(OrgLoad { org: org.to_string(), ..OrgLoad::default() });
        rows.len() - 1
    });
    &mut rows[place]
}

fn rate(items: u64, microseconds: u64) -> u64 {
    items.saturating_mul(1_000_000).checked_div(microseconds).unwrap_or_default()
}

/// The whole load in one line, and one for each organisation; nothing where none was sent.
pub(crate) fn lines(view: &RunView<'_>) -> Vec<String> {
    let rows = by_organisation(&view.loads);
    if rows.is_empty() {
        return Vec::new();
    }
    let sum = |of: fn(&OrgLoad) -> u64| rows.iter().map(of).sum::<u64>();
    let (sent, found) = (sum(|row| row.sent), sum(|row| row.found));
    let accepted = sum(|row| row.accepted);
    let misplaced = sum(|row| row.misplaced);
    let sending = view.loads.iter().map(|load| load.sending_us).max().unwrap_or_default();
    let seen: Option<Vec<u64>> = view.loads.iter().map(|load| load.visible_us).collect();
    let seen = seen.and_then(|times| times.into_iter().max());
    let seen = seen.map(|us| format!("; all seen in {}", duration(us / 1000))).unwrap_or_default();
    let mut lines = vec![format!(
        "{} items at once, {}/s: {} found, {} misplaced, {} missing{seen}",
        number(sent),
        number(rate(accepted, sending)),
        number(found),
        number(misplaced),
        number(sent.saturating_sub(found).saturating_sub(misplaced)),
    )];
    lines.extend(rows.iter().map(|row| {
        format!(
            "org {}: {} sent, {} found, {} misplaced there, {}/s",
            clean(&row.org),
            number(row.sent),
            number(row.found),
            number(row.misplaced),
            number(row.rate)
        )
    }));
    lines
}

/// How long single markers took to be seen; nothing where none was timed.
pub(crate) fn latency(view: &RunView<'_>) -> Option<String> {
    let of = view.measured.iter().find(|of| of.name == MARKER_VISIBLE)?;
    Some(format!(
        "{} seen in their organisations after {} (median), {} at most",
        counted(of.count, "marker"),
        milliseconds(of.p50),
        milliseconds(of.max)
    ))
}

fn number(number: u64) -> String {
    usize::try_from(number).map_or_else(|_| number.to_string(), thousands)
}

/// Cells of a table: organisation, sent, accepted, found, misplaced, items a second.
pub(crate) fn cells(row: &OrgLoad) -> [String; 6] {
    let numbers = [row.sent, row.accepted, row.found, row.misplaced, row.rate];
    let [sent, accepted, found, misplaced, rate] = numbers.map(number);
    [clean(&row.org), sent, accepted, found, misplaced, rate]
}

#[cfg(test)]
mod tests {
    use partywall_core::cluster::Backend;
    use partywall_core::event::{Distribution, Event};

    use super::*;

    fn load(org: &str, found: u64, misplaced: &[(&str, u64)]) -> Event {
        Event::LoadCounted(LoadCount {
            tenant: org.to_string(),
            org: org.to_string(),
            what: "log load by grpc".to_string(),
            sent: 5000,
            accepted: 5000,
            found,
            misplaced: misplaced.iter().map(|(org, n)| ((*org).to_string(), *n)).collect(),
            sending_us: 500_000,
            visible_us: (found == 5000).then_some(1_250_000),
        })
    }

    #[test]
    fn a_whole_load_is_told_by_organisation_with_its_rate() {
        let events = [load("a", 5000, &[]), load("b", 5000, &[]), load("a", 5000, &[])];
        let said = lines(&RunView::of(&events));
        assert_eq!(
            said,
            [
                "15,000 items at once, 30,000/s: 15,000 found, 0 misplaced, 0 missing; all seen in 1.2 s",
                "org a: 10,000 sent, 10,000 found, 0 misplaced there, 20,000/s",
                "org b: 5,000 sent, 5,000 found, 0 misplaced there, 10,000/s",
            ]
        );
    }

    #[test]
    fn what_is_misplaced_is_told_where_it_is() {
        let events = [load("a", 4000, &[("b", 900), ("fake", 50)]), load("b", 5000, &[])];
        let said = lines(&RunView::of(&events));
        assert_eq!(
            said[0],
            "10,000 items at once, 20,000/s: 9,000 found, 950 misplaced, 50 missing"
        );
        assert_eq!(said[2], "org b: 5,000 sent, 5,000 found, 900 misplaced there, 10,000/s");
        assert_eq!(said[3], "org fake: 0 sent, 0 found, 50 misplaced there, 0/s");
        assert!(lines(&RunView::of(&[])).is_empty());
    }

    #[test]
    fn markers_are_told_by_their_median_and_the_slowest() {
        let of = Distribution {
            name: MARKER_VISIBLE.to_string(),
            under: Backend::Kind.to_string(),
            unit: "us".to_string(),
            count: 24,
            p50: 310_000,
            p99: 640_000,
            max: 640_000,
        };
        let events = [Event::Measured(of)];
        let said = latency(&RunView::of(&events)).unwrap();
        assert_eq!(
            said,
            "24 markers seen in their organisations after 310.0 ms (median), 640.0 ms at most"
        );
        assert_eq!(latency(&RunView::of(&[])), None);
    }
}
