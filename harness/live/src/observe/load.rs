//! Telemetry of all tenants at once: every tenant's pod sends its items from the same instant on,
//! then fences go through the same pipelines, and what each organisation shows is counted.
//!
//! Where one tenant alone is asked about, all of them send all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use partywall_agent::protocol::{Ask, LoadReply, LoadRequest, Reply, Signal};
use partywall_core::contract::{Contract, Tenant};
use partywall_core::inventory::{Inventory, PodName};
use partywall_core::load::{LoadObservation, LoadProbe, LoadSight, REQUEST_ITEMS};
use partywall_core::observation::Observation;
use partywall_core::probe::Over;
use tokio::sync::Mutex;

use super::deliver::{self, FALLBACK_ORGS, Sender, Session};
use super::fence::{Channel, channels};
use super::sight::{Sights, look};
use super::store::Store;
use super::streams::Streams;
use crate::wait::{Poll, Wait, until};

/// How long one tenant may send.
const SEND_LIMIT: Duration = Duration::from_secs(20);
/// Until then every agent has read what it is to send.
const START_IN: Duration = Duration::from_millis(400);
/// Connections of one sender, signal and protocol.
const AT_ONCE: u16 = 2;
/// How long after the last answer items may come in: collectors try each batch again for some
/// seconds, one after the other.
const COUNT_WAIT: Wait = Wait::seconds(25).every(Duration::from_millis(250));

/// What one tenant sends of one signal in one way.
struct Lot<'a> {
    tenant: &'a Tenant,
    signal: Signal,
    over: Option<Over>,
    items: u32,
    /// The sender's name in every item; no name is the beginning of another.
    name: String,
    reply: Result<(PodName, LoadReply), String>,
}

/// Items by signal and organisation, then by sender; or why they could not be counted.
type Counts = BTreeMap<(Signal, String), Result<BTreeMap<String, u64>, String>>;

/// Send, fence, and count.
pub(super) async fn observe(
    streams: &Streams,
    contract: &Contract,
    inventory: &Inventory,
    probes: &[(usize, &LoadProbe)],
) -> Vec<(usize, Observation)> {
    if probes.is_empty() {
        return Vec::new();
    }
    match run(streams, contract, inventory, probes).await {
        Ok(seen) => seen,
        Err(detail) => {
            let failed = |(index, _): &(usize, &LoadProbe)| {
                (*index, Observation::Failed { detail: detail.clone() })
            };
            probes.iter().map(failed).collect()
        }
    }
}

async fn run(
    streams: &Streams,
    contract: &Contract,
    inventory: &Inventory,
    probes: &[(usize, &LoadProbe)],
) -> Result<Vec<(usize, Observation)>, String> {
    let session = Session::begin(streams, contract, inventory)?;
    let senders = session.senders(|_| true).await;
    // Apart from the fences' names: whoever looks for those is not shown thousands of items.
    let prefix = deliver::prefix()?;
    let mut lots = lots(contract, probes, &prefix);
    let (begun, begun_us) = send(&session, &senders, &mut lots).await;
    let signals: BTreeSet<Signal> = lots.iter().map(|lot| lot.signal).collect();
    let ways: BTreeSet<Option<Over>> = lots.iter().map(|lot| lot.over).collect();
    let mut channels = channels(contract, &session.prefix, &senders, &ways);
    // Before the fences: where a batch is refused, a fence that joins it is lost with it.
    let visible = arrivals(&session, &prefix, &lots).await;
    let errors = session.send_fences(&signals, &mut channels).await;
    let (sights, problem) = look(&session, &signals, &channels, &[], BTreeMap::new()).await;
    let problems: Vec<String> = errors.into_iter().take(1).chain(problem).collect();
    // What is elsewhere, or missing, is so after the last fence.
    let counts = count(&session, &prefix, &signals, session.orgs_and_fallbacks()).await;
    let together_us = together_us(&lots);
    let facts = Facts { begun, begun_us, together_us, visible, counts, sights, problems };
    let observed = probes.iter().map(|(index, probe)| {
        let lot = lots.iter().find(|lot| lot.is_of(probe));
        let seen = lot.map(|lot| facts.observation(lot, &channels));
        let none = || Observation::Failed { detail: "the contract has no such tenant".to_string() };
        (*index, seen.unwrap_or_else(none))
    });
    Ok(observed.collect())
}

/// Every kind of load that is asked about, for every tenant.
fn lots<'a>(contract: &'a Contract, probes: &[(usize, &LoadProbe)], prefix: &str) -> Vec<Lot<'a>> {
    let kinds: BTreeSet<(Signal, Option<Over>, u32)> =
        probes.iter().map(|(_, probe)| (probe.signal, probe.over, probe.items)).collect();
    let each =
        contract.tenants.iter().flat_map(|tenant| kinds.iter().map(move |kind| (tenant, kind)));
    let lot = |(number, (tenant, (signal, over, items))): (usize, (&'a Tenant, &_))| Lot {
        tenant,
        signal: *signal,
        over: *over,
        items: *items,
        name: format!("{prefix}_{number}x"),
        reply: Err("nothing was sent".to_string()),
    };
    each.enumerate().map(lot).collect()
}

impl Lot<'_> {
    fn is_of(&self, probe: &LoadProbe) -> bool {
        self.tenant.name == probe.tenant.name
            && (self.signal, self.over, self.items) == (probe.signal, probe.over, probe.items)
    }

    fn request(&self, endpoint: &str, starts_at_us: u64) -> LoadRequest {
        let mut emit = deliver::request(self.signal, &self.name);
        emit.endpoint = self.over.map(|over| over.beside(endpoint));
        emit.timeout_ms = u64::try_from(SEND_LIMIT.as_millis()).unwrap_or(u64::MAX);
        LoadRequest {
            emit,
            items: self.items,
            per_request: REQUEST_ITEMS,
            at_once: AT_ONCE,
            starts_at_us,
        }
    }

    fn accepted(&self) -> u64 {
        self.reply.as_ref().map_or(0, |(_, reply)| reply.accepted)
    }
}

/// Have every tenant's pod send, from one instant on; gives back that instant by both clocks.
async fn send(
    session: &Session<'_>,
    senders: &BTreeMap<&str, Sender>,
    lots: &mut [Lot<'_>],
) -> (Instant, u64) {
    let begun = Instant::now() + START_IN;
    let starts_at = SystemTime::now() + START_IN;
    let starts_at = starts_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let starts_at_us = u64::try_from(starts_at.as_micros()).unwrap_or(u64::MAX);
    let mut questions: BTreeMap<PodName, Vec<Ask>> = BTreeMap::new();
    let mut places: Vec<Option<(PodName, usize)>> = Vec::new();
    for lot in &mut *lots {
        places.push(match senders.get(lot.tenant.name.as_str()) {
            Some(Ok((pod, endpoint))) => {
                let asks = questions.entry(pod.clone()).or_default();
                asks.push(Ask::Load(lot.request(endpoint, starts_at_us)));
                Some((pod.clone(), asks.len() - 1))
            }
            Some(Err(detail)) => {
                lot.reply = Err(detail.clone());
                None
            }
            None => None,
        });
    }
    let answers = session.streams.ask_all(questions, SEND_LIMIT * 2).await;
    for (lot, place) in lots.iter_mut().zip(places) {
        let Some((pod, index)) = place else { continue };
        lot.reply = match answers.get(&pod).and_then(|of_pod| of_pod.get(index)) {
            Some(Ok(Reply::Load(reply))) => Ok((pod, reply.clone())),
            Some(Err(detail)) => Err(detail.clone()),
            Some(Ok(_)) | None => Err("the agent answered another question".to_string()),
        };
    }
    (begun, starts_at_us)
}

/// How long all tenants that had anything taken were sending at the same time; nothing at all
/// where that was one, or where it was a small part of what the quickest sent.
fn together_us(lots: &[Lot<'_>]) -> u64 {
    let mut windows: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for lot in lots.iter().filter(|lot| lot.accepted() > 0) {
        let Ok((_, reply)) = &lot.reply else { continue };
        let window = windows.entry(&lot.tenant.name).or_insert((reply.first_us, reply.last_us));
        *window = (window.0.min(reply.first_us), window.1.max(reply.last_us));
    }
    if windows.len() < 2 {
        return 0;
    }
    let from = windows.values().map(|(first, _)| *first).max().unwrap_or_default();
    let until = windows.values().map(|(_, last)| *last).min().unwrap_or_default();
    let together = until.saturating_sub(from);
    let shortest = windows.values().map(|(first, last)| last.saturating_sub(*first)).min();
    if together * 2 < shortest.unwrap_or_default() { 0 } else { together }
}

/// When each lot was first whole in its own organisation. Ends when all are, or when what is
/// missing had its time.
async fn arrivals(
    session: &Session<'_>,
    prefix: &str,
    lots: &[Lot<'_>],
) -> BTreeMap<String, Instant> {
    let whole: Mutex<BTreeMap<String, Instant>> = Mutex::default();
    let awaited: Vec<&Lot<'_>> = lots.iter().filter(|lot| lot.accepted() > 0).collect();
    let outcome = until("every item in its own organisation", COUNT_WAIT, || async {
        let mut whole = whole.lock().await;
        let is_missing =
            |lot: &&&Lot<'_>, whole: &BTreeMap<String, Instant>| !whole.contains_key(&lot.name);
        let missing: Vec<&&Lot<'_>> =
            awaited.iter().filter(|lot| is_missing(lot, &whole)).collect();
        let signals: BTreeSet<Signal> = missing.iter().map(|lot| lot.signal).collect();
        let orgs: BTreeSet<&str> = missing.iter().map(|lot| lot.tenant.org.as_str()).collect();
        let counts = count(session, prefix, &signals, orgs).await;
        let now = Instant::now();
        for lot in missing {
            if found(&counts, lot.signal, &lot.tenant.org, &lot.name) >= lot.accepted() {
                whole.insert(lot.name.clone(), now);
            }
        }
        if whole.len() == awaited.len() {
            return Poll::Ready(());
        }
        Poll::<(), std::convert::Infallible>::not_yet(format!(
            "{} of {} senders are not whole",
            awaited.len() - whole.len(),
            awaited.len()
        ))
    });
    // What did not arrive is counted once more after the fences.
    drop(outcome.await);
    whole.into_inner()
}

/// What organisations show now, each asked once for each signal.
async fn count<'o>(
    session: &Session<'_>,
    prefix: &str,
    signals: &BTreeSet<Signal>,
    orgs: impl IntoIterator<Item = &'o str>,
) -> Counts {
    let mut counts = Counts::new();
    let orgs: Vec<&str> = orgs.into_iter().collect();
    for signal in signals {
        let store = Store::new(session.streams, session.reader, session.telemetry, *signal);
        for org in &orgs {
            let counted = match &store {
                Ok(store) => store.count(org, prefix).await,
                Err(detail) => Err(detail.clone()),
            };
            counts.insert((*signal, (*org).to_string()), counted);
        }
    }
    counts
}

fn found(counts: &Counts, signal: Signal, org: &str, sender: &str) -> u64 {
    let counted = counts.get(&(signal, org.to_string())).and_then(|counted| counted.as_ref().ok());
    counted.and_then(|counted| counted.get(sender).copied()).unwrap_or_default()
}

/// Everything that one run has seen.
struct Facts {
    /// The instant from which everybody was to send, by both clocks.
    begun: Instant,
    begun_us: u64,
    together_us: u64,
    visible: BTreeMap<String, Instant>,
    counts: Counts,
    sights: Sights,
    problems: Vec<String>,
}

impl Facts {
    fn observation(&self, lot: &Lot<'_>, channels: &[Channel<'_>]) -> Observation {
        let (pod, reply) = match &lot.reply {
            Ok(reply) => reply,
            Err(detail) => return Observation::Failed { detail: detail.clone() },
        };
        let way = (lot.over, lot.tenant.name.as_str());
        let mut orgs: BTreeMap<String, LoadSight> = BTreeMap::new();
        let mut words = vec![reply.detail.clone()];
        words.extend(self.problems.iter().cloned());
        for ((signal, org), counted) in self.counts.iter().filter(|((of, _), _)| *of == lot.signal)
        {
            let fence = self.sights.is_fenced(channels, way, *signal, org);
            let found = found(&self.counts, *signal, org, &lot.name);
            if let Err(detail) = counted {
                words.push(format!("org {org} could not be counted: {detail}"));
            }
            // A fallback organisation has no fence of its own; it counts if it leaks, or if nobody
            // knows whether it does.
            if found > 0 || counted.is_err() || !FALLBACK_ORGS.contains(&org.as_str()) {
                // An organisation that was not counted shows nothing, absence least of all.
                orgs.insert(org.clone(), LoadSight { found, fence: fence && counted.is_ok() });
            }
        }
        words.retain(|word| !word.is_empty());
        let visible = self.visible.get(&lot.name);
        let late = Duration::from_micros(reply.first_us.saturating_sub(self.begun_us));
        Observation::Load(LoadObservation {
            sender: pod.to_string(),
            sent: reply.sent,
            accepted: reply.accepted,
            outcome: reply.outcome,
            detail: words.join("; "),
            orgs,
            sending_us: reply.last_us.saturating_sub(reply.first_us),
            together_us: Some(self.together_us),
            visible_us: visible.and_then(|at| {
                u64::try_from(at.saturating_duration_since(self.begun + late).as_micros()).ok()
            }),
        })
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
