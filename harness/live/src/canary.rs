//! The enforcement canary: a deny-all policy must bite on every node before any deny is
//! believed. It has namespaces of its own, so that no judged pod is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use partywall_agent::protocol::{Ask, Outcome, ReachRequest, Reply, Speak, Transport};
use serde::{Deserialize, Serialize};

use crate::agent_stream::{AgentPod, AgentStream, Lost, StreamError};
use crate::apply::{ApplyError, api_of, apply};
use crate::random::{RandomError, nonce};
use crate::wait::{Poll, Wait, WaitError, until};

const SERVERS: &str = "partywall-canary-server";
const CLIENTS: &str = "partywall-canary-client";
const PORT: u16 = 8000;
/// On a pod network of one machine an answer takes a millisecond.
const PROBE: Duration = Duration::from_millis(300);
const STREAM: Duration = Duration::from_secs(10);
/// A policy that does not bite within this does not bite.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the canary showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CanaryReport {
    /// The nodes on which it bit.
    pub nodes: Vec<String>,
    /// Client and server pairs, each by TCP and UDP.
    pub pairs: usize,
    /// Seconds from the ingress policy to the first round in which nothing came through.
    pub ingress_seconds: f64,
    /// The same for the egress policy.
    pub egress_seconds: f64,
    /// Whether the kernel under the nodes speaks SCTP, as a canary's server found out.
    #[serde(default)]
    pub speaks_sctp: bool,
}

/// A canary that gives no leave to believe denials.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// Denied traffic came through.
    #[error(
        "the enforcement canary did not bite: with a deny-all {side} policy, {open} after {:.0} s \
         (hint: this cluster's network plugin does not enforce NetworkPolicy; \
         no denial seen here would mean anything)",
        waited.as_secs_f64()
    )]
    DidNotBite {
        /// `ingress` or `egress`.
        side: &'static str,
        /// What still came through, and on which nodes.
        open: String,
        /// How long was waited.
        waited: Duration,
    },
    /// Without any policy the client does not reach the server.
    #[error("the enforcement canary has no positive control: {0}")]
    NoControl(WaitError<std::convert::Infallible>),
    /// The canary's pods do not come up.
    #[error("the enforcement canary is not running: {0}")]
    NotRunning(WaitError<std::convert::Infallible>),
    /// An agent cannot be talked to.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// An agent's answer is missing.
    #[error("the enforcement canary lost an answer: {0}")]
    Lost(#[from] Lost),
    /// The API server refused something.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// No nonces.
    #[error(transparent)]
    Random(#[from] RandomError),
}

struct End {
    node: String,
    address: String,
    stream: AgentStream,
}

/// Run the canary whose pods `up` has made.
pub async fn canary(client: &Client, limit: Duration) -> Result<CanaryReport, CanaryError> {
    lift(client).await?;
    let (clients, servers) = ends(client, limit).await?;
    let mut rig = Rig { clients, servers };
    let nodes = rig.servers.iter().map(|end| end.node.clone()).collect();
    let pairs = rig.clients.len() * rig.servers.len();
    rig.control(limit).await?;
    let ingress = rig.bites(client, SERVERS, "ingress").await?;
    rig.control(limit).await?;
    let egress = rig.bites(client, CLIENTS, "egress").await?;
    let speaks_sctp = rig.speaks_sctp().await?;
    Ok(CanaryReport { nodes, pairs, ingress_seconds: ingress, egress_seconds: egress, speaks_sctp })
}

/// Remove policies that an interrupted canary left.
async fn lift(client: &Client) -> Result<(), CanaryError> {
    for (namespace, side) in [(SERVERS, "ingress"), (CLIENTS, "egress")] {
        lift_one(client, namespace, side).await?;
    }
    Ok(())
}

async fn lift_one(client: &Client, namespace: &str, side: &str) -> Result<(), CanaryError> {
    let policy = policy(namespace, side);
    let gone = api_of(client, &policy)?.delete(&policy.name_any(), &DeleteParams::default()).await;
    match gone {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(source) => {
            let object = crate::apply::describe(&policy);
            Err(ApplyError::Refused { object, source: Box::new(source) }.into())
        }
    }
}

fn policy(namespace: &str, side: &str) -> DynamicObject {
    let direction = if side == "ingress" { "Ingress" } else { "Egress" };
    let types = kube::core::TypeMeta {
        api_version: "networking.k8s.io/v1".to_string(),
        kind: "NetworkPolicy".to_string(),
    };
    let metadata = kube::core::ObjectMeta {
        name: Some(format!("deny-all-{side}")),
        namespace: Some(namespace.to_string()),
        ..Default::default()
    };
    let spec = serde_json::json!({"podSelector": {}, "policyTypes": [direction]});
    DynamicObject { types: Some(types), metadata, data: serde_json::json!({"spec": spec}) }
}

/// One client and one server on every node, with open streams.
async fn ends(client: &Client, limit: Duration) -> Result<(Vec<End>, Vec<End>), CanaryError> {
    let wait = Wait::at_most(limit);
    let look = || async {
        match running(client).await {
            Ok(found) => Poll::Ready(found),
            Err(status) => Poll::not_yet(status),
        }
    };
    let condition = "one canary client and server running on every node";
    let (clients, servers) = until(condition, wait, look).await.map_err(CanaryError::NotRunning)?;
    let open = |pods: Vec<Place>| async move {
        let opening = pods.into_iter().map(|place| async move {
            let stream = AgentStream::open(client, &place.pod, STREAM).await?;
            Ok::<_, StreamError>(End { node: place.node, address: place.address, stream })
        });
        futures::future::try_join_all(opening).await
    };
    Ok(futures::try_join!(open(clients), open(servers))?)
}

struct Place {
    node: String,
    address: String,
    pod: AgentPod,
}

async fn running(client: &Client) -> Result<(Vec<Place>, Vec<Place>), String> {
    let all = ListParams::default();
    let nodes = Api::<Node>::all(client.clone()).list(&all).await.map_err(|e| e.to_string())?;
    let nodes: BTreeSet<String> = nodes.iter().map(ResourceExt::name_any).collect();
    let mut found = Vec::new();
    for namespace in [CLIENTS, SERVERS] {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let pods = pods.list(&all).await.map_err(|error| error.to_string())?;
        let places: Vec<Place> = pods.iter().filter_map(place_of).collect();
        let covered: BTreeSet<String> = places.iter().map(|place| place.node.clone()).collect();
        if covered != nodes {
            let missing: Vec<&str> = nodes.difference(&covered).map(String::as_str).collect();
            return Err(format!("none ready in {namespace} on {}", missing.join(", ")));
        }
        found.push(places);
    }
    match (found.pop(), found.pop()) {
        (Some(servers), Some(clients)) if !nodes.is_empty() => Ok((clients, servers)),
        _ => Err("the cluster has no nodes".to_string()),
    }
}

fn place_of(pod: &Pod) -> Option<Place> {
    let status = pod.status.as_ref()?;
    let statuses = status.container_statuses.as_ref()?;
    if pod.metadata.deletion_timestamp.is_some() || !statuses.iter().all(|status| status.ready) {
        return None;
    }
    Some(Place {
        node: pod.spec.as_ref()?.node_name.clone()?,
        address: status.pod_ip.clone()?,
        pod: AgentPod::new(pod.namespace()?, pod.name_any()),
    })
}

struct Rig {
    clients: Vec<End>,
    servers: Vec<End>,
}

/// What one probe from a client to a server was.
struct Shot {
    from: String,
    to: String,
    transport: Transport,
    came_through: bool,
    arrived: bool,
}

impl Rig {
    async fn speaks_sctp(&mut self) -> Result<bool, CanaryError> {
        match self.servers.first_mut() {
            Some(server) => server.listens_on_sctp().await,
            None => Ok(false),
        }
    }

    /// Every client reaches every server, by TCP and UDP.
    async fn control(&mut self, limit: Duration) -> Result<(), CanaryError> {
        let started = Instant::now();
        loop {
            let shots = self.round().await?;
            let closed = shots.iter().filter(|shot| !(shot.came_through && shot.arrived));
            let closed = list(closed);
            if closed.is_empty() {
                return Ok(());
            }
            if started.elapsed() > limit {
                let last = crate::wait::NotYet { status: format!("not reached: {closed}") };
                let condition = "every canary client reaching every server".to_string();
                let waited = started.elapsed();
                return Err(CanaryError::NoControl(WaitError::TimedOut {
                    condition,
                    waited,
                    last,
                }));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Put a deny-all policy over one side and wait until nothing comes through any more.
    async fn bites(
        &mut self,
        client: &Client,
        namespace: &str,
        side: &'static str,
    ) -> Result<f64, CanaryError> {
        apply(client, &policy(namespace, side)).await?;
        let bit = closed(self, side, PATIENCE).await;
        lift_one(client, namespace, side).await?;
        bit
    }
}

/// What can be shot at again and again.
trait Volleys {
    /// Every pair of a client and a server once, by every transport.
    fn round(&mut self) -> impl Future<Output = Result<Vec<Shot>, CanaryError>> + Send;
}

/// Wait until nothing comes through between any two nodes, and give back the seconds. A policy is
/// realised on each node by itself, so that one node which does not enforce keeps its pairs open.
async fn closed(
    volleys: &mut impl Volleys,
    side: &'static str,
    patience: Duration,
) -> Result<f64, CanaryError> {
    let started = Instant::now();
    loop {
        let shots = volleys.round().await?;
        let open = list(shots.iter().filter(|shot| shot.came_through || shot.arrived));
        let waited = started.elapsed();
        // No shot at all is no silence.
        if open.is_empty() && !shots.is_empty() {
            return Ok(waited.as_secs_f64());
        }
        if waited > patience {
            let open = format!("these came through: {open}");
            return Err(CanaryError::DidNotBite { side, open, waited });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Volleys for Rig {
    /// Each client tries each server once by each transport; the servers then say what came.
    async fn round(&mut self) -> Result<Vec<Shot>, CanaryError> {
        let mut shots = BTreeMap::new();
        let targets: Vec<(String, String)> =
            self.servers.iter().map(|end| (end.node.clone(), end.address.clone())).collect();
        let rounds = self.clients.iter_mut().map(|end| end.shoot(&targets));
        for (nonce, shot) in futures::future::try_join_all(rounds).await?.into_iter().flatten() {
            shots.insert(nonce, shot);
        }
        let nonces: Vec<String> = shots.keys().cloned().collect();
        let receipts = self.servers.iter_mut().map(|end| end.receipts(nonces.clone()));
        for nonce in futures::future::try_join_all(receipts).await?.into_iter().flatten() {
            if let Some(shot) = shots.get_mut(&nonce) {
                shot.arrived = true;
            }
        }
        Ok(shots.into_values().collect())
    }
}

impl End {
    async fn shoot(
        &mut self,
        targets: &[(String, String)],
    ) -> Result<Vec<(String, Shot)>, CanaryError> {
        let mut asks = Vec::new();
        let mut shots = Vec::new();
        for (node, address) in targets {
            for transport in [Transport::Tcp, Transport::Udp] {
                let nonce = nonce()?;
                asks.push(Ask::Reach(ReachRequest {
                    target: address.clone(),
                    port: PORT,
                    transport,
                    speak: Speak::Nonce,
                    nonce: nonce.clone(),
                    timeout_ms: u64::try_from(PROBE.as_millis()).unwrap_or(u64::MAX),
                }));
                let (from, to) = (self.node.clone(), node.clone());
                let shot = Shot { from, to, transport, came_through: false, arrived: false };
                shots.push((nonce, shot));
            }
        }
        let answers = self.stream.ask(asks, STREAM).await;
        for ((_nonce, shot), answer) in shots.iter_mut().zip(answers) {
            match answer? {
                Reply::Reach(reach) if reach.outcome != Outcome::ProbeError => {
                    shot.came_through = reach.outcome == Outcome::Reached;
                }
                other => return Err(self.odd(&other).into()),
            }
        }
        Ok(shots)
    }

    async fn receipts(&mut self, nonces: Vec<String>) -> Result<Vec<String>, CanaryError> {
        let mut answers = self.stream.ask(vec![Ask::Receipts { nonces }], STREAM).await;
        match answers.pop() {
            Some(Ok(Reply::Receipts(receipts))) => {
                Ok(receipts.into_iter().filter_map(|receipt| receipt.nonce).collect())
            }
            Some(Ok(other)) => Err(self.odd(&other).into()),
            Some(Err(lost)) => Err(lost.into()),
            None => Ok(Vec::new()),
        }
    }

    async fn listens_on_sctp(&mut self) -> Result<bool, CanaryError> {
        let mut answers = self.stream.ask(vec![Ask::Listening], STREAM).await;
        match answers.pop() {
            Some(Ok(Reply::Listening(ports))) => {
                Ok(ports.iter().any(|port| port.transport == Transport::Sctp))
            }
            Some(Ok(other)) => Err(self.odd(&other).into()),
            Some(Err(lost)) => Err(lost.into()),
            None => Ok(false),
        }
    }

    fn odd(&self, reply: &Reply) -> Lost {
        Lost::Ended { pod: self.stream.pod().clone(), detail: format!("it answered {reply:?}") }
    }
}

fn list<'a>(shots: impl Iterator<Item = &'a Shot>) -> String {
    let names = shots.map(|shot| {
        let transport = if shot.transport == Transport::Tcp { "TCP" } else { "UDP" };
        format!("{transport} {} to {}", shot.from, shot.to)
    });
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
