//! The rendered files, behind the seam.

use std::cell::RefCell;

use partywall_core::Layout;
use partywall_core::cluster::{Backend, Capability, Cluster, Deadline, ObserveError};
use partywall_core::contract::Contract;
use partywall_core::event::{Blame, Defect, NotJudged};
use partywall_core::inventory::{Inventory, Lacks};
use partywall_core::observation::Observation;
use partywall_core::probe::{
    AccessProbe, Asker, DeliverProbe, LoadProbe, Probe, ProbeBatch, ProbeKind,
};

use super::blind;
use super::controller_labels;
use super::explain::{Explained, explain};
use super::reach::Ground;
use super::standing::{Standing, Surroundings};
use super::walls::Walls;
use crate::render::Rendered;
use crate::rights::{self, Attempts};
use crate::secret::{History, Keys, Vault};
use crate::surplus;
use crate::telemetry::{Deliveries, Hop, Reaches, Telemetry};

/// A layout's files in place of a cluster.
pub struct OfflineCluster<'a> {
    rendered: &'a Rendered,
    contract: &'a Contract,
    vault: Vault<'a>,
    around: Surroundings,
    standing: Standing,
    walls: Walls,
}

impl<'a> OfflineCluster<'a> {
    /// A cluster in which this stands.
    pub fn new(
        layout: &'a Layout,
        rendered: &'a Rendered,
        contract: &'a Contract,
        keys: &'a Keys,
        around: &Surroundings,
    ) -> Self {
        let mut standing = Standing::new(rendered, around);
        standing.name_ports(contract);
        let walls = Walls::new(rendered, &standing);
        let vault = Vault::new(layout, rendered, contract, keys);
        Self { rendered, contract, vault, around: around.clone(), standing, walls }
    }

    /// The same, with what earlier commits held.
    #[must_use]
    pub fn with_history(self, history: &'a History) -> Self {
        Self { vault: self.vault.with_history(history), ..self }
    }

    /// What is met and not known.
    pub fn not_judged(&self) -> Vec<NotJudged> {
        let mut found = self.rendered.not_judged.clone();
        found.extend(blind::not_judged(self.rendered));
        found.extend(controller_labels::guessed_selectors(self.rendered));
        found.extend(self.telemetry().not_judged());
        found.sort();
        found.dedup();
        found
    }

    /// Policies that the API server would refuse, what they let through and the contract does not
    /// list, and what is wrong with the way of telemetry.
    pub fn defects(&self) -> Vec<Defect> {
        let mut found = self.walls.refused().to_vec();
        found.extend(surplus::findings(self));
        found.extend(self.telemetry().findings());
        found
    }

    /// Why one workload reaches another or does not; names as `explain --help` lists them.
    ///
    /// # Errors
    /// A name that nothing in the layout has, for a person.
    pub fn explain(&self, from: &str, to: &str) -> Result<Vec<Explained>, String> {
        explain(&self.standing, &self.walls, self.contract, (from, to))
    }

    /// Everything that would stand.
    pub(crate) const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Every policy.
    pub(crate) const fn walls(&self) -> &Walls {
        &self.walls
    }

    /// What Flux would apply.
    pub(crate) const fn rendered(&self) -> &'a Rendered {
        self.rendered
    }

    /// The contract that it is held to.
    pub(crate) const fn contract(&self) -> &'a Contract {
        self.contract
    }

    fn ground(&self) -> Ground<'_> {
        Ground { standing: &self.standing, walls: &self.walls }
    }

    fn attempts(&self) -> Attempts<'_> {
        Attempts {
            rendered: self.rendered,
            around: &self.around,
            standing: &self.standing,
            walls: &self.walls,
        }
    }

    fn telemetry(&self) -> Telemetry<'_> {
        Telemetry::new(self.rendered, self.contract)
    }

    /// The line at fault on the way of telemetry, or the wall that it does not pass.
    fn telemetry_blame(&self, probe: &DeliverProbe) -> Option<Blame> {
        let telemetry = self.telemetry();
        let wall = RefCell::new(None);
        let reaches = |hop: &Hop| {
            let answer = self.ground().hop(hop);
            if matches!(answer, Reaches::No(_)) && wall.borrow().is_none() {
                *wall.borrow_mut() = self.ground().hop_blame(hop);
            }
            answer
        };
        let _seen = telemetry.deliver(probe, &reaches);
        wall.take().or_else(|| telemetry.blame(probe))
    }

    fn answer(
        &self,
        telemetry: &Telemetry<'_>,
        deliveries: &Deliveries<'_, '_>,
        probe: &Probe,
    ) -> Observation {
        let reaches = |hop: &Hop| self.ground().hop(hop);
        match probe {
            Probe::Reach(probe) => self.ground().observe(probe),
            Probe::Secret(probe) => self.vault.answer(probe),
            Probe::Dns(_) => Observation::Failed {
                detail: "the files do not tell what a name server answers".to_string(),
            },
            Probe::Load(probe) => deliveries.load(probe).map_or_else(unknown, Observation::Load),
            Probe::Deliver(probe) => {
                deliveries.observe(probe).map_or_else(unknown, Observation::Deliver)
            }
            Probe::Access(AccessProbe { store, by: Asker::Nobody }) => {
                telemetry.access(*store, &reaches).map_or_else(unknown, Observation::Access)
            }
            Probe::Access(AccessProbe { store, by: Asker::TwoOrganisations }) => {
                telemetry.both(*store, deliveries).map_or_else(unknown, Observation::Read)
            }
            Probe::Sources(probe) => {
                telemetry.sources(probe, deliveries).map_or_else(unknown, Observation::Sources)
            }
            Probe::Attempt(probe) => self.attempts().answer(probe),
        }
    }
}

fn unknown(not_judged: NotJudged) -> Observation {
    Observation::Failed { detail: format!("{}: {}", not_judged.subject, not_judged.reason) }
}

impl Cluster for OfflineCluster<'_> {
    fn backend(&self) -> Backend {
        Backend::Offline
    }

    fn capability(&self, kind: ProbeKind) -> Capability {
        match kind {
            ProbeKind::Dns => Capability::No {
                reason: "the files do not tell what a name server answers".to_string(),
            },
            ProbeKind::Object => {
                Capability::No { reason: "the files hold no state of objects".to_string() }
            }
            _ => Capability::Yes,
        }
    }

    async fn prepare(
        &self,
        _contract: &Contract,
        _deadline: Deadline,
    ) -> Result<Inventory, ObserveError> {
        let mut inventory = self.standing.inventory();
        let Lacks { keys, history, .. } = self.vault.lacks();
        inventory.lacks = Lacks { keys, history, ..inventory.lacks };
        Ok(inventory)
    }

    async fn observe(
        &self,
        batch: &ProbeBatch,
        _deadline: Deadline,
    ) -> Result<Vec<Observation>, ObserveError> {
        let telemetry = self.telemetry();
        let reaches = |hop: &Hop| self.ground().hop(hop);
        let deliveries = telemetry.deliveries(&reaches);
        let answer = |probe| self.answer(&telemetry, &deliveries, probe);
        Ok(batch.probes.iter().map(answer).collect())
    }

    fn blame(&self, probe: &Probe) -> Option<Blame> {
        match probe {
            Probe::Reach(probe) => self.ground().blame(probe),
            Probe::Deliver(probe) => self.telemetry_blame(probe),
            Probe::Load(probe) => {
                let LoadProbe { tenant, signal, over, .. } = probe;
                let marker = DeliverProbe::of(tenant.clone(), *signal);
                self.telemetry_blame(&DeliverProbe { over: *over, ..marker })
            }
            Probe::Access(probe) => self.telemetry().blame_access(*probe),
            Probe::Sources(probe) => {
                self.telemetry().blame_sources(probe, &|hop| self.ground().hop(hop))
            }
            Probe::Dns(_) => None,
            Probe::Attempt(probe) => rights::blame(&self.attempts(), probe),
            Probe::Secret(probe) => self.vault.blame(probe),
        }
    }

    async fn conclude(&self, _deadline: Deadline) -> Result<(), ObserveError> {
        Ok(())
    }
}
