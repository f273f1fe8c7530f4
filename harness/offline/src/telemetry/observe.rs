//! The answers to deliver and access probes, as the live probe would give them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use partywall_core::contract::OrgSource;
use partywall_core::event::NotJudged;
use partywall_core::inventory::{CLIENT_NAME, PodName};
use partywall_core::observation::{AccessObservation, DeliverObservation, OrgSight, Outcome};
use partywall_core::probe::{DeliverProbe, Over, Signal};

use super::estate::Telemetry;
use super::route::{End, Hop, HopTarget, Reaches, Route};
use super::sender::{Sender, sender};
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

/// Answers to deliver probes. Fences are the same for many of them, and are followed once.
pub struct Deliveries<'e, 'a> {
    pub(super) estate: &'e Telemetry<'a>,
    reaches: &'e dyn Fn(&Hop) -> Reaches,
    fenced: RefCell<HashMap<Way, Fenced>>,
}

/// Signal, protocol, the endpoint where a fence goes by one, and whether it meets nothing else.
type Way = (Signal, Option<Over>, String, bool);

/// The organisations that show a fence, or what on its way is not known.
type Fenced = Result<BTreeSet<String>, NotJudged>;

impl<'e, 'a> Deliveries<'e, 'a> {
    /// What is asked.
    pub(super) const fn estate(&self) -> &'e Telemetry<'a> {
        self.estate
    }

    fn route(&self, signal: Signal) -> Route<'e, 'a> {
        Route::new(self.estate, signal, self.reaches)
    }

    /// In which organisations a tenant's marker arrives, and the fences after it.
    ///
    /// # Errors
    ///
    /// What on the way cannot be judged, by name.
    pub fn observe(&self, probe: &DeliverProbe) -> Result<DeliverObservation, NotJudged> {
        self.with_fences(probe, false)
    }

    /// The same, where the fences may meet nothing else on their way.
    pub(super) fn with_fences(
        &self,
        probe: &DeliverProbe,
        are_alone: bool,
    ) -> Result<DeliverObservation, NotJudged> {
        let (tenant, signal) = (&probe.tenant, probe.signal);
        let reader = self.estate.reader()?;
        let readable = self.estate.readable(signal, &reader, self.reaches)?;
        let mut route = self.route(signal);
        let sender = sender(self.estate, tenant)?;
        let passage = route.send_forged(tenant, &sender, probe.over, probe.forged.as_ref())?;
        let by_name = self.estate.stores()?.org_from == OrgSource::Header;
        let endpoint = beside(&sender, probe.over);
        // Where receivers decide, every tenant has its own, and all of them are fenced.
        let named = if by_name { endpoint.clone() } else { String::new() };
        let key = (signal, probe.over, named, are_alone);
        let known = self.fenced.borrow().get(&key).cloned();
        let fenced = match known {
            Some(fenced) => fenced?,
            None => {
                let fenced = if by_name {
                    self.fenced_by_name(signal, &endpoint, &reader, are_alone)
                } else {
                    self.fenced_by_receiver(probe, &reader, are_alone)
                };
                self.fenced.borrow_mut().insert(key, fenced.clone());
                fenced?
            }
        };
        let marker = Seen::of(&passage.ends);
        let mut orgs: BTreeMap<String, OrgSight> = BTreeMap::new();
        for known in &self.estate.contract.tenants {
            let org = known.org.as_str();
            let marker = readable.is_ok() && marker.is_in(org);
            let fence = readable.is_ok() && fenced.contains(org);
            orgs.insert(org.to_string(), OrgSight { marker, fence });
        }
        for org in FALLBACK_ORGS.into_iter().filter(|org| readable.is_ok() && marker.is_in(org)) {
            let fence = fenced.contains(org);
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
            visible_us: None,
        })
    }

    /// The organisations that show a fence of the platform's client, which names each.
    fn fenced_by_name(
        &self,
        signal: Signal,
        endpoint: &str,
        reader: &PodName,
        is_alone: bool,
    ) -> Result<BTreeSet<String>, NotJudged> {
        let mut route = self.route(signal);
        route.is_alone = is_alone;
        let fence = route.fence(reader.clone(), endpoint, Some(ANY_ORG))?;
        let fence = Seen::of(&fence.ends);
        let of_any = fence.orgs.contains(ANY_ORG);
        let orgs = self.estate.contract.tenants.iter().map(|tenant| tenant.org.as_str());
        let orgs = orgs.filter(|org| of_any || fence.is_in(org));
        let fallbacks = FALLBACK_ORGS.into_iter().filter(|org| fence.is_in(org));
        Ok(orgs.chain(fallbacks).map(str::to_string).collect())
    }

    /// The organisations that show the fence of their own tenant, by its own receiver. Where it
    /// cannot be sent from there, the platform's client sends it to the same receiver.
    fn fenced_by_receiver(
        &self,
        probe: &DeliverProbe,
        reader: &PodName,
        is_alone: bool,
    ) -> Result<BTreeSet<String>, NotJudged> {
        let mut fenced = BTreeSet::new();
        let mut lacking = BTreeSet::new();
        for tenant in &self.estate.contract.tenants {
            let sender = sender(self.estate, tenant)?;
            let mut route = self.route(probe.signal);
            route.is_alone = is_alone;
            let mut passage = route.send_forged(tenant, &sender, probe.over, None)?;
            if !passage.answer.accepted {
                let endpoint = beside(&sender, probe.over);
                let mut route = self.route(probe.signal);
                route.is_alone = is_alone;
                passage = route.fence(reader.clone(), &endpoint, None)?;
            }
            let found =
                if Seen::of(&passage.ends).is_in(&tenant.org) { &mut fenced } else { &mut lacking };
            found.insert(tenant.org.clone());
        }
        Ok(&fenced - &lacking)
    }
}

impl<'a> Telemetry<'a> {
    /// Answers to many deliver probes, with the policies of one cluster.
    pub fn deliveries<'e>(&'e self, reaches: &'e dyn Fn(&Hop) -> Reaches) -> Deliveries<'e, 'a> {
        Deliveries { estate: self, reaches, fenced: RefCell::default() }
    }

    /// In which organisations a tenant's marker arrives, and the fences after it.
    ///
    /// # Errors
    ///
    /// What on the way cannot be judged, by name.
    pub fn deliver(
        &self,
        probe: &DeliverProbe,
        reaches: &dyn Fn(&Hop) -> Reaches,
    ) -> Result<DeliverObservation, NotJudged> {
        self.deliveries(reaches).observe(probe)
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

/// The endpoint that all signals of a sender share, or what is beside it.
fn beside(sender: &Sender<'_>, over: Option<Over>) -> String {
    let endpoint = match sender.environment.get(ENDPOINT).map(|found| found.value.clone()) {
        Some(Ok(endpoint)) => endpoint,
        // The sender's own settings would have failed before.
        _ => String::new(),
    };
    over.map_or(endpoint.clone(), |over| over.beside(&endpoint))
}
