//! Which line provisions a data source of Grafana.

use partywall_core::Layout;
use partywall_core::check::source_fault;
use partywall_core::data_source::{DataSource, data_sources};
use partywall_core::event::Blame;
use partywall_core::observation::SourcesObservation;
use partywall_core::probe::SourcesProbe;
use partywall_core::source::SourceLocation;

use crate::telemetry::{decoded, first_line_of};

/// The contract's file, at the root of a layout.
const CONTRACT: &str = "partywall.yaml";

/// The line of the data source at fault, or of the contract that promises one.
pub fn sources(layout: &Layout, probe: &SourcesProbe, seen: &SourcesObservation) -> Option<Blame> {
    let (at_fault, because) = source_fault(probe, seen)?;
    let location = match at_fault {
        Some(one) => written(layout, &one.source)?,
        None => promised(layout)?,
    };
    Some(Blame { location, because })
}

/// Where the contract promises data sources.
pub fn promised(layout: &Layout) -> Option<SourceLocation> {
    let contract = layout.documents.iter().find(|one| one.location.file == CONTRACT)?;
    let item = contract.root.at(&["telemetry", "dataSources"])?;
    Some(SourceLocation::new(CONTRACT, item.line))
}

/// The line that names the organisation of a data source: in a file of its own, or inside of a
/// ConfigMap or Secret.
fn written(layout: &Layout, source: &DataSource) -> Option<SourceLocation> {
    // Names are unique within an organisation of Grafana.
    let is_it = |one: &DataSource| one.name == source.name && one.grafana_org == source.grafana_org;
    let line_in = |text: &str| {
        let found = data_sources("data sources", text);
        found.into_iter().find(is_it).map(|one| one.header_line)
    };
    let mut files = layout.files.iter();
    let of_its_own =
        files.find_map(|(path, text)| Some(SourceLocation::new(path.clone(), line_in(text)?)));
    let inside = || {
        layout.documents.iter().find_map(|document| {
            let file = &document.location.file;
            let mut texts = ["data", "stringData"]
                .into_iter()
                .flat_map(|field| document.root.entries(&[field]))
                .filter_map(|(_, item)| item.text(&[]));
            texts.find_map(|text| {
                let line = line_in(text)?;
                let before = first_line_of(layout.files.get(file)?, text)?;
                Some(SourceLocation::new(file.clone(), before + line))
            })
        })
    };
    let encoded = || {
        layout.documents.iter().filter(|document| document.kind() == "Secret").find_map(
            |document| {
                let mut values = document.root.entries(&["data"]).iter();
                values.find_map(|(_, item)| {
                    line_in(&decoded(item.text(&[])?)?)?;
                    Some(SourceLocation::new(document.location.file.clone(), item.line))
                })
            },
        )
    };
    of_its_own.or_else(inside).or_else(encoded)
}
