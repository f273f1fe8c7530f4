//! The schedule.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use super::book::Samples;
use super::fresh;
use super::steady::Steady;
use crate::exchange;
use crate::protocol::{Outcome, PaceRequest, PaceTarget, Sample};
use crate::resolve::Resolver;

/// Probes under way at most, over all targets of a pace.
const IN_FLIGHT_MAX: usize = 4096;

/// Runs a pace until its time is up or `ending` says so, and tells how many probes were put.
/// Every sample goes to `samples`; every so often `chunk` is called, and once at the end.
pub async fn run(
    resolver: Arc<Resolver>,
    request: PaceRequest,
    ending: watch::Receiver<bool>,
    samples: Arc<Samples>,
    mut chunk: impl FnMut(&Samples),
) -> u64 {
    let begun = Instant::now();
    let mut targets = JoinSet::new();
    let turns = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    for (index, target) in request.targets.iter().enumerate() {
        let lane = Lane {
            resolver: Arc::clone(&resolver),
            samples: Arc::clone(&samples),
            turns: Arc::clone(&turns),
            index: u32::try_from(index).unwrap_or(u32::MAX),
            target: target.clone(),
            timeout: Duration::from_millis(request.timeout_ms),
            period: Duration::from_secs(1) / request.per_second.max(1),
            begun,
            ends: begun + Duration::from_millis(request.lasts_ms),
        };
        targets.spawn(lane.run(ending.clone()));
    }
    let mut telling = interval(Duration::from_millis(request.chunk_ms.max(1)));
    telling.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut probes = 0;
    loop {
        tokio::select! {
            lane = targets.join_next() => match lane {
                Some(put) => probes += put.unwrap_or(0),
                None => break,
            },
            _ = telling.tick() => chunk(&samples),
        }
    }
    chunk(&samples);
    probes
}

/// One target's share.
struct Lane {
    resolver: Arc<Resolver>,
    samples: Arc<Samples>,
    turns: Arc<Semaphore>,
    index: u32,
    target: PaceTarget,
    timeout: Duration,
    period: Duration,
    begun: Instant,
    ends: Instant,
}

impl Lane {
    async fn run(self, mut ending: watch::Receiver<bool>) -> u64 {
        let mut ticks = interval_at(self.begun, self.period);
        // What is late stays out: a burst afterwards would tell of one moment many times.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut steady = self.target.steady.then(|| Steady::new(&self.target, self.timeout));
        let mut probes = JoinSet::new();
        let mut put = 0;
        loop {
            tokio::select! {
                biased;
                _ = ending.wait_for(|ended| *ended) => break,
                due = ticks.tick() => {
                    if due >= self.ends {
                        break;
                    }
                    let number = self.number(due);
                    match &mut steady {
                        Some(steady) => steady.put(number, &mut probes),
                        None => self.put(number, &mut probes),
                    }
                    put += 1;
                }
                Some(ended) = probes.join_next(), if !probes.is_empty() => self.note(ended.ok()),
            }
        }
        while let Some(ended) = probes.join_next().await {
            self.note(ended.ok());
        }
        put
    }

    /// The place of a tick in the schedule.
    fn number(&self, due: Instant) -> u64 {
        let since = due.saturating_duration_since(self.begun).as_nanos();
        let period = self.period.as_nanos().max(1);
        u64::try_from((since + period / 2) / period).unwrap_or(u64::MAX)
    }

    fn put(&self, number: u64, probes: &mut JoinSet<Ended>) {
        let at_us = exchange::now_us();
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else {
            let outcome = Outcome::ProbeError;
            self.note(Some(Ended { number, at_us, elapsed_us: 0, outcome }));
            return;
        };
        let resolver = Arc::clone(&self.resolver);
        let request = fresh::request(&self.target, number, self.timeout);
        probes.spawn(async move {
            let _turn = turn;
            fresh::probe(&resolver, &request, number).await
        });
    }

    fn note(&self, ended: Option<Ended>) {
        // A probe that went down with a panic leaves a hole in the numbers.
        if let Some(Ended { number, at_us, elapsed_us, outcome }) = ended {
            let target = self.index;
            self.samples.add(Sample { target, number, at_us, elapsed_us, outcome });
        }
    }
}

/// How one probe ended.
pub(super) struct Ended {
    pub number: u64,
    pub at_us: u64,
    pub elapsed_us: u64,
    pub outcome: Outcome,
}
