//! Git repositories that the layout names.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::document::Document;

use crate::render::Rendered;
use crate::scan::join;

/// An address, and the folder that stands for it where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) url: String,
    pub(super) path: Option<String>,
    /// Where it is written, and which chart is taken from it.
    pub(super) because: String,
}

/// Every GitRepository once, in the order of addresses, the layout's own one first.
pub(super) fn repositories(layout: &Layout, rendered: &Rendered) -> Vec<Repository> {
    let own = own_urls(layout);
    let mut found: BTreeMap<&str, Repository> = BTreeMap::new();
    for document in layout.of_kind("GitRepository") {
        let Some(url) = document.root.text(&["spec", "url"]) else { continue };
        let charts = charts_from(layout, document.name());
        let path = if own.contains(&url) {
            Some(".".to_string())
        } else {
            charts.iter().find_map(|chart| folder_with(rendered, chart))
        };
        let charts = match charts.first() {
            Some(chart) => format!("{}, for chart {chart}", document.location),
            None => document.location.to_string(),
        };
        let repository = || Repository { url: url.to_string(), path, because: charts };
        found.entry(url).or_insert_with(repository);
    }
    let mut found: Vec<Repository> = found.into_values().collect();
    found.sort_by_key(|repository| repository.path.as_deref() != Some("."));
    found
}

/// Addresses by which Flux is told to sync the layout itself.
fn own_urls(layout: &Layout) -> Vec<&str> {
    let sync =
        |document: &&Document| document.location.file.rsplit('/').next() == Some("gotk-sync.yaml");
    let syncs = layout.of_kind("GitRepository").filter(sync);
    syncs.filter_map(|document| document.root.text(&["spec", "url"])).collect()
}

fn charts_from<'a>(layout: &'a Layout, repository: &str) -> Vec<&'a str> {
    let releases = layout.of_kind("HelmRelease").filter(|release| {
        let source = |key| release.root.text(&["spec", "chart", "spec", "sourceRef", key]);
        source("kind") == Some("GitRepository") && source("name") == Some(repository)
    });
    releases.filter_map(|release| release.root.text(&["spec", "chart", "spec", "chart"])).collect()
}

/// The folder beside the layout that holds a chart, if it was read.
fn folder_with(rendered: &Rendered, chart: &str) -> Option<String> {
    let ending = format!("/{}/Chart.yaml", join("", chart));
    let beside = rendered.sources.files.keys().filter(|file| file.starts_with("../"));
    let mut folders = beside.filter_map(|file| file.strip_suffix(&ending));
    folders.next().map(str::to_string)
}
