//! The line that has a tenant's telemetry end where it does.

use partywall_core::contract::Tenant;
use partywall_core::event::Blame;
use partywall_core::probe::Signal;

use super::estate::Telemetry;
use super::route::{End, Reaches, Route};
use super::store::Store;
use super::trail::Step;

impl Telemetry<'_> {
    /// The line at fault when a tenant's signal is not in its own organisation alone; `None`
    /// where the files send it there, and a policy or something outside of them is to blame.
    pub fn blame(&self, tenant: &Tenant, signal: Signal) -> Option<Blame> {
        let open = |_: &super::Hop| Reaches::Yes;
        let mut route = Route::new(self, signal, &open);
        route.explains = true;
        let (_, passage) = route.send_for(tenant).ok()?;
        let wrong = passage.ends.iter().find_map(|end| wrong_org(tenant, end));
        wrong
            .or_else(|| passage.answer.fault.clone().map(|fault| blame_of(fault.step)))
            .or_else(|| passage.ends.iter().find_map(lost))
    }

    /// The line that has a store answer without an organisation.
    pub fn blame_access(&self, signal: Signal) -> Option<Blame> {
        let store = Store::of(self, signal).ok()?;
        (!store.tenancy).then(|| blame_of(store.step))
    }
}

fn blame_of(step: Step) -> Blame {
    Blame { location: step.location, because: step.what }
}

fn wrong_org(tenant: &Tenant, end: &End) -> Option<Blame> {
    match end {
        End::Stored { org, said } if *org != tenant.org => {
            let (name, own) = (&tenant.name, &tenant.org);
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
