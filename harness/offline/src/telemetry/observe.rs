//! The answers to deliver and access probes, as the live probe would give them.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::contract::Tenant;
use partywall_core::event::NotJudged;
use partywall_core::inventory::{CLIENT_NAME, PodName};
use partywall_core::observation::{AccessObservation, DeliverObservation, OrgSight, Outcome};
use partywall_core::probe::Signal;

use super::estate::Telemetry;
use super::route::{End, Hop, HopTarget, Reaches, Route};
use super::settings::ENDPOINT;
use super::store::Store;

/// Organisations that stores use where tenancy is off or a header is lost; the live probe looks
/// into them as well.
const FALLBACK_ORGS: [&str; 2] = ["anonymous", "fake"];
/// Stands for every organisation of the contract in a fence: what becomes of one becomes of all.
const ANY_ORG: &str = "partywall-any-org";

/// Which organisations show what was sent.
#[derive(Default)]
struct Seen {
    orgs: BTreeSet<String>,
    everywhere: bool,
}

impl Seen {
    fn of(ends: &[End]) -> Self {
        let mut seen = Self::default();
        for end in ends {
            match end {
                End::Stored { org, .. } => {
                    seen.orgs.insert(org.clone());
                }
                End::Shared { .. } => seen.everywhere = true,
                End::Lost { .. } => {}
            }
        }
        seen
    }

    fn is_in(&self, org: &str) -> bool {
        self.everywhere || self.orgs.contains(org)
    }
}

impl Telemetry<'_> {
    /// In which organisations a tenant's marker arrives, and the fences after it.
    ///
    /// # Errors
    ///
    /// What on the way cannot be judged, by name.
    pub fn deliver(
        &self,
        tenant: &Tenant,
        signal: Signal,
        reaches: &dyn Fn(&Hop) -> Reaches,
    ) -> Result<DeliverObservation, NotJudged> {
        let reader = self.reader()?;
        let readable = self.readable(signal, &reader, reaches)?;
        let mut route = Route::new(self, signal, reaches);
        let (sender, passage) = route.send_for(tenant)?;
        let endpoint = match sender.environment.get(ENDPOINT).map(|found| found.value.clone()) {
            Some(Ok(endpoint)) => endpoint,
            // The sender's own settings would have failed before.
            _ => String::new(),
        };
        let fence = Route::new(self, signal, reaches).fence(reader, &endpoint, ANY_ORG)?;
        let (marker, fence) = (Seen::of(&passage.ends), Seen::of(&fence.ends));
        let fence_in = |org: &str| fence.is_in(org) || fence.orgs.contains(ANY_ORG);
        let mut orgs: BTreeMap<String, OrgSight> = BTreeMap::new();
        for known in &self.contract.tenants {
            let org = known.org.as_str();
            let marker = readable.is_ok() && marker.is_in(org);
            let fence = readable.is_ok() && fence_in(org);
            orgs.insert(org.to_string(), OrgSight { marker, fence });
        }
        for org in FALLBACK_ORGS.into_iter().filter(|org| readable.is_ok() && marker.is_in(org)) {
            let fence = fence.is_in(org);
            orgs.entry(org.to_string()).or_insert(OrgSight { marker: true, fence });
        }
        let answer = passage.answer;
        let detail = match readable {
            Ok(()) => answer.detail,
            Err(reason) => format!("{}; the store cannot be asked: {reason}", answer.detail),
        };
        Ok(DeliverObservation {
            accepted: answer.accepted,
            outcome: answer.outcome,
            sender: sender.pod.to_string(),
            detail,
            orgs,
        })
    }

    /// How a store answers without an organisation.
    ///
    /// # Errors
    ///
    /// What cannot be judged, by name.
    pub fn access(
        &self,
        signal: Signal,
        reaches: &dyn Fn(&Hop) -> Reaches,
    ) -> Result<AccessObservation, NotJudged> {
        let reader = self.reader()?;
        if let Err(detail) = self.readable(signal, &reader, reaches)? {
            let outcome = Outcome::Dropped;
            return Ok(AccessObservation { outcome, status: None, control_status: None, detail });
        }
        let store = Store::of(self, signal)?;
        let status = if store.tenancy { 401 } else { 200 };
        Ok(AccessObservation {
            outcome: Outcome::Reached,
            status: Some(status),
            control_status: Some(200),
            detail: store.step.to_string(),
        })
    }

    /// The control client beside the stores, which the live probe asks from.
    fn reader(&self) -> Result<PodName, NotJudged> {
        let (namespace, _, _) = self.store_place(Signal::Log)?;
        Ok(PodName::new(namespace, CLIENT_NAME))
    }

    /// Whether the control client can ask the store; if not, why.
    fn readable(
        &self,
        signal: Signal,
        reader: &PodName,
        reaches: &dyn Fn(&Hop) -> Reaches,
    ) -> Result<Result<(), String>, NotJudged> {
        let (namespace, name, port) = self.store_place(signal)?;
        let (namespace, name) = (namespace.to_string(), name.to_string());
        for to in [HopTarget::Resolver, HopTarget::Service { namespace, name, port }] {
            match reaches(&Hop { from: reader.clone(), to }) {
                Reaches::Yes => {}
                Reaches::No(reason) => return Ok(Err(reason)),
                Reaches::Unknown(reason) => {
                    let subject = format!("policies on the way of {reader}");
                    return Err(NotJudged { subject, reason, location: None });
                }
            }
        }
        Ok(Ok(()))
    }
}
