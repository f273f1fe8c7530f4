//! How long the matrix takes and what it needs, for tenants by the thousand.

use std::time::Instant;

use partywall_offline::netpol::{Policies, Synthetic, synthetic};
use rstest::rstest;

/// Four workloads call each other, and each calls three shared services, the collector and DNS.
const PAIRS_PER_TENANT: u64 = 4 * 3 + 4 * 5;
/// Shared services among themselves, the collector and its stores among themselves, and from all
/// of these to DNS.
const PAIRS_OF_THE_PLATFORM: u64 = 3 * 2 + 3 * 2 + 6;

fn evaluate(tenants: usize) -> Policies {
    let Synthetic { namespaces, pods, policies } = synthetic(tenants);
    Policies::new(namespaces, pods, policies)
}

#[rstest]
#[case(1)]
#[case(30)]
fn every_allowed_connection_is_listed(#[case] tenants: usize) {
    let policies = evaluate(tenants);
    assert_eq!(policies.refused(), []);
    let matrix = policies.matrix();
    let tenants = u64::try_from(tenants).unwrap();
    assert_eq!(matrix.pair_count(), PAIRS_OF_THE_PLATFORM + tenants * PAIRS_PER_TENANT);
}

#[test]
fn lists_what_targets_declare() {
    let policies = evaluate(1);
    let name = |place: usize| {
        let pod = policies.pod(place).unwrap();
        format!("{}/{}", pod.namespace, pod.name)
    };
    let mut lines = Vec::new();
    for connection in policies.matrix().declared(&policies) {
        for (from, to) in connection.pairs() {
            if name(from) == "tenant-0/postgres" {
                lines.push(format!("{} {}", name(to), connection.ports));
            }
        }
    }
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @"
    kube-system/kube-dns 53/TCP, 53/UDP
    observability/alloy 4317-4318/TCP
    shared-services/crawl4ai 11235/TCP
    shared-services/gateway 8000/TCP
    shared-services/searxng 8080/TCP
    tenant-0/open-webui 8080/TCP
    tenant-0/reranker 8000/TCP
    tenant-0/weaviate 8080/TCP, 50051/TCP
    ");
}

/// `cargo test --release -p partywall-offline --test netpol -- --ignored --nocapture matrix`
#[test]
#[ignore = "a measurement"]
fn matrix() {
    for tenants in [10, 100, 300, 1000, 10000] {
        let made = synthetic(tenants);
        let start = Instant::now();
        let policies = Policies::new(made.namespaces, made.pods, &made.policies);
        let loaded = start.elapsed();
        let matrix = policies.matrix();
        let joined = start.elapsed();
        let lines: usize = matrix
            .declared(&policies)
            .map(|connection| {
                connection.pairs().map(std::hint::black_box).fold(0, |count, _| count + 1)
            })
            .sum();
        println!(
            "matrix, {tenants} tenants: {:?} (policies {loaded:?}, matrix {:?}, listing {:?}), \
             {} pairs, {lines} with declared ports, {} groups, {}",
            start.elapsed(),
            joined - loaded,
            start.elapsed() - joined,
            matrix.pair_count(),
            matrix.connections().len(),
            peak_memory(),
        );
    }
}

/// The most this process had so far.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    line.to_string()
}
