//! Layouts that keep a promise badly: `partywall e2e` demands that the files and the cluster say
//! so, each at its line.

use partywall_core::Exit;
use partywall_core::event::Event;
use partywall_core::verdict::Verdict;

use super::check;
use super::e2e::{check_of, test_of};
use super::test;
use crate::args::{E2e, Test};
use crate::failure::Failure;
use crate::{paths, print, reports};

/// A layout that must be red, and who must say so.
struct Red {
    folder: &'static str,
    /// What the files find.
    defect: &'static str,
    /// What the cluster is asked.
    topic: &'static str,
    /// The scenario that goes red there.
    scenario: &'static str,
}

const RED: [Red; 2] = [
    Red {
        folder: "fixtures/layouts/shared-key",
        defect: "key-shared-between-tenants",
        topic: "secrets::",
        scenario: "secrets/neighbour-ciphertext",
    },
    Red {
        folder: "fixtures/layouts/trusted-header",
        defect: "organisation-from-client-header",
        topic: "telemetry::",
        scenario: "telemetry/forged-header",
    },
];

/// By the files.
pub fn by_files(arguments: &E2e) -> Result<Exit, Failure> {
    each(|red| {
        let check = check_of(arguments, Some(paths::root().join(red.folder)));
        let exit = check::check(&check)?;
        let events = check.reports.as_ref().map(|folder| reports::read(folder)).transpose()?;
        let events = events.unwrap_or_default();
        let is_named = events.iter().any(|event| {
            matches!(event, Event::DefectFound(defect)
                if defect.name == red.defect && defect.location.is_some())
        });
        Ok((exit == Exit::Violated && is_named, red.defect))
    })
}

/// By the cluster.
pub fn by_cluster(arguments: &E2e) -> Result<Exit, Failure> {
    each(|red| {
        let whole = test_of(arguments, Some(paths::root().join(red.folder)));
        let test = Test { filter: Some(red.topic.to_string()), ..whole };
        let exit = test::test(&test)?;
        let events = reports::read(&test.reports)?;
        let is_named = events.iter().any(|event| {
            matches!(event, Event::TrialFinished { scenario, verdict, blame, .. }
                if scenario == red.scenario
                    && matches!(verdict, Verdict::Violated { .. })
                    && blame.is_some())
        });
        Ok((exit == Exit::Violated && is_named, red.scenario))
    })
}

fn each(judged: impl Fn(&Red) -> Result<(bool, &'static str), Failure>) -> Result<Exit, Failure> {
    let mut exit = Exit::Holds;
    for red in &RED {
        let (is_red, by) = judged(red)?;
        let words = if is_red { "is red, at its line, by" } else { "is NOT red as it must be by" };
        print::result(&format!("{} {words} {by}", red.folder));
        if !is_red {
            exit = exit.and(Exit::Violated);
        }
    }
    Ok(exit)
}
