//! One client's probes: an exec stream that is opened again where it breaks.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use partywall_agent::protocol::{Ask, Message, PaceRequest, PaceTarget, Reply};
use partywall_core::exposure::Edge;
use partywall_core::inventory::PodName;
use tokio::sync::watch;

use super::record::Record;
use crate::agent_stream::{AgentPod, AgentStream, Lost};
use crate::random::nonce;

const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// A client that is not there yet, or not there any more, is asked again this often.
const RETRY: Duration = Duration::from_millis(200);
/// A pace ends by itself where its harness was killed.
const LASTS: Duration = Duration::from_secs(600);
const CHUNK_MS: u64 = 250;

/// How fast, and how long each probe is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    pub per_second: u32,
    pub timeout: Duration,
}

/// One client and the edges from it, with their places in the record.
pub(super) struct Pacer {
    pub client: Client,
    pub record: Arc<Record>,
    pub from: PodName,
    pub edges: Vec<(usize, Edge)>,
    pub rhythm: Rhythm,
}

impl Pacer {
    /// Probes until it is told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            // Whatever the stream did not tell is missing from the record, which says enough.
            let _ended = self.pace(&mut stop).await;
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    async fn pace(&self, stop: &mut watch::Receiver<bool>) -> Result<(), Lost> {
        let pod = AgentPod::new(self.from.namespace.clone(), self.from.name.clone());
        let lost = |detail: String| Lost::Ended { pod: pod.clone(), detail };
        let opening = AgentStream::open(&self.client, &pod, OPEN_LIMIT);
        let mut stream = tokio::select! {
            opened = opening => opened.map_err(|error| lost(error.to_string()))?,
            () = stopped(stop) => return Ok(()),
        };
        let mut targets = Vec::new();
        for (place, edge) in &self.edges {
            let prefix = pace_prefix().map_err(lost)?;
            self.record.begin(*place, &prefix);
            targets.push(target(edge, prefix));
        }
        let prefixes: Vec<String> = targets.iter().map(|target| target.prefix.clone()).collect();
        let id = stream.say(Ask::Pace(self.request(targets))).await?;
        let mut is_stopping = false;
        loop {
            tokio::select! {
                message = stream.hear() => match message? {
                    Message::Samples { samples, .. } => self.sort(&prefixes, &samples),
                    Message::Reply { id: of, reply: Reply::Paced { .. } } if of == id => {
                        return Ok(());
                    }
                    Message::Reply { reply: Reply::Failed { detail }, .. } => {
                        return Err(lost(detail));
                    }
                    Message::Reply { .. } | Message::Hello { .. } => {}
                    Message::Done { .. } => return Err(lost("it was done early".to_string())),
                },
                () = stopped(stop), if !is_stopping => {
                    is_stopping = true;
                    stream.say(Ask::PaceEnd).await?;
                }
            }
        }
    }

    fn request(&self, targets: Vec<PaceTarget>) -> PaceRequest {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        PaceRequest {
            targets,
            per_second: self.rhythm.per_second,
            lasts_ms: milliseconds(LASTS),
            timeout_ms: milliseconds(self.rhythm.timeout),
            chunk_ms: CHUNK_MS,
        }
    }

    fn sort(&self, prefixes: &[String], samples: &[partywall_agent::protocol::Sample]) {
        for (index, prefix) in prefixes.iter().enumerate() {
            let own = samples.iter().filter(|sample| sample.target as usize == index).copied();
            self.record.sampled(prefix, own);
        }
    }
}

/// A prefix that no other pace has.
pub fn pace_prefix() -> Result<String, String> {
    let random = nonce().map_err(|error| error.to_string())?;
    Ok(format!("p{}", random.chars().take(16).collect::<String>()))
}

fn target(edge: &Edge, prefix: String) -> PaceTarget {
    PaceTarget {
        target: edge.address.clone(),
        port: edge.port.number,
        transport: edge.port.transport,
        prefix,
        steady: edge.steady,
    }
}

/// Waits for the end. What `wait_for` gives back is not held: it cannot cross an await.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stopped| *stopped).await);
}
