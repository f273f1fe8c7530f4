//! The meter: pacers and talliers around one record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use partywall_agent::protocol::Sample;
use partywall_core::exposure::{Edge, EdgeRecord};
use partywall_core::inventory::PodName;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::pacer::{Pacer, Rhythm};
use super::record::Record;
use super::tallier::Tallier;
use crate::wait::{Poll, Wait, WaitError, until};

/// What streams may add to the probes' own time when everything ends.
const END_LIMIT: Duration = Duration::from_secs(15);

/// How a meter works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterSettings {
    /// Probes a second and edge.
    pub per_second: u32,
    /// How long each probe is waited for.
    pub timeout: Duration,
}

impl MeterSettings {
    /// The time between two probes of an edge: the resolution of everything it tells.
    pub fn period_us(&self) -> u64 {
        1_000_000 / u64::from(self.per_second.max(1))
    }
}

/// A meter that runs.
pub struct Meter {
    client: Client,
    settings: MeterSettings,
    record: Arc<Record>,
    servers: BTreeSet<PodName>,
    stop_probes: watch::Sender<bool>,
    stop_tallies: watch::Sender<bool>,
    pacers: JoinSet<()>,
    talliers: JoinSet<()>,
}

impl Meter {
    /// Begins to probe these edges.
    pub fn start(client: Client, edges: Vec<Edge>, settings: MeterSettings) -> Self {
        let mut meter = Self {
            client,
            settings,
            record: Arc::default(),
            servers: BTreeSet::new(),
            stop_probes: watch::channel(false).0,
            stop_tallies: watch::channel(false).0,
            pacers: JoinSet::new(),
            talliers: JoinSet::new(),
        };
        meter.add(edges);
        meter
    }

    /// Begins to probe further edges.
    pub fn add(&mut self, edges: Vec<Edge>) {
        let mut by_client: BTreeMap<PodName, Vec<(usize, Edge)>> = BTreeMap::new();
        for edge in edges {
            self.tally(&edge.server);
            let place = self.record.add(edge.clone());
            by_client.entry(edge.from.clone()).or_default().push((place, edge));
        }
        for (from, edges) in by_client {
            let pacer = Pacer {
                client: self.client.clone(),
                record: Arc::clone(&self.record),
                from,
                edges,
                rhythm: Rhythm {
                    per_second: self.settings.per_second,
                    timeout: self.settings.timeout,
                },
            };
            self.pacers.spawn(pacer.run(self.stop_probes.subscribe()));
        }
    }

    /// Begins to ask a server what reaches it.
    pub fn tally(&mut self, server: &PodName) {
        if self.servers.insert(server.clone()) {
            let tallier = Tallier {
                client: self.client.clone(),
                record: Arc::clone(&self.record),
                server: server.clone(),
            };
            self.talliers.spawn(tallier.run(self.stop_tallies.subscribe()));
        }
    }

    /// Notes an edge whose client probes by itself, under this prefix.
    pub fn expect(&mut self, edge: Edge, prefix: &str) {
        self.tally(&edge.server);
        let place = self.record.add(edge);
        self.record.begin(place, prefix);
    }

    /// Takes in the samples of a client that probes by itself: one target for each prefix.
    pub fn heard(&self, prefixes: &[String], samples: &[Sample]) {
        for (index, prefix) in prefixes.iter().enumerate() {
            let own = samples.iter().filter(|sample| sample.target as usize == index).copied();
            self.record.sampled(prefix, own);
        }
    }

    /// Waits until every edge that is probed from here has told of a probe put since this time.
    pub async fn told_since(
        &self,
        since_us: u64,
        limit: Duration,
    ) -> Result<(), WaitError<std::convert::Infallible>> {
        let wait = Wait::at_most(limit).every(Duration::from_millis(50));
        until("a probe of every edge being told", wait, || {
            let late = self.record.last_put_us().into_iter().find(|(_, at)| *at < since_us);
            std::future::ready(match late {
                None => Poll::Ready(()),
                Some((name, _)) => Poll::not_yet(format!("{name} is silent")),
            })
        })
        .await
    }

    /// What was told so far.
    pub fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Waits until the last probes of every edge satisfy a condition; `which` says what an edge
    /// must be (open or closed), or that it does not matter.
    pub async fn wait_for(
        &self,
        condition: &str,
        probes: usize,
        limit: Duration,
        which: impl Fn(&Edge) -> Option<bool>,
    ) -> Result<(), WaitError<std::convert::Infallible>> {
        let wait = Wait::at_most(limit).every(Duration::from_millis(50));
        until(condition, wait, || {
            let latest = self.record.latest(probes);
            let wrong = latest.iter().find(|(edge, states)| {
                which(edge).is_some_and(|open| {
                    states.len() < probes || states.iter().any(|state| *state != open)
                })
            });
            std::future::ready(match wrong {
                None => Poll::Ready(()),
                Some((edge, states)) => Poll::not_yet(status(edge, states)),
            })
        })
        .await
    }

    /// Stops to probe, asks every server a last time, and tells what was seen.
    pub async fn finish(mut self) -> Vec<EdgeRecord> {
        self.stop_probes.send_replace(true);
        let pacers = async { while self.pacers.join_next().await.is_some() {} };
        // What did not end in time has told what it will ever tell.
        let _in_time = tokio::time::timeout(END_LIMIT, pacers).await;
        self.stop_tallies.send_replace(true);
        let talliers = async { while self.talliers.join_next().await.is_some() {} };
        let _in_time = tokio::time::timeout(END_LIMIT, talliers).await;
        self.record.edges()
    }
}

fn status(edge: &Edge, states: &[bool]) -> String {
    let word = match states.first() {
        Some(true) => "open",
        Some(false) => "closed",
        None => "not probed yet",
    };
    format!("{} to {} is {word}", edge.from_label, edge.to_label)
}
