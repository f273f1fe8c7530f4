//! Telemetry markers: sent from the tenants' pods with their own environment, then fences into
//! every organisation through the same collector, then a look into every organisation until
//! every fence is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partywall_agent::protocol::{Ask, EmitReply, EmitRequest, Outcome, Reply, Signal};
use partywall_core::contract::{Contract, Tenant};
use partywall_core::inventory::{Inventory, PodName, Role};
use partywall_core::observation::{DeliverObservation, Observation, OrgSight};
use partywall_core::probe::DeliverProbe;

use super::store::Store;
use super::streams::Streams;
use crate::random::nonce;
use crate::wait::{Poll, Wait, until};

const EMIT_LIMIT: Duration = Duration::from_secs(5);
/// How long fences may take from the collector to the stores.
const FENCE_WAIT: Wait = Wait::seconds(20).every(Duration::from_millis(250));
/// Organisations that Loki and Mimir use when tenancy is off or a header is lost.
const FALLBACK_ORGS: [&str; 2] = ["anonymous", "fake"];
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// One marker on its way.
struct Marker<'a> {
    index: usize,
    probe: &'a DeliverProbe,
    name: String,
    sender: Result<PodName, String>,
    /// The fence that was written through the same collector.
    fence: String,
    reply: Result<EmitReply, String>,
}

/// What every organisation shows: its body, per signal.
type Sights = BTreeMap<(Signal, String), String>;

/// Send every marker, fence, and look.
pub(super) async fn observe(
    streams: &Streams,
    contract: &Contract,
    inventory: &Inventory,
    probes: &[(usize, &DeliverProbe)],
) -> Vec<(usize, Observation)> {
    let all_fail = |detail: String| {
        let failed = |(index, _): &(usize, &DeliverProbe)| {
            (*index, Observation::Failed { detail: detail.clone() })
        };
        probes.iter().map(failed).collect()
    };
    if probes.is_empty() {
        return Vec::new();
    }
    let Some(telemetry) = &contract.telemetry else {
        return all_fail("the contract has no `telemetry`".to_string());
    };
    let Some(reader) = reader(inventory, &telemetry.logs) else {
        return all_fail("there is no control client beside the telemetry stores".to_string());
    };
    let Ok(run) = nonce() else { return all_fail("no random marker".to_string()) };
    let prefix = format!("partywall_{}", &run[..12]);
    let session = Session { streams, contract, inventory, reader, prefix };
    let (markers, endpoints) = session.send_markers(probes).await;
    let signals: BTreeSet<Signal> = probes.iter().map(|(_, probe)| probe.signal).collect();
    let fence_errors = session.send_fences(&signals, &endpoints).await;
    let (sights, problem) = session.look(telemetry, &signals, &endpoints).await;
    let observed = markers.into_iter().map(|marker| {
        let index = marker.index;
        (index, session.observation(marker, &sights, &fence_errors, &problem))
    });
    observed.collect()
}

/// The control client of the platform in the stores' namespace.
pub(super) fn reader<'a>(inventory: &'a Inventory, place: &str) -> Option<&'a PodName> {
    let namespace = place.split('/').next()?;
    let mut clients = inventory.with_role(Role::Client);
    clients.find(|pod| pod.name.namespace == namespace).map(|pod| &pod.name)
}

struct Session<'a> {
    streams: &'a Streams,
    contract: &'a Contract,
    inventory: &'a Inventory,
    reader: &'a PodName,
    prefix: String,
}

impl Session<'_> {
    fn orgs(&self) -> BTreeSet<&str> {
        self.contract.tenants.iter().map(|tenant| tenant.org.as_str()).collect()
    }

    async fn send_markers<'p>(
        &self,
        probes: &[(usize, &'p DeliverProbe)],
    ) -> (Vec<Marker<'p>>, Vec<String>) {
        let senders = probes.iter().map(|(_, probe)| self.sender(&probe.tenant));
        let senders = futures::future::join_all(senders).await;
        let mut endpoints: Vec<String> = Vec::new();
        for (_, endpoint) in senders.iter().flatten() {
            if !endpoints.contains(endpoint) {
                endpoints.push(endpoint.clone());
            }
        }
        let sent = probes.iter().zip(senders).map(|((index, probe), sender)| {
            let endpoints = &endpoints;
            async move {
                let name = format!("{}_marker_{index}", self.prefix);
                let endpoint = sender.as_ref().ok().map(|(_, endpoint)| endpoint);
                let place = endpoints.iter().position(|known| Some(known) == endpoint);
                let fence = self.fence(place.unwrap_or(usize::MAX));
                let sender = sender.map(|(pod, _)| pod);
                let reply = match &sender {
                    Ok(pod) => self.emit(pod, probe.signal, &name, None, None).await,
                    Err(detail) => Err(detail.clone()),
                };
                Marker { index: *index, probe, name, sender, fence, reply }
            }
        });
        // Every fence is written after every marker was taken or refused.
        let markers = futures::future::join_all(sent).await;
        (markers, endpoints)
    }

    /// The name of the fence that goes through the collector at this place of the list.
    fn fence(&self, place: usize) -> String {
        format!("{}_fence_{place}_end", self.prefix)
    }

    /// The pod of the tenant that has a telemetry endpoint in its environment.
    async fn sender(&self, tenant: &Tenant) -> Result<(PodName, String), String> {
        let mut last = format!("tenant {} has no pod of ours", tenant.name);
        for pod in self.inventory.workloads(&tenant.namespaces).filter(|pod| pod.agent) {
            let ask = Ask::Environment { names: vec![ENDPOINT.to_string()] };
            match self.streams.ask_one(&pod.name, ask, EMIT_LIMIT).await {
                Ok(Reply::Environment(found)) => match found.get(ENDPOINT) {
                    Some(endpoint) => return Ok((pod.name.clone(), endpoint.clone())),
                    None => last = format!("no pod of {} has {ENDPOINT}", tenant.name),
                },
                Ok(_) => last = "the agent answered another question".to_string(),
                Err(detail) => last = detail,
            }
        }
        Err(last)
    }

    async fn emit(
        &self,
        pod: &PodName,
        signal: Signal,
        marker: &str,
        headers: Option<BTreeMap<String, String>>,
        endpoint: Option<String>,
    ) -> Result<EmitReply, String> {
        let request = EmitRequest {
            signal,
            marker: marker.to_string(),
            headers,
            endpoint,
            timeout_ms: u64::try_from(EMIT_LIMIT.as_millis()).unwrap_or(u64::MAX),
        };
        match self.streams.ask_one(pod, Ask::Emit(request), EMIT_LIMIT * 2).await? {
            Reply::Emit(reply) => Ok(reply),
            _ => Err("the agent answered another question".to_string()),
        }
    }

    /// A fence through every collector into every organisation, from the platform's own client:
    /// a tenant whose telemetry cannot leave must not keep the fences from being written.
    async fn send_fences(&self, signals: &BTreeSet<Signal>, endpoints: &[String]) -> Vec<String> {
        if endpoints.is_empty() {
            return vec!["no tenant's environment names a collector".to_string()];
        }
        let mut errors = Vec::new();
        for (place, endpoint) in endpoints.iter().enumerate() {
            for org in self.orgs() {
                for signal in signals {
                    let headers = [("x-scope-orgid".to_string(), org.to_string())].into();
                    let (headers, endpoint) = (Some(headers), Some(endpoint.clone()));
                    let fence = self.fence(place);
                    match self.emit(self.reader, *signal, &fence, headers, endpoint).await {
                        Ok(reply) if reply.accepted => {}
                        Ok(reply) => errors.push(format!("fence into {org}: {}", reply.detail)),
                        Err(detail) => errors.push(format!("fence into {org}: {detail}")),
                    }
                }
            }
        }
        errors
    }

    /// Look into every organisation until each shows its fences, or the wait is over.
    async fn look(
        &self,
        telemetry: &partywall_core::contract::Telemetry,
        signals: &BTreeSet<Signal>,
        endpoints: &[String],
    ) -> (Sights, Option<String>) {
        let fences: Vec<String> = (0..endpoints.len()).map(|place| self.fence(place)).collect();
        let sights = tokio::sync::Mutex::new(Sights::new());
        let outcome = until("every organisation showing its fence", FENCE_WAIT, || async {
            let mut missing = Vec::new();
            let mut seen = sights.lock().await;
            for signal in signals {
                let store = match Store::new(self.streams, self.reader, telemetry, *signal) {
                    Ok(store) => store,
                    Err(detail) => return Poll::Failed(Malformed(detail)),
                };
                for org in self.orgs().into_iter().chain(FALLBACK_ORGS) {
                    let body = match store.query(Some(org), &self.prefix).await {
                        Ok(reply) if reply.status == Some(200) => reply.body,
                        Ok(reply) => format!("status {:?} {}", reply.status, reply.detail),
                        Err(detail) => detail,
                    };
                    if self.orgs().contains(org) && !fences.iter().all(|fence| body.contains(fence))
                    {
                        missing.push(format!("{signal:?} in {org}").to_lowercase());
                    }
                    seen.insert((*signal, org.to_string()), body);
                }
            }
            if missing.is_empty() {
                Poll::Ready(())
            } else {
                Poll::not_yet(format!("no fence for {}", missing.join(", ")))
            }
        });
        let problem = outcome.await.err().map(|error| error.to_string());
        (sights.into_inner(), problem)
    }

    fn observation(
        &self,
        marker: Marker<'_>,
        sights: &Sights,
        fence_errors: &[String],
        problem: &Option<String>,
    ) -> Observation {
        let sender = match marker.sender {
            Ok(pod) => pod,
            Err(detail) => return Observation::Failed { detail },
        };
        let (accepted, outcome, mut detail) = match marker.reply {
            Ok(reply) => (reply.accepted, reply.outcome, reply.detail),
            Err(detail) => (false, Outcome::ProbeError, detail),
        };
        if let Some(error) = fence_errors.first() {
            detail = format!("{detail}; {error}");
        }
        if let Some(problem) = problem {
            detail = format!("{detail}; {problem}");
        }
        let signal = marker.probe.signal;
        let mut orgs: BTreeMap<String, OrgSight> = BTreeMap::new();
        for ((of, org), body) in sights.iter().filter(|((of, _), _)| *of == signal) {
            debug_assert_eq!(*of, signal);
            let sight = OrgSight {
                // The closing quote keeps marker_1 from being found in marker_12.
                marker: body.contains(&format!("{}\"", marker.name)),
                fence: body.contains(&marker.fence),
            };
            // A fallback organisation has no fence of its own; it counts only if it leaks.
            if sight.marker || !FALLBACK_ORGS.contains(&org.as_str()) {
                orgs.insert(org.clone(), sight);
            }
        }
        let sender = sender.to_string();
        Observation::Deliver(DeliverObservation { accepted, outcome, sender, detail, orgs })
    }
}

/// A place of the contract that is none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Malformed(String);
