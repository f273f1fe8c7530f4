//! What a contract says of a flow.

use partywall_core::contract::{Contract, Tenant};
use partywall_core::port::Port;

use super::end::Both;
use super::inhabitants::Inhabitant;

/// What a contract says of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stance {
    Allowed,
    Denied,
    /// Nothing: both ends are the platform's own.
    Silent,
}

impl Stance {
    /// Of a flow that is opened: whether the contract has nothing against it.
    pub(super) fn is_open(self) -> bool {
        self != Self::Denied
    }

    /// Of a flow that is closed: whether the contract promises it.
    pub(super) fn is_promised(self) -> bool {
        self == Self::Allowed
    }
}

/// Of a flow between two namespaces.
pub(super) fn of_pair(
    contract: &Contract,
    from: &str,
    (to, target): (&str, &Inhabitant),
    port: Port,
) -> Stance {
    let Some(tenant) = contract.tenant_of(from) else { return from_nobody(contract, to) };
    let own = owns(tenant, to) && contract.allows_same_tenant(&tenant.name);
    match own || contract.allows(&tenant.name, to, &target.labels, port) {
        true => Stance::Allowed,
        false => Stance::Denied,
    }
}

/// Of a flow from what is no tenant's.
pub(super) fn from_nobody(contract: &Contract, to: &str) -> Stance {
    match contract.tenant_of(to) {
        Some(_) => Stance::Denied,
        None => Stance::Silent,
    }
}

/// Of a flow to addresses outside.
pub(super) fn to_addresses(contract: &Contract, from: &str) -> Stance {
    from_nobody(contract, from)
}

/// Of a flow to an entity of the contract.
pub(super) fn to_entity(contract: &Contract, from: &str, name: &str, port: Port) -> Stance {
    let Some(tenant) = contract.tenant_of(from) else { return Stance::Silent };
    let is_port = contract.endpoints.get(name).is_some_and(|one| one.ports.contains(&port));
    match is_port && contract.allowed_endpoints(&tenant.name).contains(&name) {
        true => Stance::Allowed,
        false => Stance::Denied,
    }
}

/// Whether two namespaces are one tenant's.
pub(super) fn is_own(contract: &Contract, from: &str, to: &str) -> bool {
    contract.tenant_of(from).is_some_and(|tenant| owns(tenant, to))
}

fn owns(tenant: &Tenant, namespace: &str) -> bool {
    tenant.namespaces.iter().any(|own| own == namespace)
}

/// The contract that a closed flow is held to: the one after the change, or the one before where
/// the tenant of one of these namespaces is gone.
pub(super) fn promising<'a>(contracts: Both<&'a Contract>, namespaces: [&str; 2]) -> &'a Contract {
    let is_lost = |namespace: &str| {
        contracts.base.tenant_of(namespace).is_some()
            && contracts.head.tenant_of(namespace).is_none()
    };
    match namespaces.into_iter().any(is_lost) {
        true => contracts.base,
        false => contracts.head,
    }
}
