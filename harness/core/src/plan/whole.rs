//! One plan for many trials.

use super::cell::Plan;
use super::dns;
use super::trial::Trial;
use super::{attempt, reach};
use crate::contract::{Contract, Tenant};
use crate::index::Index;
use crate::inventory::Inventory;
use crate::probe::{AccessProbe, DeliverProbe, Probe, SecretProbe};
use crate::scenario::{Deliver, Question};

/// Plan the cells of these trials. Probes that several cells need are put once.
pub fn plan(trials: &[Trial], contract: &Contract, inventory: &Inventory) -> Plan {
    let mut plan = Plan::default();
    let index_of_pods = Index::of(inventory);
    for (index, trial) in trials.iter().enumerate() {
        match &trial.scenario.probe {
            Question::Reach(question) => {
                let asked = reach::Asked { index, trial, question, pods: &index_of_pods };
                reach::plan_reach(&mut plan, &asked, contract, inventory);
            }
            Question::Secret(question) => {
                let Some(tenant) = trial.tenant(contract) else { continue };
                let probe = SecretProbe { tenant: tenant.clone(), ask: question.ask };
                plan.single(index, Probe::Secret(probe), &tenant.name, "secrets");
            }
            Question::Deliver(question) => {
                let Some(tenant) = trial.tenant(contract) else { continue };
                let other = trial.other(contract);
                for (probe, target) in deliveries(question, tenant, other) {
                    plan.single(index, Probe::Deliver(probe), &tenant.name, &target);
                }
            }
            Question::Dns(question) => {
                dns::plan_dns(&mut plan, (index, trial), question, contract, inventory);
            }
            Question::Access(question) => {
                let store = format!("{:?} store", question.store).to_lowercase();
                let probe = AccessProbe { store: question.store };
                plan.single(index, Probe::Access(probe), "platform", &store);
            }
            Question::Attempt(question) => {
                attempt::plan_attempts(&mut plan, index, trial, question, contract, inventory);
            }
        }
    }
    plan.mark_answered(trials);
    plan
}

/// Each signal by each way, forged in each manner, with a name for people.
fn deliveries(
    question: &Deliver,
    tenant: &Tenant,
    other: Option<&Tenant>,
) -> Vec<(DeliverProbe, String)> {
    let ways = || {
        let asked = question.over.iter().copied().map(Some);
        asked.chain(question.over.is_empty().then_some(None))
    };
    let forgeries = || {
        let asked = question.forge.iter().copied().map(Some);
        asked.chain(question.forge.is_empty().then_some(None))
    };
    let mut found = Vec::new();
    for signal in &question.signal {
        for over in ways() {
            for forge in forgeries() {
                let signal_name = format!("{signal:?}").to_lowercase();
                let name = match forge {
                    Some(_) => format!("{signal_name}, forged"),
                    None => signal_name,
                };
                let forged = forge.map(|forge| forge.of(tenant, other));
                let probe = DeliverProbe { tenant: tenant.clone(), signal: *signal, over, forged };
                found.push((probe, name));
            }
        }
    }
    found
}
