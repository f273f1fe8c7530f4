//! A look into every organisation, until each shows its fences or the wait is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use partywall_agent::protocol::Signal;
use partywall_core::probe::Over;
use tokio::sync::Mutex;

use super::deliver::{Marker, Session};
use super::fence::Channel;
use super::store::Store;
use crate::wait::{Poll, Wait, until};

/// How long fences may take from the collector to the stores.
const FENCE_WAIT: Wait = Wait::seconds(20).every(Duration::from_millis(250));

/// How long and how often organisations are looked into while markers are sent.
const FIRST_WAIT: Wait = Wait::seconds(60).every(Duration::from_millis(50));

/// As much of a body as the agent keeps.
const BODY_LENGTH_MAX: usize = 256 * 1024;

/// What every organisation shows.
#[derive(Default)]
pub(super) struct Sights {
    /// The store's answer, per signal and organisation.
    pub(super) bodies: BTreeMap<(Signal, String), String>,
    /// When a marker was first seen in its own organisation.
    first: BTreeMap<String, Instant>,
}

impl Sights {
    /// Whether an organisation shows a fence. An answer that was cut shows none: what is missing
    /// in it need not be missing in the store.
    pub(super) fn shows(&self, signal: Signal, org: &str, fence: &str) -> bool {
        let body = self.bodies.get(&(signal, org.to_string()));
        body.is_some_and(|body| body.len() < BODY_LENGTH_MAX && body.contains(fence))
    }

    /// Whether an organisation shows every fence of a tenant's way there, of which there is one.
    pub(super) fn is_fenced(
        &self,
        channels: &[Channel<'_>],
        way: (Option<Over>, &str),
        signal: Signal,
        org: &str,
    ) -> bool {
        let mut fences = channels.iter().filter(|one| one.fences(way, org)).peekable();
        fences.peek().is_some() && fences.all(|one| self.shows(signal, org, &one.fence))
    }

    /// How long a marker took from its collector's answer until it was seen, at most.
    pub(super) fn visible_us(&self, marker: &Marker<'_>) -> Option<u64> {
        let first = self.first.get(&marker.name)?;
        u64::try_from(first.saturating_duration_since(marker.sent).as_micros()).ok()
    }

    /// Whether a fence that was written is nowhere yet. One that is in another organisation than
    /// its own has arrived, and will not come to its own.
    fn is_awaited(&self, channel: &Channel<'_>, signal: Signal, by_receiver: bool) -> bool {
        let shows = |org: &str| self.shows(signal, org, &channel.fence);
        let is_everywhere = channel.orgs.iter().all(|org| shows(org));
        let mut orgs = self.bodies.keys().filter(|(of, _)| *of == signal);
        let is_elsewhere = by_receiver && orgs.any(|(_, org)| shows(org));
        channel.is_written && !is_everywhere && !is_elsewhere
    }
}

/// When each marker was first seen in its own organisation.
pub(super) type Firsts = Mutex<BTreeMap<String, Instant>>;

/// Look into the organisations of these markers while more markers and the fences are still being
/// sent: otherwise the time until one is seen would be that until the last fence was written. Ends
/// when all are seen.
pub(super) async fn watch(
    session: &Session<'_>,
    awaited: &[(Signal, &str, String)],
    firsts: &Firsts,
) {
    let outcome = until("every marker seen in its organisation", FIRST_WAIT, || async {
        let mut firsts = firsts.lock().await;
        let missing: Vec<_> =
            awaited.iter().filter(|(_, _, name)| !firsts.contains_key(name)).collect();
        let places: BTreeSet<(Signal, &str)> =
            missing.iter().map(|(signal, org, _)| (*signal, *org)).collect();
        for (signal, org) in places {
            let store = match Store::new(session.streams, session.reader, session.telemetry, signal)
            {
                Ok(store) => store,
                Err(detail) => return Poll::Failed(Malformed(detail)),
            };
            let Ok(reply) = store.query(Some(org), &session.prefix).await else { continue };
            let now = Instant::now();
            let here = missing.iter().filter(|(of, at, _)| (*of, *at) == (signal, org));
            for (_, _, name) in here.filter(|(_, _, name)| shows(&reply.body, name)) {
                firsts.insert(name.clone(), now);
            }
        }
        match firsts.len() == awaited.len() {
            true => Poll::Ready(()),
            false => Poll::not_yet(format!("{} of {}", firsts.len(), awaited.len())),
        }
    });
    // Who is not seen meanwhile is looked for with the fences.
    drop(outcome.await);
}

/// Whether a store's answer shows a marker. The closing quote keeps marker_1 from being found in
/// marker_12.
pub(super) fn shows(body: &str, marker: &str) -> bool {
    body.contains(&format!("{marker}\""))
}

/// Look until every fence that was written is seen, and once more: absence counts in what was
/// asked for after that.
pub(super) async fn look(
    session: &Session<'_>,
    signals: &BTreeSet<Signal>,
    channels: &[Channel<'_>],
    markers: &[Marker<'_>],
    first: BTreeMap<String, Instant>,
) -> (Sights, Option<String>) {
    let by_receiver = channels.iter().any(|channel| channel.pod.is_some());
    let sights = Mutex::new(Sights { first, ..Sights::default() });
    let outcome = until("every organisation showing its fence", FENCE_WAIT, || async {
        let mut seen = sights.lock().await;
        if let Err(detail) = read(session, signals, markers, &mut seen).await {
            return Poll::Failed(Malformed(detail));
        }
        let awaited = signals.iter().flat_map(|signal| {
            let awaited = channels.iter().filter(|one| seen.is_awaited(one, *signal, by_receiver));
            awaited.map(move |one| format!("{signal:?} in {}", one.destination()).to_lowercase())
        });
        let awaited: BTreeSet<String> = awaited.collect();
        if awaited.is_empty() {
            return Poll::Ready(());
        }
        let names: Vec<String> = awaited.into_iter().collect();
        Poll::not_yet(format!("no fence for {}", names.join(", ")))
    });
    let problem = outcome.await.err().map(|error| error.to_string());
    let mut seen = sights.into_inner();
    let again = read(session, signals, markers, &mut seen).await.err();
    (seen, problem.or(again))
}

/// Ask every store for every organisation once.
async fn read(
    session: &Session<'_>,
    signals: &BTreeSet<Signal>,
    markers: &[Marker<'_>],
    seen: &mut Sights,
) -> Result<(), String> {
    for signal in signals {
        let store = Store::new(session.streams, session.reader, session.telemetry, *signal)?;
        for org in session.orgs_and_fallbacks() {
            let body = match store.query(Some(org), &session.prefix).await {
                Ok(reply) if reply.status == Some(200) => reply.body,
                Ok(reply) => format!("status {:?} {}", reply.status, reply.detail),
                Err(detail) => detail,
            };
            let now = Instant::now();
            let own = markers
                .iter()
                .filter(|marker| marker.probe.signal == *signal && marker.probe.tenant.org == org);
            for marker in own.filter(|marker| marker.is_in(&body)) {
                seen.first.entry(marker.name.clone()).or_insert(now);
            }
            seen.bodies.insert((*signal, org.to_string()), body);
        }
    }
    Ok(())
}

/// A place of the contract that is none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Malformed(String);
