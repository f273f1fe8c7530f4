//! Experiments under the exposure meter, for people.

use partywall_core::event::{
    Distribution, EdgeExposure, Event, Experiment, ExposedState, Moment, MomentKind,
};

use crate::console::ConsoleOptions;
use crate::text::quantity;

/// Every experiment as a table, then the numbers: a comment for a pull request.
pub fn markdown(events: &[Event]) -> String {
    let mut blocks: Vec<String> = experiments(events).map(block_markdown).collect();
    let measured: Vec<&Distribution> = distributions(events).collect();
    if !measured.is_empty() {
        let mut lines = vec![
            "| measured | under | n | p50 | p99 | max |".to_string(),
            "|---|---|---|---|---|---|".to_string(),
        ];
        lines.extend(measured.into_iter().map(|one| {
            format!(
                "| {} | {} | {} | {} | {} | {} |",
                cell(&one.name),
                cell(&one.under),
                one.count,
                quantity(one.p50, &one.unit),
                quantity(one.p99, &one.unit),
                quantity(one.max, &one.unit)
            )
        }));
        blocks.push(lines.join("\n"));
    }
    blocks.join("\n\n")
}

fn block_markdown(experiment: &Experiment) -> String {
    let mut lines = vec![
        format!("### {}", cell(&experiment.name)),
        String::new(),
        cell(&experiment.summary),
        String::new(),
        "| edge | contract | against it | unknown | seen |".to_string(),
        "|---|---|---|---|---|".to_string(),
    ];
    lines.extend(experiment.edges.iter().map(|edge| {
        format!(
            "| {} to {} | {} | {} ms | {} ms | {} |",
            cell(&edge.from),
            cell(&edge.to),
            if edge.forbidden { "denied" } else { "allowed" },
            edge.against_us / 1000,
            times_in(edge, ExposedState::Unknown).sum::<u64>() / 1000,
            edge.statement()
        )
    }));
    if let Some(finding) = &experiment.finding {
        let place = finding.location.as_ref().map(|place| format!(" `{place}`"));
        lines.push(String::new());
        lines.push(format!(
            "**{}**{}: {}. {}",
            cell(&finding.name),
            place.unwrap_or_default(),
            cell(&finding.message),
            cell(&finding.summary)
        ));
    }
    lines.join("\n")
}

/// Text that cannot end a cell of a table or become markup.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|").replace('<', "&lt;")
}

fn experiments(events: &[Event]) -> impl Iterator<Item = &Experiment> {
    events.iter().filter_map(|event| match event {
        Event::ExperimentFinished(experiment) => Some(experiment),
        _ => None,
    })
}

fn distributions(events: &[Event]) -> impl Iterator<Item = &Distribution> {
    events.iter().filter_map(|event| match event {
        Event::Measured(measured) => Some(measured),
        _ => None,
    })
}

/// Every experiment as a block, then the numbers.
pub fn text(events: &[Event], _options: &ConsoleOptions) -> String {
    let mut blocks: Vec<String> = experiments(events).map(block).collect();
    let numbers = numbers(events);
    if !numbers.is_empty() {
        blocks.push(numbers);
    }
    blocks.join("\n\n")
}

fn block(experiment: &Experiment) -> String {
    let mut lines = vec![format!("{}  {}", experiment.name, experiment.summary)];
    let commit = experiment.commit.as_deref().map(|commit| commit.chars().take(10).collect());
    let commit: String = commit.unwrap_or_else(|| "no commit".to_string());
    lines.push(format!(
        "  {commit} · {} · {} probes a second and edge: times are good to {} ms",
        experiment.network_plugin,
        experiment.rate_per_second,
        1000 / experiment.rate_per_second.max(1)
    ));
    lines.extend(experiment.moments.iter().map(moment));
    lines.extend(experiment.edges.iter().map(edge));
    if let Some(finding) = &experiment.finding {
        let place = finding.location.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        lines.push(format!("  {place}{}: {}", finding.name, finding.message));
        lines.push(format!("    {}", finding.summary));
    }
    lines.join("\n")
}

fn moment(moment: &Moment) -> String {
    let kind = match moment.kind {
        MomentKind::Hand => "hand",
        MomentKind::Git => "git",
        MomentKind::Flux => "flux",
        MomentKind::Policy => "policy",
        MomentKind::Workload => "workload",
        MomentKind::DataPlane => "packets",
    };
    format!("  {:>9} ms  {kind:<9} {}", moment.at_us / 1000, moment.what)
}

fn edge(edge: &EdgeExposure) -> String {
    let contract = if edge.forbidden { "denied " } else { "allowed" };
    format!(
        "  {contract}  against {:>6} ms, unknown {:>6} ms, at most {:>5} ms at a time  {} to {}: {}",
        edge.against_us / 1000,
        times_in(edge, ExposedState::Unknown).sum::<u64>() / 1000,
        times_in(edge, ExposedState::Unknown).max().unwrap_or(0) / 1000,
        edge.from,
        edge.to,
        edge.statement()
    )
}

fn times_in(edge: &EdgeExposure, state: ExposedState) -> impl Iterator<Item = u64> {
    let own = edge.intervals.iter().filter(move |interval| interval.state == state);
    own.map(|interval| interval.to_us - interval.from_us)
}

fn numbers(events: &[Event]) -> String {
    let lines = distributions(events).map(|one| {
        let milliseconds = |us: u64| us / 1000;
        format!(
            "{:<64} n {:>3}  p50 {:>6} ms  p99 {:>6} ms  max {:>6} ms  {}",
            one.name,
            one.count,
            milliseconds(one.p50),
            milliseconds(one.p99),
            milliseconds(one.max),
            one.under
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[path = "exposure_tests.rs"]
mod tests;
