//! Distributions, by their order and not by a mean.

use serde::Serialize;

use crate::scene::Scene;
use crate::text::{clean, quantity, thousands};

#[derive(Serialize)]
pub(super) struct MeasuredRow {
    name: String,
    under: String,
    count: String,
    p50: String,
    p99: String,
    max: String,
}

pub(super) fn measured(scene: &Scene<'_>) -> Vec<MeasuredRow> {
    let all = scene.runs.iter().flat_map(|run| &run.view.measured);
    all.map(|of| MeasuredRow {
        name: clean(&of.name),
        under: clean(&of.under),
        count: thousands(of.count),
        p50: quantity(of.p50, &of.unit),
        p99: quantity(of.p99, &of.unit),
        max: quantity(of.max, &of.unit),
    })
    .collect()
}
