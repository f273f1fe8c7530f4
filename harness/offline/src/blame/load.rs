//! Which line loses telemetry when much of it comes at once.

use partywall_core::Layout;
use std::collections::BTreeSet;

use partywall_core::document::{Document, Item};
use partywall_core::event::Blame;
use partywall_core::probe::Signal;
use partywall_core::source::SourceLocation;

use crate::telemetry::limits;

/// The line by which a store refuses what comes too fast, or a collector's queue forgets whose
/// the requests are that it puts together.
pub fn lost_under_load(layout: &Layout, signal: Signal) -> Option<Blame> {
    let (section, names) = limits(signal);
    let limited = |document: &Document| {
        let set = document.root.get(section).filter(|_| is_store(&document.root, signal))?;
        let mut found = names.iter().filter_map(|name| Some((*name, set.get(name)?)));
        let (name, item) = found.next()?;
        let because = format!(
            "`{name}` limits what the store takes; what the collector cannot pass on in time is \
             lost, though the sender was told that it was taken"
        );
        Some(blame(document, item, because))
    };
    let documents = || layout.documents.iter();
    documents()
        .find_map(limited)
        .or_else(|| documents().find_map(|document| put_together(document, signal)))
}

fn is_store(root: &Item, signal: Signal) -> bool {
    match signal {
        Signal::Log => root.get("schema_config").is_some(),
        Signal::Metric => root.get("blocks_storage").is_some(),
    }
}

/// In the way of this signal: an exporter of another's pipelines has nothing to do with it.
fn put_together(document: &Document, signal: Signal) -> Option<Blame> {
    let kind = match signal {
        Signal::Log => "logs",
        Signal::Metric => "metrics",
    };
    let pipelines = document.root.entries(&["service", "pipelines"]).iter();
    let own = pipelines.filter(|(id, _)| id.split('/').next() == Some(kind));
    let used: BTreeSet<&str> = own
        .flat_map(|(_, pipeline)| pipeline.items(&["exporters"]))
        .filter_map(|exporter| exporter.text(&[]))
        .collect();
    let exporters = document.root.entries(&["exporters"]).iter();
    let mut batches =
        exporters.filter(|(id, _)| used.contains(id.as_str())).filter_map(|(id, exporter)| {
            let batch = exporter.at(&["sending_queue", "batch"])?;
            batch.at(&["partition", "metadata_keys"]).is_none().then_some((id, batch))
        });
    let (id, batch) = batches.next()?;
    let because = format!(
        "the sending queue of `{id}` puts requests of all organisations together and forgets \
         whose they are; a request that comes alone keeps it"
    );
    Some(blame(document, batch, because))
}

fn blame(document: &Document, item: &Item, because: String) -> Blame {
    let location = SourceLocation::new(document.location.file.clone(), item.line);
    Blame { location, because }
}
