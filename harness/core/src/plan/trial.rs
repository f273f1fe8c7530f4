//! Trials: what a test runner lists.

use crate::cluster::Backend;
use crate::contract::{Contract, Tenant};
use crate::scenario::{Each, Scenario};

/// One scenario for one tenant, one pair of tenants, or once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// `<backend>::<topic>::<claim>::<instance>`.
    pub name: String,
    /// The claim with the tenants' names in it.
    pub claim: String,
    /// The scenario.
    pub scenario: Scenario,
    /// The tenant it is made for.
    pub tenant: Option<String>,
    /// The other tenant of the pair.
    pub other: Option<String>,
}

impl Trial {
    /// The tenant it is made for, in the contract.
    pub fn tenant<'a>(&self, contract: &'a Contract) -> Option<&'a Tenant> {
        contract.tenant(self.tenant.as_deref()?)
    }

    /// The other tenant of the pair, in the contract.
    pub fn other<'a>(&self, contract: &'a Contract) -> Option<&'a Tenant> {
        contract.tenant(self.other.as_deref()?)
    }

    /// The first part of the scenario's path: `reach`, `isolation`, `secrets`, `telemetry`.
    pub fn topic(&self) -> &str {
        self.scenario.path.split('/').next().unwrap_or_default()
    }
}

/// Every trial of these scenarios over the contract's tenants, in a fixed order. A tenant that
/// is added to the contract is covered without an edit to any scenario.
pub fn trials(backend: Backend, scenarios: &[Scenario], contract: &Contract) -> Vec<Trial> {
    let mut trials = Vec::new();
    for scenario in scenarios {
        let names = || contract.tenants.iter().map(|tenant| tenant.name.as_str());
        match scenario.each {
            Each::Once => trials.push(trial(backend, scenario, None, None)),
            Each::EachTenant => {
                trials.extend(names().map(|tenant| trial(backend, scenario, Some(tenant), None)));
            }
            Each::EachTenantPair => {
                for tenant in names() {
                    let others = names().filter(|other| *other != tenant);
                    trials.extend(
                        others.map(|other| trial(backend, scenario, Some(tenant), Some(other))),
                    );
                }
            }
        }
    }
    trials
}

fn trial(
    backend: Backend,
    scenario: &Scenario,
    tenant: Option<&str>,
    other: Option<&str>,
) -> Trial {
    let mut name = format!("{backend}::{}", scenario.path.replace('/', "::").replace('-', "_"));
    let mut claim = scenario.claim.clone();
    for (placeholder, value) in [("{tenant}", tenant), ("{other}", other)] {
        let Some(value) = value else { continue };
        claim = claim.replace(placeholder, value);
        let joint = if placeholder == "{other}" { "_to_" } else { "::" };
        name.push_str(joint);
        name.push_str(&value.replace('-', "_"));
    }
    Trial {
        name,
        claim,
        scenario: scenario.clone(),
        tenant: tenant.map(str::to_string),
        other: other.map(str::to_string),
    }
}
