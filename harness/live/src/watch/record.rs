//! What the probes told so far, from both ends.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use partywall_agent::protocol::{Outcome, Sample, Tallied};
use partywall_core::event::ExposedState;
use partywall_core::exposure::{Edge, EdgeRecord, Told};
use partywall_core::inventory::PodName;

use super::clock::now_us;

/// How much later than its client gave it up a probe may come and still be of that moment.
const LATE_US: u64 = 50_000;

/// What is under way for longer may have been sent again: TCP does so after a second.
const AGAIN_US: u64 = 500_000;

/// Everything that was told.
#[derive(Debug)]
pub struct Record {
    begun_us: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lanes: Vec<Lane>,
    /// Until when each server has told what reached it.
    known_us: HashMap<PodName, u64>,
}

#[derive(Debug)]
struct Lane {
    edge: Edge,
    /// One for each time that its client began.
    paces: Vec<Pace>,
}

#[derive(Debug)]
struct Pace {
    prefix: String,
    samples: Vec<Sample>,
    arrivals: HashMap<u64, u64>,
}

impl Default for Record {
    fn default() -> Self {
        Self { begun_us: now_us(), state: Mutex::default() }
    }
}

impl Record {
    /// When it began, in microseconds since the Unix epoch.
    pub const fn begun_us(&self) -> u64 {
        self.begun_us
    }

    /// Now, in microseconds since it began.
    pub fn now_us(&self) -> u64 {
        now_us().saturating_sub(self.begun_us)
    }

    /// One more edge; its place is told.
    pub fn add(&self, edge: Edge) -> usize {
        let mut state = self.state();
        state.lanes.push(Lane { edge, paces: Vec::new() });
        state.lanes.len() - 1
    }

    /// The edge at a place begins to be probed under this prefix.
    pub fn begin(&self, place: usize, prefix: &str) {
        if let Some(lane) = self.state().lanes.get_mut(place) {
            let prefix = prefix.to_string();
            lane.paces.push(Pace { prefix, samples: Vec::new(), arrivals: HashMap::new() });
        }
    }

    /// Samples of the prefix.
    pub fn sampled(&self, prefix: &str, samples: impl IntoIterator<Item = Sample>) {
        if let Some(pace) = self.state().pace(prefix) {
            pace.samples.extend(samples);
        }
    }

    /// What a server had received when it was asked at `asked_us`.
    pub fn tallied(&self, server: &PodName, asked_us: u64, told: Vec<Tallied>) {
        let mut state = self.state();
        let is_whole = told.iter().all(|tallied| tallied.lost == 0);
        for tallied in told {
            if let Some(pace) = state.pace(&tallied.prefix) {
                pace.arrivals.extend(tallied.arrivals);
            }
        }
        if is_whole {
            state.known_us.insert(server.clone(), asked_us);
        }
    }

    /// Prefixes under which this server is probed.
    pub fn prefixes_to(&self, server: &PodName) -> Vec<String> {
        let state = self.state();
        let lanes = state.lanes.iter().filter(|lane| lane.edge.server == *server);
        lanes.flat_map(|lane| &lane.paces).map(|pace| pace.prefix.clone()).collect()
    }

    /// What every edge told.
    pub fn edges(&self) -> Vec<EdgeRecord> {
        let state = self.state();
        state.lanes.iter().map(|lane| self.edge_record(&state, lane)).collect()
    }

    /// The last states of every edge, as far as its client knows them, newest first: enough to
    /// wait for a turn, and too little to judge one.
    pub fn latest(&self, count: usize) -> Vec<(Edge, Vec<bool>)> {
        let state = self.state();
        let lanes = state.lanes.iter().map(|lane| {
            let pace = lane.paces.last();
            let samples = pace.map(|pace| pace.samples.as_slice()).unwrap_or_default();
            let mut newest: Vec<&Sample> = samples.iter().rev().take(count * 4).collect();
            newest.sort_by_key(|sample| std::cmp::Reverse(sample.at_us));
            let states = newest.iter().take(count).map(|one| one.outcome == Outcome::Reached);
            (lane.edge.clone(), states.collect())
        });
        lanes.collect()
    }

    /// When the last probe that was told was put, of every edge that told of any.
    pub fn last_put_us(&self) -> Vec<(String, u64)> {
        let state = self.state();
        let lanes = state.lanes.iter().filter_map(|lane| {
            let samples = &lane.paces.last()?.samples;
            let last = samples.iter().map(|sample| sample.at_us).max()?;
            let name = format!("{} to {}", lane.edge.from_label, lane.edge.to_label);
            Some((name, last.saturating_sub(self.begun_us)))
        });
        lanes.collect()
    }

    fn edge_record(&self, state: &State, lane: &Lane) -> EdgeRecord {
        let known_us = state.known_us.get(&lane.edge.server).copied().unwrap_or(0);
        let mut probes = Vec::new();
        for pace in &lane.paces {
            probes.extend(pace.samples.iter().map(|sample| {
                let arrived = pace.arrivals.get(&sample.number).copied();
                let state = fate(sample, arrived, known_us, lane.edge.steady);
                let at_us = came_through_at(sample, arrived, state);
                Told { at_us: at_us.saturating_sub(self.begun_us), state }
            }));
        }
        EdgeRecord { edge: lane.edge.clone(), probes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pace(&mut self, prefix: &str) -> Option<&mut Pace> {
        let paces = self.lanes.iter_mut().flat_map(|lane| &mut lane.paces);
        paces.into_iter().find(|pace| pace.prefix == prefix)
    }
}

/// What became of a probe, from both ends. That it did not arrive is known only once the server
/// has been asked after the probe had ended.
fn fate(sample: &Sample, arrived: Option<u64>, known_us: u64, steady: bool) -> ExposedState {
    let ended_us = sample.at_us + sample.elapsed_us;
    // A connection keeps what it cannot deliver, and delivers it when the wall is gone.
    let in_time = arrived.is_some_and(|at_us| !steady || at_us <= ended_us + LATE_US);
    match sample.outcome {
        Outcome::Reached => ExposedState::Open,
        _ if in_time => ExposedState::Open,
        Outcome::Refused | Outcome::Dropped if known_us > ended_us => ExposedState::Closed,
        _ => ExposedState::Unknown,
    }
}

/// The moment of which a probe tells: of its putting, but where it arrived much later of its
/// arrival. What came through then may have been sent twice.
fn came_through_at(sample: &Sample, arrived: Option<u64>, state: ExposedState) -> u64 {
    match arrived {
        Some(arrived) if state == ExposedState::Open && arrived > sample.at_us + AGAIN_US => {
            arrived
        }
        _ => sample.at_us,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NEVER: Option<u64> = None;

    #[rstest]
    #[case(Outcome::Reached, NEVER, 0, false, ExposedState::Open)]
    #[case(Outcome::Dropped, NEVER, 2000, false, ExposedState::Closed)]
    #[case(Outcome::Refused, NEVER, 2000, false, ExposedState::Closed)]
    // The server was not asked since.
    #[case(Outcome::Dropped, NEVER, 1100, false, ExposedState::Unknown)]
    #[case(Outcome::Dropped, NEVER, 0, false, ExposedState::Unknown)]
    // The request arrived and its answer did not.
    #[case(Outcome::Dropped, Some(1001), 2000, false, ExposedState::Open)]
    #[case(Outcome::ProbeError, Some(1001), 2000, false, ExposedState::Open)]
    #[case(Outcome::Dropped, Some(900_000), 2000, false, ExposedState::Open)]
    // A steady connection delivered it when the wall was gone.
    #[case(Outcome::Dropped, Some(900_000), 2000, true, ExposedState::Closed)]
    #[case(Outcome::Dropped, Some(1050), 2000, true, ExposedState::Open)]
    // It was never put.
    #[case(Outcome::ProbeError, NEVER, 2000, false, ExposedState::Unknown)]
    #[case(Outcome::Unresolved, NEVER, 2000, false, ExposedState::Unknown)]
    fn a_probe_is_closed_only_where_both_ends_say_so(
        #[case] outcome: Outcome,
        #[case] arrived: Option<u64>,
        #[case] known_us: u64,
        #[case] steady: bool,
        #[case] expected: ExposedState,
    ) {
        let sample = Sample { target: 0, number: 0, at_us: 1000, elapsed_us: 100, outcome };
        assert_eq!(fate(&sample, arrived, known_us, steady), expected);
    }
    #[test]
    fn a_probe_that_was_sent_again_tells_of_its_arrival() {
        let sample =
            |outcome| Sample { target: 0, number: 0, at_us: 1000, elapsed_us: 100, outcome };
        let told = |outcome, arrived, state| came_through_at(&sample(outcome), arrived, state);
        let open = ExposedState::Open;
        assert_eq!(told(Outcome::Reached, Some(1_001_500), open), 1_001_500);
        assert_eq!(told(Outcome::Reached, Some(2000), open), 1000);
        assert_eq!(told(Outcome::Dropped, Some(1_001_500), ExposedState::Closed), 1000);
    }
}
