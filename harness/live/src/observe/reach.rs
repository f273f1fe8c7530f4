//! Reach probes: asked by the agents inside the pods, many at once, over one stream a pod;
//! then the servers are asked for their receipts.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use kube::Client;
use partywall_agent::protocol::{Ask, Outcome, ReachReply, ReachRequest, Reply, Speak};
use partywall_core::index::Index;
use partywall_core::inventory::{Inventory, PodName};
use partywall_core::observation::{Observation, ReachObservation, ReceiptState};
use partywall_core::probe::{ReachProbe, Target};

use super::streams::{Answers, Streams};
use crate::audit::audited;
use crate::random::nonce;

/// How long an answer that is expected may take. Two lost first packets fit into it: TCP
/// repeats them after one and after three seconds.
const ANSWER_LIMIT: Duration = Duration::from_millis(4000);
/// Bounds of the time that a deny is waited for, derived from the measured answers.
const DENY_LIMITS: (Duration, Duration) = (Duration::from_millis(400), Duration::from_millis(2000));
/// A deny is waited for this many times as long as the slowest hundredth of answers took.
const DENY_FACTOR: u32 = 10;
/// Probes that an agent has under way at the same time, at least.
const IN_FLIGHT: usize = 512;
/// What each probe may cost a busy machine, all processes that it passes through taken together.
const BUSY: Duration = Duration::from_millis(1);
/// Nonces in one question for receipts: the answer must fit a line of the protocol.
const NONCES_AT_ONCE: usize = 4_000;
/// What streams may add to the probes' own time.
const STREAM_SLACK: Duration = Duration::from_secs(20);

/// A probe on its way.
struct Flight<'a> {
    index: usize,
    probe: &'a ReachProbe,
    nonce: String,
    reply: Result<ReachReply, String>,
}

/// Put these probes and read the receipts; answers carry the probes' places in the batch.
pub(super) async fn observe(
    client: &Client,
    streams: &Streams,
    inventory: &Inventory,
    probes: &[(usize, &ReachProbe)],
    answered: &BTreeSet<usize>,
) -> Vec<(usize, Observation)> {
    let (first, second): (Vec<_>, Vec<_>) =
        probes.iter().copied().partition(|(index, _)| answered.contains(index));
    let mut flights = put(streams, &first, ANSWER_LIMIT).await;
    let deny_limit = deny_limit(&flights);
    flights.extend(put(streams, &second, deny_limit).await);
    let pods = Index::of(inventory);
    let (receipts, audit) =
        futures::join!(read_receipts(streams, &flights), read_audit(client, &flights));
    let results = flights.into_iter().map(|flight| {
        let receipt = match flight.probe.target.speak {
            Speak::Https => audit_state(&flight, &audit),
            _ => receipt_state(&flight, &receipts, &pods, inventory),
        };
        (flight.index, observation(flight.reply, receipt))
    });
    results.collect()
}

/// The time that a deny is waited for: a multiple of what the slowest hundredth of the
/// expected answers took.
fn deny_limit(flights: &[Flight<'_>]) -> Duration {
    let replies = flights.iter().filter_map(|flight| flight.reply.as_ref().ok());
    let reached = replies.filter(|reply| reply.outcome == Outcome::Reached);
    let mut elapsed: Vec<u64> = reached.map(|reply| reply.elapsed_us).collect();
    elapsed.sort_unstable();
    let Some(slow) = elapsed.get(elapsed.len().saturating_sub(1) * 99 / 100) else {
        return DENY_LIMITS.1;
    };
    (Duration::from_micros(*slow) * DENY_FACTOR).clamp(DENY_LIMITS.0, DENY_LIMITS.1)
}

async fn put<'a>(
    streams: &Streams,
    probes: &[(usize, &'a ReachProbe)],
    limit: Duration,
) -> Vec<Flight<'a>> {
    let mut by_client: BTreeMap<PodName, Vec<(usize, &'a ReachProbe, String)>> = BTreeMap::new();
    for (index, probe) in probes {
        let Ok(nonce) = nonce() else { continue };
        by_client.entry(probe.from.clone()).or_default().push((*index, probe, nonce));
    }
    let questions = by_client
        .iter()
        .map(|(client, probes)| {
            let asks = probes.iter().map(|(_, probe, nonce)| ask(probe, nonce, limit)).collect();
            (client.clone(), asks)
        })
        .collect();
    let most = by_client.values().map(Vec::len).max().unwrap_or_default();
    let mut answers = streams.ask_all(questions, patience(limit, most, probes.len())).await;
    let mut flights = Vec::with_capacity(probes.len());
    for (client, probes) in by_client {
        let replies = answers.remove(&client).unwrap_or_default();
        let replies = replies.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        for ((index, probe, nonce), reply) in probes.into_iter().zip(replies) {
            let reply = match reply {
                Some(Ok(Reply::Reach(reply))) => Ok(reply),
                Some(Ok(_)) => Err("the agent answered another question".to_string()),
                Some(Err(detail)) => Err(detail),
                None => Err("the agent left the question open".to_string()),
            };
            flights.push(Flight { index, probe, nonce, reply });
        }
    }
    flights
}

/// How long all answers may take: an agent has so many probes under way and waits for each of them
/// in turn, and all of them together keep the machine busy. It bounds a run that hangs; what a
/// deny is waited for is another matter.
fn patience(limit: Duration, of_one_client: usize, of_all: usize) -> Duration {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let turns = count(of_one_client.div_ceil(IN_FLIGHT).max(1));
    let busy = BUSY.saturating_mul(count(of_all));
    limit.saturating_mul(turns).saturating_add(STREAM_SLACK).saturating_add(busy)
}

fn ask(probe: &ReachProbe, nonce: &str, limit: Duration) -> Ask {
    Ask::Reach(ReachRequest {
        target: asked_at(&probe.target),
        port: probe.target.port.number,
        transport: probe.target.port.transport,
        speak: probe.target.speak,
        nonce: nonce.to_string(),
        timeout_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
    })
}

/// A door's name is asked as it is, with the dot at its end: the search list of a pod is a matter
/// of the names that it may use, and at many tenants it would be nine questions for one.
fn asked_at(target: &Target) -> String {
    let is_address = target.address.parse::<IpAddr>().is_ok();
    match target.by.is_door() && !is_address {
        true => format!("{}.", target.address),
        false => target.address.clone(),
    }
}

/// What each server has received, or why it could not be asked.
type Ledger = BTreeMap<PodName, Result<Book, String>>;

/// What one server has received.
#[derive(Debug, Default)]
struct Book {
    nonces: HashSet<String>,
    /// Peers of accepted connections that sent no nonce.
    nameless: HashSet<String>,
}

async fn read_receipts(streams: &Streams, flights: &[Flight<'_>]) -> Ledger {
    let mut nonces: BTreeMap<PodName, Vec<String>> = BTreeMap::new();
    for flight in flights {
        for server in &flight.probe.target.servers {
            nonces.entry(server.clone()).or_default().push(flight.nonce.clone());
        }
    }
    let in_parts = |nonces: Vec<String>| {
        let parts = nonces.chunks(NONCES_AT_ONCE);
        parts.map(|part| Ask::Receipts { nonces: part.to_vec() }).collect()
    };
    let questions = nonces.into_iter().map(|(pod, nonces)| (pod, in_parts(nonces))).collect();
    let answers = streams.ask_all(questions, STREAM_SLACK).await;
    answers.into_iter().map(|(pod, answers)| (pod, receipts_of(answers))).collect()
}

/// One part that is missing is the whole that is missing: absence could not be told.
fn receipts_of(answers: Answers) -> Result<Book, String> {
    if answers.is_empty() {
        return Err("the agent left the question open".to_string());
    }
    let mut book = Book::default();
    for answer in answers {
        let Reply::Receipts(receipts) = answer? else {
            return Err("the agent answered another question".to_string());
        };
        for receipt in receipts {
            match receipt.nonce {
                Some(nonce) => book.nonces.insert(nonce),
                None => book.nameless.insert(receipt.peer),
            };
        }
    }
    Ok(book)
}

/// The API server's receipt is its audit log.
async fn read_audit(client: &Client, flights: &[Flight<'_>]) -> Result<BTreeSet<String>, String> {
    let https = flights.iter().filter(|flight| flight.probe.target.speak == Speak::Https);
    let nonces: BTreeSet<String> = https.map(|flight| flight.nonce.clone()).collect();
    if nonces.is_empty() {
        return Ok(nonces);
    }
    audited(client, &nonces).await.map_err(|error| error.to_string())
}

fn audit_state(flight: &Flight<'_>, audit: &Result<BTreeSet<String>, String>) -> ReceiptState {
    match audit {
        Ok(seen) if seen.contains(&flight.nonce) => ReceiptState::Present,
        Ok(_) => ReceiptState::Absent,
        Err(detail) => ReceiptState::Unknown { detail: format!("the audit log: {detail}") },
    }
}

fn receipt_state(
    flight: &Flight<'_>,
    ledger: &Ledger,
    pods: &Index<'_>,
    inventory: &Inventory,
) -> ReceiptState {
    let servers = &flight.probe.target.servers;
    if servers.is_empty() {
        return ReceiptState::NoServer;
    }
    let own_end = own_end(flight, pods, inventory);
    let mut unknown = None;
    let mut accepted = false;
    for server in servers {
        match ledger.get(server) {
            Some(Ok(book)) if book.nonces.contains(&flight.nonce) => return ReceiptState::Present,
            Some(Ok(book)) => {
                accepted |= own_end.as_ref().is_some_and(|end| book.nameless.contains(end));
            }
            Some(Err(detail)) => unknown = Some(format!("{server}: {detail}")),
            None => unknown = Some(format!("{server} was not asked")),
        }
    }
    match unknown {
        _ if accepted => ReceiptState::Accepted,
        Some(detail) => ReceiptState::Unknown { detail },
        None => ReceiptState::Absent,
    }
}

/// The client's address and the very port that the probe used, as a server saw them: that is how
/// an accepted connection without a nonce is told to be this probe's.
///
/// Behind a node's port or a claimed address a server sees a node's address, and no accept can be
/// told. None can hide there either: a server accepts once the client's kernel has ended the
/// handshake, and an agent says dropped only after its kernel said that it had not.
fn own_end(flight: &Flight<'_>, pods: &Index<'_>, inventory: &Inventory) -> Option<String> {
    let port = flight.reply.as_ref().ok().and_then(|reply| reply.local_port)?;
    let from = &flight.probe.from;
    if flight.probe.target.address.contains(':') {
        return Some(format!("[{}]:{port}", inventory.ipv6.get(from)?));
    }
    Some(format!("{}:{port}", pods.pod(from)?.address))
}

fn observation(reply: Result<ReachReply, String>, receipt: ReceiptState) -> Observation {
    match reply {
        Ok(reply) => Observation::Reach(ReachObservation {
            outcome: reply.outcome,
            echoed: reply.echoed,
            receipt,
            elapsed_us: reply.elapsed_us,
            detail: reply.detail,
        }),
        // The client's answer is lost, but a server that has the nonce proves a leak.
        Err(detail) if receipt == ReceiptState::Present => Observation::Reach(ReachObservation {
            outcome: Outcome::ProbeError,
            echoed: false,
            receipt,
            elapsed_us: 0,
            detail,
        }),
        Err(detail) => Observation::Failed { detail },
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
