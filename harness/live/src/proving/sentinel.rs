//! A pair of pods on every node whose own policy is put up or taken away after the policies of
//! a round: when it flips, the network plugin has realised what came before it.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1 as core_v1;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};
use partywall_agent::protocol::{Ask, Outcome, ReachRequest, Reply, Speak, Transport};
use partywall_core::inventory::PodName;
use serde_json::json;

use super::error::ProvingError;
use super::ground::{PORTS, SENTINEL_NAMESPACE, namespace, pod};
use crate::apply::{api_of, apply, apply_all};
use crate::observe::harness_pods::{container, object, running};
use crate::observe::streams::Streams;
use crate::random::nonce;
use crate::wait::{Poll, Wait, until};

const POLICY: &str = "sentinel";
const FLIPS: Wait = Wait::seconds(60).every(Duration::from_millis(50));
const PROBE: Duration = Duration::from_millis(400);
const STREAM: Duration = Duration::from_secs(10);

/// The pods, and whether their policy stands.
pub(super) struct Sentinel {
    caller: PodName,
    /// The addresses of the servers, by their names.
    servers: BTreeMap<String, String>,
    closed: bool,
}

impl Sentinel {
    /// One server on every node, and one caller for all.
    pub(super) async fn make(client: &Client, image: &str) -> Result<Self, ProvingError> {
        let nodes: Api<core_v1::Node> = Api::all(client.clone());
        let nodes = nodes.list(&ListParams::default()).await?;
        apply_all(client, &[namespace(SENTINEL_NAMESPACE, json!({}))]).await?;
        let agent = || container(image, &PORTS[..1]);
        let mut pods = vec![pod(SENTINEL_NAMESPACE, "caller", json!({}), agent(), None)];
        for (number, node) in nodes.iter().enumerate() {
            let (name, node) = (format!("server-{number}"), node.name_any());
            let role = json!({"role": "server"});
            pods.push(pod(SENTINEL_NAMESPACE, &name, role, agent(), Some(&node)));
        }
        apply_all(client, &pods).await?;
        let mut servers = BTreeMap::new();
        let standing: Api<core_v1::Pod> = Api::namespaced(client.clone(), SENTINEL_NAMESPACE);
        for pod in &pods {
            let name = pod.name_any();
            running(client, SENTINEL_NAMESPACE, &name).await?;
            let address = standing.get(&name).await?.status.and_then(|status| status.pod_ip);
            servers.insert(name, address.unwrap_or_default());
        }
        servers.remove("caller");
        let caller = PodName::new(SENTINEL_NAMESPACE, "caller");
        Ok(Self { caller, servers, closed: false })
    }

    /// Put the policy up, or take it away, and wait until every node shows it.
    pub(super) async fn flip(
        &mut self,
        client: &Client,
        streams: &Streams,
    ) -> Result<(), ProvingError> {
        let policy = object(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": POLICY, "namespace": SENTINEL_NAMESPACE},
            "spec": {
                "podSelector": {"matchLabels": {"role": "server"}}, "policyTypes": ["Ingress"],
            },
        }));
        if self.closed {
            api_of(client, &policy)?.delete(POLICY, &DeleteParams::default()).await?;
        } else {
            apply(client, &policy).await?;
        }
        self.closed = !self.closed;
        let word = if self.closed { "closed" } else { "open" };
        let flipped = until(format!("every sentinel being {word}"), FLIPS, || async {
            match self.others(streams).await {
                Ok(others) if others.is_empty() => Poll::Ready(()),
                Ok(others) => Poll::not_yet(format!("not {word}: {}", others.join(", "))),
                Err(error) => Poll::not_yet(error),
            }
        });
        Ok(flipped.await?)
    }

    /// The servers that are not as the policy says.
    async fn others(&self, streams: &Streams) -> Result<Vec<String>, String> {
        let asks = self.servers.values().map(|address| {
            Ok(Ask::Reach(ReachRequest {
                target: address.clone(),
                port: PORTS[0],
                transport: Transport::Tcp,
                speak: Speak::Nonce,
                nonce: nonce().map_err(|error| error.to_string())?,
                timeout_ms: u64::try_from(PROBE.as_millis()).unwrap_or(u64::MAX),
            }))
        });
        let asks: Vec<Ask> = asks.collect::<Result<_, String>>()?;
        let mut answers = streams.ask_all([(self.caller.clone(), asks)].into(), STREAM).await;
        let answers = answers.remove(&self.caller).unwrap_or_default();
        let mut others = Vec::new();
        for (name, answer) in self.servers.keys().zip(answers) {
            let Reply::Reach(reply) = answer? else {
                return Err(format!("{name}: the agent answered another question"));
            };
            if reply.outcome == Outcome::ProbeError {
                return Err(format!("{name}: {}", reply.detail));
            }
            if (reply.outcome == Outcome::Reached) == self.closed {
                others.push(name.clone());
            }
        }
        Ok(others)
    }
}
