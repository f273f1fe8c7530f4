//! The telemetry stores' own door: a query without an organisation, and the same with one.

use partywall_core::contract::Contract;
use partywall_core::inventory::Inventory;
use partywall_core::observation::{AccessObservation, Observation};
use partywall_core::probe::AccessProbe;

use super::deliver::reader;
use super::store::Store;
use super::streams::Streams;

/// Anything; the answer's status matters, not what is found.
const QUERY: &str = "partywall";

/// Ask one store with and without an organisation.
pub(super) async fn observe(
    streams: &Streams,
    contract: &Contract,
    inventory: &Inventory,
    probe: &AccessProbe,
) -> Observation {
    match ask(streams, contract, inventory, probe).await {
        Ok(seen) => Observation::Access(seen),
        Err(detail) => Observation::Failed { detail },
    }
}

async fn ask(
    streams: &Streams,
    contract: &Contract,
    inventory: &Inventory,
    probe: &AccessProbe,
) -> Result<AccessObservation, String> {
    let telemetry = contract.telemetry.as_ref().ok_or("the contract has no `telemetry`")?;
    let reader = reader(inventory, &telemetry.logs)
        .ok_or("there is no control client beside the telemetry stores")?;
    let org = contract.tenants.first().ok_or("the contract has no tenant")?.org.as_str();
    let store = Store::new(streams, reader, telemetry, probe.store)?;
    let control = store.query(Some(org), QUERY).await?;
    let without = store.query(None, QUERY).await?;
    let body: String = without.body.chars().take(80).collect();
    Ok(AccessObservation {
        outcome: without.outcome,
        status: without.status,
        control_status: control.status,
        detail: format!("{} {}", without.detail, body.trim()).trim().to_string(),
    })
}
