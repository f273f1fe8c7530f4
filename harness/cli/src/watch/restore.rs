//! The layout as it was, whatever became of an experiment.

use std::time::Duration;

use partywall_live::watch::Site;

use crate::failure::Failure;
use crate::session_deploy::{mark_reconciled, unmark_reconciled};

const LIMIT: Duration = Duration::from_secs(240);

/// Put the layout back.
pub async fn restore(site: &mut Site) -> Result<(), Failure> {
    unmark_reconciled(site.session())?;
    site.restore_keys().await.map_err(Failure::environment)?;
    let report = site.restore(LIMIT).await.map_err(Failure::environment)?;
    mark_reconciled(site.session(), &report)?;
    match report.failures().next() {
        _ if report.timed_out => Err(not_ready("it took too long")),
        Some(object) => Err(not_ready(&object.to_string())),
        None => Ok(()),
    }
}

fn not_ready(detail: &str) -> Failure {
    Failure::environment(format!("the layout does not become ready again: {detail}"))
}
