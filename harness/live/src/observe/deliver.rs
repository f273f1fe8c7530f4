//! Telemetry markers: sent from the tenants' pods with their own environment, then fences through
//! the same pipelines, then a look into every organisation until every fence is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::{Either, select};
use partywall_agent::protocol::{Ask, EmitReply, EmitRequest, Outcome, Reply, Signal};
use partywall_core::contract::{Contract, OrgSource, Telemetry, Tenant};
use partywall_core::inventory::{Inventory, PodName, Role};
use partywall_core::observation::{DeliverObservation, Observation, OrgSight};
use partywall_core::probe::{DeliverProbe, Over};
use tokio::sync::Semaphore;

use super::fence::{Channel, channels};
use super::sight::{Firsts, Sights, look, shows, watch};
use super::streams::Streams;
use crate::random::nonce;

const EMIT_LIMIT: Duration = Duration::from_secs(5);
/// Organisations that Loki and Mimir use when tenancy is off or a header is lost.
pub(super) const FALLBACK_ORGS: [&str; 2] = ["anonymous", "fake"];
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// How many markers are on their way at once.
const AT_ONCE: usize = 32;

/// The pod of a tenant that sends telemetry, and where to.
pub(super) type Sender = Result<(PodName, String), String>;

/// One marker on its way.
pub(super) struct Marker<'a> {
    index: usize,
    pub(super) probe: &'a DeliverProbe,
    pub(super) name: String,
    sender: Result<PodName, String>,
    pub(super) reply: Result<EmitReply, String>,
    /// When the collector had answered.
    pub(super) sent: Instant,
}

impl Marker<'_> {
    /// Whether a store's answer shows it.
    pub(super) fn is_in(&self, body: &str) -> bool {
        shows(body, &self.name)
    }
}

/// Send every marker, fence, and look.
pub(super) async fn observe(
    streams: &Streams,
    contract: &Contract,
    inventory: &Inventory,
    probes: &[(usize, &DeliverProbe)],
) -> Vec<(usize, Observation)> {
    if probes.is_empty() {
        return Vec::new();
    }
    let session = match Session::begin(streams, contract, inventory) {
        Ok(session) => session,
        Err(detail) => {
            let failed = |(index, _): &(usize, &DeliverProbe)| {
                (*index, Observation::Failed { detail: detail.clone() })
            };
            return probes.iter().map(failed).collect();
        }
    };
    let is_asked =
        |tenant: &Tenant| probes.iter().any(|(_, probe)| probe.tenant.name == tenant.name);
    let senders = session.senders(is_asked).await;
    let signals: BTreeSet<Signal> = probes.iter().map(|(_, probe)| probe.signal).collect();
    let ways: BTreeSet<Option<Over>> = probes.iter().map(|(_, probe)| probe.over).collect();
    let mut channels = channels(contract, &session.prefix, &senders, &ways);
    let firsts = Firsts::default();
    let awaited = session.timed(probes);
    let sent = async {
        // Every fence is written after every marker was taken or refused.
        let markers = session.send_markers(probes, &senders).await;
        (markers, session.send_fences(&signals, &mut channels).await)
    };
    let watched = watch(&session, &awaited, &firsts);
    let (markers, errors) = match select(pin!(sent), pin!(watched)).await {
        Either::Left((sent, _)) => sent,
        Either::Right(((), sent)) => sent.await,
    };
    let first = firsts.into_inner();
    let (sights, problem) = look(&session, &signals, &channels, &markers, first).await;
    let problems: Vec<String> = errors.into_iter().take(1).chain(problem).collect();
    let observed = markers.into_iter().map(|marker| {
        let index = marker.index;
        (index, session.observation(marker, &sights, &channels, &problems))
    });
    observed.collect()
}

/// The control client of the platform in the stores' namespace.
pub(super) fn reader<'a>(inventory: &'a Inventory, place: &str) -> Option<&'a PodName> {
    let namespace = place.split('/').next()?;
    let mut clients = inventory.with_role(Role::Client);
    clients.find(|pod| pod.name.namespace == namespace).map(|pod| &pod.name)
}

/// One run of markers and fences.
pub(super) struct Session<'a> {
    pub(super) streams: &'a Streams,
    pub(super) contract: &'a Contract,
    pub(super) telemetry: &'a Telemetry,
    inventory: &'a Inventory,
    pub(super) reader: &'a PodName,
    pub(super) prefix: String,
}

/// A prefix of names that no run has used.
pub(super) fn prefix() -> Result<String, String> {
    let run = nonce().map_err(|_| "no random marker".to_string())?;
    Ok(format!("partywall_{}", &run[..12]))
}

impl<'a> Session<'a> {
    /// Names of a new run, and who reads the stores for it.
    pub(super) fn begin(
        streams: &'a Streams,
        contract: &'a Contract,
        inventory: &'a Inventory,
    ) -> Result<Self, String> {
        let telemetry = contract.telemetry.as_ref();
        let telemetry = telemetry.ok_or("the contract has no `telemetry`")?;
        let reader = reader(inventory, &telemetry.logs);
        let reader = reader.ok_or("there is no control client beside the telemetry stores")?;
        Ok(Self { streams, contract, telemetry, inventory, reader, prefix: prefix()? })
    }

    pub(super) fn orgs(&self) -> BTreeSet<&'a str> {
        self.contract.tenants.iter().map(|tenant| tenant.org.as_str()).collect()
    }

    /// Every organisation that may show something.
    pub(super) fn orgs_and_fallbacks(&self) -> impl Iterator<Item = &'a str> {
        self.orgs().into_iter().chain(FALLBACK_ORGS)
    }

    /// Every tenant that is asked about; all of them where each has a receiver of its own, for
    /// none can write a fence for another.
    pub(super) async fn senders(
        &self,
        is_asked: impl Fn(&Tenant) -> bool,
    ) -> BTreeMap<&'a str, Sender> {
        let is_asked =
            |tenant: &&Tenant| self.telemetry.org_from == OrgSource::Receiver || is_asked(tenant);
        let found = self
            .contract
            .tenants
            .iter()
            .filter(is_asked)
            .map(|tenant| async { (tenant.name.as_str(), self.sender(tenant).await) });
        futures::future::join_all(found).await.into_iter().collect()
    }

    /// The pod of the tenant that has a telemetry endpoint in its environment.
    async fn sender(&self, tenant: &Tenant) -> Sender {
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

    pub(super) async fn send_markers<'p>(
        &self,
        probes: &[(usize, &'p DeliverProbe)],
        senders: &BTreeMap<&str, Sender>,
    ) -> Vec<Marker<'p>> {
        let turns = Semaphore::new(AT_ONCE);
        let sent = probes.iter().map(|(index, probe)| {
            let turns = &turns;
            async move {
                // It is never closed.
                let _turn = turns.acquire().await;
                self.send_marker(*index, probe, senders).await
            }
        });
        futures::future::join_all(sent).await
    }

    async fn send_marker<'p>(
        &self,
        index: usize,
        probe: &'p DeliverProbe,
        senders: &BTreeMap<&str, Sender>,
    ) -> Marker<'p> {
        let name = self.marker(index);
        let sender = senders.get(probe.tenant.name.as_str()).cloned();
        let sender = sender.unwrap_or_else(|| Err("the contract has no such tenant".to_string()));
        let reply = match &sender {
            Ok((pod, endpoint)) => {
                let mut request = request(probe.signal, &name);
                request.endpoint = probe.over.map(|over| over.beside(endpoint));
                if let Some(forged) = &probe.forged {
                    request.organisation = forged.headers.clone();
                    request.attributes = forged.attributes.clone();
                }
                self.emit(pod, request).await
            }
            Err(detail) => Err(detail.clone()),
        };
        let sender = sender.map(|(pod, _)| pod);
        Marker { index, probe, name, sender, reply, sent: Instant::now() }
    }

    /// The markers whose time is told: those that are the tenant's own in all respects.
    fn timed<'p>(&self, probes: &[(usize, &'p DeliverProbe)]) -> Vec<(Signal, &'p str, String)> {
        let own = probes.iter().filter(|(_, probe)| probe.forged.is_none());
        let one = |(index, probe): &(usize, &'p DeliverProbe)| {
            (probe.signal, probe.tenant.org.as_str(), self.marker(*index))
        };
        own.map(one).collect()
    }

    fn marker(&self, index: usize) -> String {
        format!("{}_marker_{index}", self.prefix)
    }

    async fn emit(&self, pod: &PodName, request: EmitRequest) -> Result<EmitReply, String> {
        match self.streams.ask_one(pod, Ask::Emit(request), EMIT_LIMIT * 2).await? {
            Reply::Emit(reply) => Ok(reply),
            _ => Err("the agent answered another question".to_string()),
        }
    }

    /// Write every fence, and give back why some could not be written.
    pub(super) async fn send_fences(
        &self,
        signals: &BTreeSet<Signal>,
        channels: &mut [Channel<'_>],
    ) -> Vec<String> {
        if channels.is_empty() {
            return vec!["no tenant's environment names a collector".to_string()];
        }
        let mut errors = Vec::new();
        for channel in channels {
            for signal in signals {
                for request in channel.requests(*signal) {
                    if let Err(detail) = self.send_fence(channel, &request).await {
                        errors.push(format!("fence into {}: {detail}", channel.destination()));
                        channel.is_written = false;
                    }
                }
            }
        }
        errors
    }

    /// From the tenant's own pod where its receiver decides, else from the platform's client. The
    /// client also stands in for a tenant whose telemetry cannot leave: that must not keep the
    /// fences from being written.
    async fn send_fence(&self, channel: &Channel<'_>, asked: &EmitRequest) -> Result<(), String> {
        let mut last = String::new();
        for pod in channel.pod.iter().chain([self.reader]) {
            match self.emit(pod, asked.clone()).await {
                Ok(reply) if reply.accepted => return Ok(()),
                Ok(reply) => last = reply.detail,
                Err(detail) => last = detail,
            }
        }
        Err(last)
    }

    fn observation(
        &self,
        marker: Marker<'_>,
        sights: &Sights,
        channels: &[Channel<'_>],
        problems: &[String],
    ) -> Observation {
        let signal = marker.probe.signal;
        let mut orgs: BTreeMap<String, OrgSight> = BTreeMap::new();
        for ((of, org), body) in &sights.bodies {
            if *of != signal {
                continue;
            }
            let way = (marker.probe.over, marker.probe.tenant.name.as_str());
            let fence = sights.is_fenced(channels, way, signal, org);
            let sight = OrgSight { marker: marker.is_in(body), fence };
            // A fallback organisation has no fence of its own; it counts only if it leaks.
            if sight.marker || !FALLBACK_ORGS.contains(&org.as_str()) {
                orgs.insert(org.clone(), sight);
            }
        }
        let visible_us = sights.visible_us(&marker);
        let sender = match marker.sender {
            Ok(pod) => pod.to_string(),
            Err(detail) => return Observation::Failed { detail },
        };
        let (accepted, outcome, detail) = match marker.reply {
            Ok(reply) => (reply.accepted, reply.outcome, reply.detail),
            Err(detail) => (false, Outcome::ProbeError, detail),
        };
        let words: Vec<&str> =
            std::iter::once(detail.as_str()).chain(problems.iter().map(String::as_str)).collect();
        let detail = words.join("; ");
        Observation::Deliver(DeliverObservation {
            accepted,
            outcome,
            sender,
            detail,
            orgs,
            visible_us,
        })
    }
}

/// A marker as the environment of its sender says.
pub(super) fn request(signal: Signal, marker: &str) -> EmitRequest {
    EmitRequest {
        signal,
        marker: marker.to_string(),
        headers: None,
        endpoint: None,
        organisation: None,
        attributes: BTreeMap::new(),
        timeout_ms: u64::try_from(EMIT_LIMIT.as_millis()).unwrap_or(u64::MAX),
    }
}
