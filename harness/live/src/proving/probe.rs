//! Putting squares to the agents, then reading the receipts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partywall_agent::protocol::{Ask, Outcome, ReachReply, ReachRequest, Reply, Speak, Transport};
use partywall_core::inventory::PodName;
use partywall_offline::netpol::{Address, PodFacts, Protocol};

use super::error::ProvingError;
use super::evidence::{Ground, Seen, Square};
use crate::observe::streams::Streams;
use crate::random::nonce;

/// What streams may add to the probes' own time.
const STREAM_SLACK: Duration = Duration::from_secs(30);

/// A question on its way.
struct Shot {
    square: Square,
    nonce: String,
    limit: Duration,
}

/// What became of a question, and the port it went out from.
pub(super) struct Answered {
    pub(super) seen: Seen,
    pub(super) local_port: Option<u16>,
}

/// What the servers have received, or why they could not be asked.
type Receipts = BTreeMap<PodName, Result<BTreeSet<String>, String>>;

/// Put these squares, each with its time limit.
pub(super) async fn probe(
    streams: &Streams,
    ground: &Ground,
    squares: &[(Square, Duration)],
) -> Result<BTreeMap<Square, Answered>, ProvingError> {
    let mut shots: BTreeMap<usize, Vec<Shot>> = BTreeMap::new();
    for (square, limit) in squares {
        let shot = Shot { square: *square, nonce: nonce()?, limit: *limit };
        shots.entry(square.from).or_default().push(shot);
    }
    let questions = shots
        .iter()
        .map(|(from, shots)| {
            (name(ground, *from), shots.iter().map(|shot| ask(ground, shot)).collect())
        })
        .collect();
    let longest = squares.iter().map(|(_, limit)| *limit).max().unwrap_or_default();
    let mut answers = streams.ask_all(questions, longest + STREAM_SLACK).await;
    let receipts = receipts(streams, ground, shots.values().flatten()).await;
    let mut seen = BTreeMap::new();
    for (from, shots) in shots {
        let answers = answers.remove(&name(ground, from)).unwrap_or_default();
        let lost = std::iter::repeat_with(|| Err("the agent left the question open".to_string()));
        for (shot, answer) in shots.into_iter().zip(answers.into_iter().chain(lost)) {
            let reply = match answer {
                Ok(Reply::Reach(reply)) => Ok(reply),
                Ok(_) => Err("the agent answered another question".to_string()),
                Err(detail) => Err(detail),
            };
            let received = receipts.get(&name(ground, shot.square.to));
            let local_port = reply.as_ref().ok().and_then(|reply| reply.local_port);
            let judged = judge(reply, received, &shot.nonce);
            seen.insert(shot.square, Answered { seen: judged, local_port });
        }
    }
    Ok(seen)
}

fn judge(
    reply: Result<ReachReply, String>,
    received: Option<&Result<BTreeSet<String>, String>>,
    nonce: &str,
) -> Seen {
    let reply = match reply {
        Ok(reply) => reply,
        Err(detail) => return Seen::Unanswered(detail),
    };
    let arrived = match received {
        Some(Ok(nonces)) => nonces.contains(nonce),
        Some(Err(detail)) => return Seen::Unanswered(format!("receipts: {detail}")),
        None => return Seen::Unanswered("the receipts were not read".to_string()),
    };
    match (reply.outcome, arrived) {
        (Outcome::Reached, true) => Seen::Reached,
        (Outcome::Reached, false) => {
            let by = reply.answered_by.unwrap_or_else(|| "somebody".to_string());
            Seen::Unanswered(format!("{by} answered, and the target has no receipt"))
        }
        (Outcome::Dropped | Outcome::Refused, false) => Seen::Closed,
        (Outcome::Dropped | Outcome::Refused, true) => Seen::Half,
        (Outcome::Unresolved | Outcome::ProbeError, _) => Seen::Unanswered(reply.detail),
    }
}

async fn receipts(
    streams: &Streams,
    ground: &Ground,
    shots: impl Iterator<Item = &Shot>,
) -> Receipts {
    let mut nonces: BTreeMap<PodName, Vec<String>> = BTreeMap::new();
    for shot in shots {
        nonces.entry(name(ground, shot.square.to)).or_default().push(shot.nonce.clone());
    }
    let questions =
        nonces.into_iter().map(|(pod, nonces)| (pod, vec![Ask::Receipts { nonces }])).collect();
    let answers = streams.ask_all(questions, STREAM_SLACK).await;
    let read = answers.into_iter().map(|(pod, mut answers)| {
        let received = match answers.pop() {
            Some(Ok(Reply::Receipts(receipts))) => {
                Ok(receipts.into_iter().filter_map(|receipt| receipt.nonce).collect())
            }
            Some(Ok(_)) => Err("the agent answered another question".to_string()),
            Some(Err(detail)) => Err(detail),
            None => Err("the agent left the question open".to_string()),
        };
        (pod, received)
    });
    read.collect()
}

fn ask(ground: &Ground, shot: &Shot) -> Ask {
    let target = ground.pods.get(shot.square.to).map(address).unwrap_or_default();
    let transport = match shot.square.protocol {
        Protocol::Udp => Transport::Udp,
        Protocol::Tcp => Transport::Tcp,
        Protocol::Sctp => Transport::Sctp,
    };
    Ask::Reach(ReachRequest {
        target,
        port: shot.square.port,
        transport,
        speak: Speak::Nonce,
        nonce: shot.nonce.clone(),
        timeout_ms: u64::try_from(shot.limit.as_millis()).unwrap_or(u64::MAX),
    })
}

fn address(pod: &PodFacts) -> String {
    match &pod.address {
        Address::Known(addresses) => addresses.first().map(ToString::to_string).unwrap_or_default(),
        Address::Private => String::new(),
    }
}

fn name(ground: &Ground, place: usize) -> PodName {
    let pod = ground.pods.get(place);
    pod.map_or_else(|| PodName::new("", ""), |pod| PodName::new(&pod.namespace, &pod.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn reply(outcome: Outcome) -> ReachReply {
        ReachReply {
            outcome,
            address: None,
            local_port: None,
            echoed: false,
            answered_by: None,
            elapsed_us: 0,
            detail: "detail".to_string(),
        }
    }

    #[rstest]
    #[case(Outcome::Reached, &["n"], "reached")]
    #[case(Outcome::Reached, &[], "no answer: somebody answered, and the target has no receipt")]
    #[case(Outcome::Dropped, &["other"], "not reached")]
    #[case(Outcome::Refused, &[], "not reached")]
    #[case(Outcome::Dropped, &["n"], "arrived, but was not answered")]
    #[case(Outcome::ProbeError, &[], "no answer: detail")]
    fn replies_and_receipts(
        #[case] outcome: Outcome,
        #[case] received: &[&str],
        #[case] expected: &str,
    ) {
        let received = Ok(received.iter().map(|nonce| (*nonce).to_string()).collect());
        assert_eq!(judge(Ok(reply(outcome)), Some(&received), "n").to_string(), expected);
    }

    #[test]
    fn a_deny_without_receipts_is_no_answer() {
        let closed = || Ok(reply(Outcome::Dropped));
        for received in [None, Some(&Err("gone".to_string()))] {
            assert!(matches!(judge(closed(), received, "n"), Seen::Unanswered(_)));
        }
        let lost = judge(Err("lost".to_string()), Some(&Ok(BTreeSet::new())), "n");
        assert_eq!(lost, Seen::Unanswered("lost".to_string()));
    }
}
