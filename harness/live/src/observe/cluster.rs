//! A session's cluster, behind the seam.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Client;
use partywall_core::attempt::AttemptProbe;
use partywall_core::cluster::{Backend, Capability, Cluster, Deadline, ObserveError};
use partywall_core::contract::Contract;
use partywall_core::inventory::{Inventory, OPEN_NAMESPACE};
use partywall_core::observation::Observation;
use partywall_core::probe::{
    Asker, DeliverProbe, DnsProbe, LoadProbe, Probe, ProbeBatch, ProbeKind, ReachProbe,
};
use tokio::sync::RwLock;

use super::harness_pods;
use super::reading::{self, Read};
use super::secret::Vault;
use super::streams::Streams;
use super::{
    access, attempt, deliver, dns, doors, far_twin, inventory, load, node_client, reach, twin,
    world,
};
use crate::canary::{CanaryError, canary};
use crate::session::Session;

const CANARY_LIMIT: Duration = Duration::from_secs(30);

/// A cluster that `up` made.
pub struct LiveCluster {
    session: Session,
    client: Client,
    streams: Streams,
    /// What `prepare` learned; probes are answered with it.
    known: RwLock<Option<Known>>,
}

struct Known {
    contract: Contract,
    inventory: Inventory,
}

impl LiveCluster {
    /// Attach to a session.
    pub async fn attach(session: Session) -> Result<Self, ObserveError> {
        let client = session.client().await.map_err(|error| ObserveError::NoCluster {
            message: error.to_string(),
            hint: "`partywall up` makes a session".to_string(),
        })?;
        if let Err(error) = client.apiserver_version().await {
            return Err(ObserveError::NoCluster {
                message: format!(
                    "the cluster of session `{}` does not answer: {error}",
                    session.name
                ),
                hint: "`partywall up` repairs the session, `partywall down` removes it".to_string(),
            });
        }
        let streams = Streams::new(client.clone());
        Ok(Self { session, client, streams, known: RwLock::new(None) })
    }

    /// The session behind it.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    async fn enforced(&self) -> Result<(), ObserveError> {
        let error = match canary(&self.client, CANARY_LIMIT).await {
            Ok(_report) => return Ok(()),
            Err(error) => error,
        };
        match &error {
            CanaryError::DidNotBite { side, open, waited } => Err(ObserveError::Canary {
                message: format!(
                    "with a deny-all {side} policy, {open} after {:.0} s; nothing could be proven",
                    waited.as_secs_f64()
                ),
                hint: "this cluster's network plugin does not enforce NetworkPolicy, so that no \
                       denial seen here would mean anything"
                    .to_string(),
            }),
            _ => Err(ObserveError::Environment(error.to_string())),
        }
    }

    async fn stand(&self, contract: &Contract) -> Result<Inventory, ObserveError> {
        let environment = |error: String| ObserveError::Environment(error);
        // What a run that was cut off has left would be judged as a part of the layout.
        attempt::sweep(&self.client).await.map_err(environment)?;
        let agent = &self.session.bundle.agent;
        let mut namespaces: BTreeSet<String> = contract.platform.iter().cloned().collect();
        namespaces.extend(contract.tenants.iter().flat_map(|tenant| tenant.namespaces.clone()));
        namespaces.insert(OPEN_NAMESPACE.to_string());
        // Holds the Service by which pods reach the API server.
        namespaces.insert("default".to_string());
        let read = || async {
            let read = inventory::read(&self.client, &namespaces, agent).await;
            read.map_err(|error| environment(format!("failed to list what stands: {error}")))
        };
        let mut standing = read().await?;
        let existing: BTreeSet<String> =
            standing.pods.iter().map(|pod| pod.name.namespace.clone()).collect();
        let own = harness_pods::ensure(&self.client, &contract.platform, &existing, agent).await;
        let beyond = world::ensure(&self.client, &self.session, &standing).await;
        let made = [own, beyond].into_iter().collect::<Result<Vec<bool>, _>>();
        if made.map_err(|error| environment(error.to_string()))?.contains(&true) {
            standing = read().await?;
        }
        let changed = twin::ensure(&self.client, contract, &standing, agent).await;
        if changed.map_err(|error| environment(error.to_string()))? {
            standing = read().await?;
        }
        let node_clients = node_client::ensure(&self.client, &standing, agent).await;
        let far = far_twin::ensure(&self.client, contract, &standing, agent).await;
        let moved = [node_clients, far].into_iter().collect::<Result<Vec<bool>, _>>();
        if moved.map_err(|error| environment(error.to_string()))?.contains(&true) {
            standing = read().await?;
        }
        let doors = doors::ensure(&self.client, contract, &standing, &self.streams).await;
        if doors.map_err(|error| environment(error.to_string()))? {
            standing = read().await?;
        }
        inventory::learn_decoys(&mut standing, &self.streams).await;
        world::learn(&mut standing, &self.session);
        Ok(standing)
    }

    async fn reach(&self, known: &Known, batch: &ProbeBatch) -> Vec<(usize, Observation)> {
        let probes: Vec<(usize, &ReachProbe)> = of_kind(batch, |probe| match probe {
            Probe::Reach(probe) => Some(probe),
            _ => None,
        });
        reach::observe(&self.client, &self.streams, &known.inventory, &probes, &batch.answered)
            .await
    }

    async fn deliver(&self, known: &Known, batch: &ProbeBatch) -> Vec<(usize, Observation)> {
        let probes: Vec<(usize, &DeliverProbe)> = of_kind(batch, |probe| match probe {
            Probe::Deliver(probe) => Some(probe),
            _ => None,
        });
        deliver::observe(&self.streams, &known.contract, &known.inventory, &probes).await
    }

    async fn load(&self, known: &Known, batch: &ProbeBatch) -> Vec<(usize, Observation)> {
        let probes: Vec<(usize, &LoadProbe)> = of_kind(batch, |probe| match probe {
            Probe::Load(probe) => Some(probe),
            _ => None,
        });
        load::observe(&self.streams, &known.contract, &known.inventory, &probes).await
    }

    /// One after the other: how fast a name server answers is a part of the answer.
    async fn dns(&self, known: &Known, batch: &ProbeBatch) -> Vec<(usize, Observation)> {
        let probes: Vec<(usize, &DnsProbe)> = of_kind(batch, |probe| match probe {
            Probe::Dns(probe) => Some(probe),
            _ => None,
        });
        dns::observe(&self.streams, &known.inventory, &probes).await
    }

    async fn attempts(&self, known: &Known, batch: &ProbeBatch) -> Vec<(usize, Observation)> {
        let probes: Vec<(usize, &AttemptProbe)> = of_kind(batch, |probe| match probe {
            Probe::Attempt(probe) => Some(probe.as_ref()),
            _ => None,
        });
        let attacker = attempt::Attacker {
            client: &self.client,
            session: &self.session,
            streams: &self.streams,
            inventory: &known.inventory,
        };
        attacker.observe(&probes).await
    }

    /// What is read by whom, of markers that the tenants' own pods write first.
    async fn reads(&self, known: &Known, batch: &ProbeBatch) -> Vec<(usize, Observation)> {
        let probes = batch.probes.iter().enumerate();
        let reads: Vec<(usize, Read<'_>)> =
            probes.filter_map(|(index, probe)| Some((index, Read::of(probe)?))).collect();
        let stand = reading::Stand {
            client: &self.client,
            streams: &self.streams,
            contract: &known.contract,
            inventory: &known.inventory,
        };
        stand.observe(&reads).await
    }

    async fn others(&self, known: &Known, batch: &ProbeBatch) -> Vec<(usize, Observation)> {
        let vault =
            Vault { client: &self.client, session: &self.session, contract: &known.contract };
        let looks = batch.probes.iter().enumerate().map(|(index, probe)| {
            let vault = &vault;
            async move {
                let seen = match probe {
                    Probe::Secret(probe) => vault.observe(probe).await,
                    Probe::Access(probe) if probe.by == Asker::Nobody => {
                        access::observe(&self.streams, &known.contract, &known.inventory, probe)
                            .await
                    }
                    Probe::Access(_)
                    | Probe::Sources(_)
                    | Probe::Reach(_)
                    | Probe::Deliver(_)
                    | Probe::Load(_)
                    | Probe::Dns(_)
                    | Probe::Attempt(_) => {
                        return None;
                    }
                };
                Some((index, seen))
            }
        });
        futures::future::join_all(looks).await.into_iter().flatten().collect()
    }
}

fn of_kind<'a, P>(
    batch: &'a ProbeBatch,
    kind: impl Fn(&'a Probe) -> Option<&'a P>,
) -> Vec<(usize, &'a P)> {
    let probes = batch.probes.iter().enumerate();
    probes.filter_map(|(index, probe)| Some((index, kind(probe)?))).collect()
}

impl Cluster for LiveCluster {
    fn backend(&self) -> Backend {
        Backend::Kind
    }

    fn capability(&self, _kind: ProbeKind) -> Capability {
        Capability::Yes
    }

    async fn prepare(
        &self,
        contract: &Contract,
        deadline: Deadline,
    ) -> Result<Inventory, ObserveError> {
        let prepared = async {
            // The canary's policies are applied after the layout's own. When they bite on
            // every node, the network plugin has realised what came before them.
            let (inventory, ()) = futures::try_join!(self.stand(contract), self.enforced())?;
            Ok(inventory)
        };
        let inventory = in_time(deadline, "preparing the cluster", prepared).await?;
        let known = Known { contract: contract.clone(), inventory: inventory.clone() };
        *self.known.write().await = Some(known);
        Ok(inventory)
    }

    async fn observe(
        &self,
        batch: &ProbeBatch,
        deadline: Deadline,
    ) -> Result<Vec<Observation>, ObserveError> {
        let known = self.known.read().await;
        let Some(known) = known.as_ref() else {
            return Err(ObserveError::Environment("the cluster was not prepared".to_string()));
        };
        let asked = async {
            // Reach has the agents for itself: its time-outs are taken from what it measures.
            let mut seen = self.reach(known, batch).await;
            seen.extend(self.dns(known, batch).await);
            // Load comes after the markers, whose way is timed. Others have nothing to do with it,
            // and some of them wait long for a store that tries again before it refuses.
            let telemetry = async {
                let mut seen = self.deliver(known, batch).await;
                seen.extend(self.load(known, batch).await);
                seen
            };
            let reads = self.reads(known, batch);
            let (telemetry, reads, others) =
                futures::join!(telemetry, reads, self.others(known, batch));
            seen.extend(telemetry);
            seen.extend(reads);
            seen.extend(others);
            // Last: hostile objects change the cluster that everything else is asked of.
            seen.extend(self.attempts(known, batch).await);
            Ok(seen)
        };
        let seen = in_time(deadline, "the probes", asked).await?;
        let lost = || Observation::Failed { detail: "the probe was never answered".to_string() };
        let mut observations: Vec<Observation> = batch.probes.iter().map(|_| lost()).collect();
        for (index, observation) in seen {
            observations[index] = observation;
        }
        Ok(observations)
    }

    async fn conclude(&self, deadline: Deadline) -> Result<(), ObserveError> {
        in_time(deadline, "the concluding canary", self.enforced()).await
    }
}

async fn in_time<T>(
    deadline: Deadline,
    what: &str,
    work: impl Future<Output = Result<T, ObserveError>>,
) -> Result<T, ObserveError> {
    tokio::time::timeout(deadline.0, work).await.unwrap_or_else(|_| {
        let message = format!("{what} did not end within {} s", deadline.0.as_secs());
        Err(ObserveError::Environment(message))
    })
}
