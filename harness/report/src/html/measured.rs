//! Distributions, by their order and not by a mean.

use serde::Serialize;

use crate::scene::Scene;
use crate::text::{clean, counted, milliseconds, thousands};

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
        p50: number(of.p50, &of.unit),
        p99: number(of.p99, &of.unit),
        max: number(of.max, &of.unit),
    })
    .collect()
}

/// `12.3 ms`, `1,204 1/s`, `3 probes`.
fn number(number: u64, unit: &str) -> String {
    match (unit, usize::try_from(number)) {
        ("us", _) => milliseconds(number),
        ("ms", _) => milliseconds(number.saturating_mul(1000)),
        ("probes", Ok(number)) => counted(number, "probe"),
        (_, Ok(number)) => format!("{} {}", thousands(number), clean(unit)),
        (_, Err(_)) => format!("{number} {}", clean(unit)),
    }
}
