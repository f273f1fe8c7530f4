//! The budgets of the offline backend: no cluster, our caches empty.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use futures::executor::block_on;
use partywall_core::event::Event;
use partywall_offline::cluster::Surroundings;
use partywall_offline::netpol::{Policies, synthetic};
use partywall_runner::{RunOutcome, judge_files};

use super::bench::{line, must_hold};
use crate::failure::Failure;
use crate::offline::{BACKEND, open_at, rendering};
use crate::project::{reference, scenarios, selected_trials};

/// Tenants of four workloads each. What the field's best static analyser needs for a layout of
/// this shape, where it was measured, stands beside.
const SIZES: [(usize, &str); 5] = [
    (10, "peer: 0.07 s at 3 tenants"),
    (100, "peer: 2.9 s"),
    (300, "peer: 41 s"),
    (1_000, "2 s"),
    (10_000, "no bar"),
];

/// Print a line for each.
pub fn files() -> Result<(), Failure> {
    check()?;
    for (tenants, bar) in SIZES {
        matrix(tenants, bar);
    }
    Ok(())
}

/// The reference layout, with a cache that is empty; the programs run once before.
fn check() -> Result<(), Failure> {
    judged()?;
    let started = Instant::now();
    let outcome = judged()?;
    let took = started.elapsed().as_secs_f64();
    must_hold("the check", outcome.exit)?;
    let cells = outcome.events.iter().filter(|event| matches!(event, Event::CellJudged(_))).count();
    line("check on the reference layout", &format!("{took:.2} s, {cells} cells"), "1 s");
    Ok(())
}

fn judged() -> Result<RunOutcome, Failure> {
    let scratch = tempfile::tempdir()?;
    let mut rendering = rendering(None, true)?;
    rendering.cache = Some(scratch.path().to_path_buf());
    let opened = open_at(&reference(), None, None, &rendering)?;
    let contract = &opened.files.project.contract;
    let trials = selected_trials(BACKEND, &scenarios(None)?, contract, None)?;
    let around = Surroundings::assumed(contract, &opened.judgeable.rendered);
    let judged =
        judge_files(&opened.files, &opened.judgeable, &trials, &opened.keys, &around, "{trial}");
    Ok(block_on(judged)?)
}

/// From policies as JSON to every allowed connection, pod by pod, with its ports.
fn matrix(tenants: usize, bar: &str) {
    let made = synthetic(tenants);
    let (pods, policies) = (made.pods.len(), made.policies.len());
    let before = resident();
    reset_peak();
    let started = Instant::now();
    let evaluated = Policies::new(made.namespaces, made.pods, &made.policies);
    let all = evaluated.matrix();
    let mut connections = 0_u64;
    for group in all.declared(&evaluated) {
        for pair in group.pairs() {
            black_box((pair, &group.ports));
            connections += 1;
        }
    }
    let took = started.elapsed().as_secs_f64();
    let memory = peak().saturating_sub(before);
    let measured = format!(
        "{took:.3} s, {connections} connections of {pods} pods under {policies} policies, {memory} \
         MiB"
    );
    line(&format!("matrix, {tenants} tenants"), &measured, bar);
}

fn status(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10
}

/// Memory that this process holds, in MiB.
fn resident() -> u64 {
    status("VmRSS")
}

/// The most that it held since the last reset.
fn peak() -> u64 {
    status("VmHWM")
}

/// Begin a new peak, see `man 5 proc_pid_clear_refs`. Where it is not allowed, the peak is that
/// of the sizes before, which are smaller.
fn reset_peak() {
    let _reset = fs::write("/proc/self/clear_refs", "5");
}
