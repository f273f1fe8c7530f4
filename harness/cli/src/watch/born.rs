//! Tenants that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partywall_core::event::MomentKind;
use partywall_core::exposure::{Edge, Expectation, edges_from, edges_to};
use partywall_core::inventory::{Inventory, Pod, PodName, Role};
use partywall_core::port::Transport;
use partywall_live::Pushed;
use partywall_live::watch::{Followed, Meter, Newborn, pace_prefix};
use partywall_offline::change::{Change, probe_from_first_instruction};
use partywall_offline::wiring::WORKLOAD_BEFORE_POLICY;

use super::stage::{Scene, Stage};
use crate::failure::Failure;
use crate::print;

const GONE: Duration = Duration::from_secs(120);
const SETTLED: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

const BORN_GAP: &str = "a tenant's workload ran before its policies stood. Put namespace and \
                        policies into a Kustomization of their own with `wait: true`, and let the \
                        tenant's Kustomization name it in `dependsOn`";

/// Waits until the subject's namespaces are gone.
pub async fn until_gone(stage: &Stage<'_>) -> Result<(), Failure> {
    let namespaces = stage.scene.namespaces();
    in_time(stage.site.gone(&namespaces, GONE).await)
}

/// Waits until the subject has no pods any more.
pub async fn until_empty(stage: &Stage<'_>) -> Result<(), Failure> {
    let namespaces = stage.scene.namespaces();
    in_time(stage.site.empty(&namespaces, GONE).await)
}

fn in_time(followed: Followed) -> Result<(), Failure> {
    match followed {
        Followed::Applied => Ok(()),
        Followed::NotInTime(last) => Err(Failure::environment(format!(
            "the tenant is not gone within {} s: {last}",
            GONE.as_secs()
        ))),
    }
}

/// The layout is without the subject when this begins. The subject's workloads probe from their
/// first instruction on; others probe them as soon as they have an address.
pub async fn be_born(stage: &mut Stage<'_>) -> Result<Expectation, Failure> {
    let mut birth = Birth::plan(stage)?;
    let change = birth.change(stage)?;
    let pushed = stage.commit(&change, "brings the tenant").await?;
    stage.commit = Some(pushed.commit.clone());
    birth.watch(stage, &pushed).await;
    stage.a_second_more().await;
    birth.hear(stage).await;
    stage.moments.add(MomentKind::Hand, "the newborn's own samples read".to_string());
    let by_files = stage.scene.wrong_order();
    let finding = by_files
        .unwrap_or_else(|| stage.finding(WORKLOAD_BEFORE_POLICY, BORN_GAP, "NetworkPolicy"));
    let open_allowed = Vec::new();
    Ok(Expectation { open_allowed, finding, must_recover: false, is_lasting: false })
}

/// A workload that will probe from its first instruction, and its edges.
struct Firstling {
    workload: String,
    prefixes: Vec<String>,
    targets: Vec<String>,
}

struct Birth {
    firstlings: Vec<Firstling>,
    newborns: BTreeMap<PodName, Newborn>,
    met: BTreeSet<PodName>,
}

/// Workloads that probe by themselves; each costs its node what a client of the meter costs.
const FIRSTLINGS_MAX: usize = 2;

impl Birth {
    fn plan(stage: &mut Stage<'_>) -> Result<Self, Failure> {
        let scene = stage.scene;
        let namespaces = scene.namespaces();
        let is_workload = |kind: &str| ["Deployment", "StatefulSet"].contains(&kind);
        let workloads: Vec<(String, String)> = scene
            .rendered
            .objects
            .iter()
            .filter(|object| is_workload(object.kind()))
            .filter(|object| namespaces.iter().any(|own| own == object.namespace()))
            .map(|object| (object.namespace().to_string(), object.name().to_string()))
            .take(FIRSTLINGS_MAX)
            .collect();
        let mut firstlings = Vec::new();
        for (namespace, workload) in workloads {
            let client = unborn(&namespace, &workload);
            let edges =
                edges_from(&scene.project.contract, &stage.inventory, &scene.subject, &client);
            let (mut prefixes, mut targets) = (Vec::new(), Vec::new());
            for edge in edges {
                let prefix = pace_prefix().map_err(Failure::environment)?;
                targets.push(target(&edge, &prefix));
                stage.meter.expect(edge, &prefix);
                prefixes.push(prefix);
            }
            firstlings.push(Firstling { workload, prefixes, targets });
        }
        Ok(Self { firstlings, newborns: BTreeMap::new(), met: BTreeSet::new() })
    }

    fn change(&self, stage: &Stage<'_>) -> Result<Change, Failure> {
        let ground = stage.scene.ground();
        let targets: BTreeMap<String, String> = self
            .firstlings
            .iter()
            .map(|one| (one.workload.clone(), one.targets.join(",")))
            .collect();
        probe_from_first_instruction(&ground, &stage.scene.subject, &targets)
            .map_err(Failure::usage)
    }

    /// Until the tenant stands: who gets an address is probed by others from then on.
    async fn watch(&mut self, stage: &mut Stage<'_>, pushed: &Pushed) {
        let (site, meter) = (&*stage.site, &mut stage.meter);
        let namespaces = stage.scene.namespaces();
        let followed = async {
            site.follow(pushed, SETTLED).await;
            site.settled_pods(&namespaces, SETTLED).await
        };
        tokio::pin!(followed);
        loop {
            tokio::select! {
                settled = &mut followed => {
                    if let Followed::NotInTime(last) = settled {
                        print::note(&format!("  the tenant does not settle: {last}"));
                    }
                    return;
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let known: BTreeSet<PodName> = self.newborns.keys().cloned().collect();
            // A look that fails is followed by the next.
            for newborn in site.newborns(&namespaces, &known).await.unwrap_or_default() {
                self.newborns.insert(newborn.name.clone(), newborn);
            }
            self.meet(meter, &stage.inventory, stage.scene);
        }
    }

    /// Others begin to probe who has an address.
    fn meet(&mut self, meter: &mut Meter, inventory: &Inventory, scene: &Scene) {
        for newborn in self.newborns.values().filter(|newborn| !newborn.is_leaving) {
            if self.met.len() >= FIRSTLINGS_MAX || !self.met.insert(newborn.name.clone()) {
                continue;
            }
            let pod = born(newborn, scene);
            meter.add(edges_to(&scene.project.contract, inventory, &scene.subject, &pod));
        }
    }

    /// Reads what the workloads sampled.
    async fn hear(&self, stage: &Stage<'_>) {
        for firstling in &self.firstlings {
            let start = format!("{}-", firstling.workload);
            let own = self.newborns.keys().filter(|name| name.name.starts_with(&start));
            for name in own {
                match stage.site.own_pace(name).await {
                    Ok(samples) => stage.meter.heard(&firstling.prefixes, &samples),
                    Err(error) => print::note(&format!("  {name} does not tell: {error}")),
                }
            }
        }
    }
}

fn target(edge: &Edge, prefix: &str) -> String {
    let transport = match edge.port.transport {
        Transport::Udp => "udp",
        Transport::Tcp | Transport::Sctp => "tcp",
    };
    format!("{}:{}/{transport}={prefix}", edge.address, edge.port.number)
}

/// A pod that will be.
fn unborn(namespace: &str, workload: &str) -> Pod {
    Pod {
        name: PodName::new(namespace, format!("{workload}-unborn")),
        workload: workload.to_string(),
        labels: BTreeMap::new(),
        address: String::new(),
        node: String::new(),
        service_account: String::new(),
        host_network: false,
        role: Role::Workload,
        agent: true,
        declared: Vec::new(),
        decoys: Vec::new(),
    }
}

/// A pod that is, with the ports that its workload declares.
fn born(newborn: &Newborn, scene: &Scene) -> Pod {
    let namespace = &newborn.name.namespace;
    let mut workloads = scene
        .rendered
        .objects
        .iter()
        .filter(|object| object.pod_template().is_some() && object.namespace() == namespace);
    let own =
        workloads.find(|object| newborn.name.name.starts_with(&format!("{}-", object.name())));
    let template = own.and_then(|object| object.pod_template());
    let ports = template.and_then(|template| template.pointer("/spec/containers/0/ports"));
    let numbers = ports.and_then(serde_json::Value::as_array).into_iter().flatten();
    let numbers = numbers.filter_map(|port| u16::try_from(port["containerPort"].as_u64()?).ok());
    let workload =
        own.map_or_else(|| newborn.name.name.clone(), |object| object.name().to_string());
    Pod {
        name: newborn.name.clone(),
        address: newborn.address.clone(),
        declared: numbers.map(partywall_core::Port::tcp).collect(),
        ..unborn(namespace, &workload)
    }
}
