//! The line that has a tenant's telemetry end where it does.

use partywall_core::check::source_fault;
use partywall_core::contract::Tenant;
use partywall_core::event::Blame;
use partywall_core::probe::{AccessProbe, Asker, DeliverProbe, SourcesProbe};

use super::estate::Telemetry;
use super::route::{End, Hop, Reaches, Route};
use super::sender::sender;
use super::store::Store;
use super::trail::Step;
use crate::blame::promised;

impl Telemetry<'_> {
    /// The line at fault when a tenant's signal is not in its own organisation alone; `None`
    /// where the files send it there, and a policy or something outside of them is to blame.
    pub fn blame(&self, probe: &DeliverProbe) -> Option<Blame> {
        let tenant = &probe.tenant;
        let open = |_: &super::Hop| Reaches::Yes;
        let mut route = Route::new(self, probe.signal, &open);
        route.explains = true;
        let sender = sender(self, tenant).ok()?;
        let forged = probe.forged.as_ref();
        let passage = route.send_forged(tenant, &sender, probe.over, forged).ok()?;
        let wrong = passage.ends.iter().find_map(|end| wrong_org(tenant, end));
        wrong
            .or_else(|| passage.answer.fault.clone().map(|fault| blame_of(fault.step)))
            .or_else(|| passage.ends.iter().find_map(lost))
    }

    /// The line that has a store answer without an organisation, or to who names two.
    pub fn blame_access(&self, probe: AccessProbe) -> Option<Blame> {
        let store = Store::of(self, probe.store).ok()?;
        if !store.tenancy {
            return Some(blame_of(store.step));
        }
        let (is_on, step) = store.federation(self).ok()?;
        (probe.by == Asker::TwoOrganisations && is_on).then(|| blame_of(step))
    }

    /// The data source at fault for a tenant, or the line of the contract that promises one.
    pub fn blame_sources(
        &self,
        probe: &SourcesProbe,
        reaches: &dyn Fn(&Hop) -> Reaches,
    ) -> Option<Blame> {
        let seen = self.sources(probe, &self.deliveries(reaches)).ok()?;
        let (at_fault, because) = source_fault(probe, &seen)?;
        let promised = || promised(&self.rendered.sources);
        let location = at_fault.map_or_else(promised, |one| one.location.clone())?;
        Some(Blame { location, because })
    }
}

fn blame_of(step: Step) -> Blame {
    Blame { location: step.location, because: step.what }
}

fn wrong_org(tenant: &Tenant, end: &End) -> Option<Blame> {
    match end {
        End::Stored { org, said } if *org != tenant.org => {
            let (name, own) = (&tenant.name, &tenant.org);
            // What a client writes is no fault of the client's file where a setting believes it.
            if said.is_forged {
                let believed = said.passed_on.as_ref().unwrap_or(&said.step);
                let because = format!("{}, and so believes `{}`", believed.what, said.value);
                return Some(Blame { location: believed.location.clone(), because });
            }
            let because = if said.by_sender {
                format!("{name} sends as `{org}`; the contract says its organisation is `{own}`")
            } else {
                said.step.what.clone()
            };
            Some(Blame { location: said.step.location.clone(), because })
        }
        End::Shared { switch } => Some(blame_of(switch.clone())),
        End::Stored { .. } | End::Lost { .. } => None,
    }
}

fn lost(end: &End) -> Option<Blame> {
    match end {
        End::Lost { fault } => Some(blame_of(fault.step.clone())),
        End::Stored { .. } | End::Shared { .. } => None,
    }
}
