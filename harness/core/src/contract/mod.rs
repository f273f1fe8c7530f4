//! The contract: `partywall.yaml` at a layout's root. What it does not allow is denied.

mod check;
mod model;

pub use check::{ContractError, check};
pub use model::{
    Contract, Endpoint, Entity, Flow, FlowTarget, OrgSource, Repository, Secrets, Telemetry, Tenant,
};
