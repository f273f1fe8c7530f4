//! One plan for many trials.

use super::cell::Plan;
use super::dns;
use super::trial::Trial;
use super::{attempt, reach};
use crate::contract::{Contract, Tenant};
use crate::index::Index;
use crate::inventory::Inventory;
use crate::load::{LoadProbe, items_each};
use crate::probe::{
    AccessProbe, Asker, DeliverProbe, Probe, SecretProbe, SourcesProbe, signal_word,
};
use crate::scenario::Load;
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
            Question::Load(question) => {
                let Some(tenant) = trial.tenant(contract) else { continue };
                for probe in loads(question, tenant, contract) {
                    let column = probe.words();
                    plan.single(index, Probe::Load(probe), &tenant.name, &column);
                }
            }
            Question::Dns(question) => {
                dns::plan_dns(&mut plan, (index, trial), question, contract, inventory);
            }
            Question::Access(question) => {
                let mut store = format!("{} store", signal_word(question.store));
                if question.by == Asker::TwoOrganisations {
                    store.push_str(", as two organisations");
                }
                let probe = AccessProbe { store: question.store, by: question.by };
                plan.single(index, Probe::Access(probe), "platform", &store);
            }
            Question::DataSources(question) => {
                let Some(tenant) = trial.tenant(contract) else { continue };
                for store in &question.store {
                    let column = format!("{} data sources", signal_word(*store));
                    let probe = SourcesProbe { tenant: tenant.clone(), store: *store };
                    plan.single(index, Probe::Sources(probe), &tenant.name, &column);
                }
            }
            Question::Attempt(question) => {
                attempt::plan_attempts(&mut plan, index, trial, question, contract, inventory);
            }
        }
    }
    plan.mark_answered(trials);
    plan
}

/// Each signal by each way, so many items that a cluster takes what all tenants send together.
fn loads(question: &Load, tenant: &Tenant, contract: &Contract) -> Vec<LoadProbe> {
    let asked = question.over.iter().copied().map(Some);
    let ways: Vec<_> = asked.chain(question.over.is_empty().then_some(None)).collect();
    let senders = contract.tenants.len() * question.signal.len() * ways.len();
    let items = items_each(question.items, senders);
    let signals = question.signal.iter();
    let each = signals.flat_map(|signal| ways.iter().map(move |over| (*signal, *over)));
    each.map(|(signal, over)| LoadProbe { tenant: tenant.clone(), signal, over, items }).collect()
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
                let signal_name = signal_word(*signal).to_string();
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
