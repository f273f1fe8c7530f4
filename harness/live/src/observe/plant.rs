//! Markers that something can be read by: one of each tenant, written by its own pod in its own
//! way, and waited for where they belong. What is not shown later was there to be shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partywall_agent::protocol::Signal;
use partywall_core::contract::Contract;
use partywall_core::inventory::Inventory;
use partywall_core::probe::DeliverProbe;

use super::deliver::{Marker, Session};
use super::store::Store;
use super::streams::Streams;
use crate::wait::{Poll, Wait, until};

/// How long markers may take from the collector to the stores.
const MARKER_WAIT: Wait = Wait::seconds(20).every(Duration::from_millis(250));

/// Markers of every tenant.
pub(super) struct Planted {
    /// What all of their names begin with.
    pub(super) prefix: String,
    /// Per signal and organisation.
    names: BTreeMap<(Signal, String), String>,
}

impl Planted {
    /// The organisations whose tenant's marker is in a store's answer.
    pub(super) fn shown(&self, signal: Signal, body: &str) -> BTreeSet<String> {
        let of_signal = self.names.iter().filter(|((of, _), _)| *of == signal);
        // The closing quote keeps marker_1 from being found in marker_12.
        let shown = of_signal.filter(|(_, name)| body.contains(&format!("{name}\"")));
        shown.map(|((_, org), _)| org.clone()).collect()
    }
}

/// Write markers of these signals, and wait until each is in its own organisation, or for long
/// enough. One that is not there then is no control, which is told by who reads next.
pub(super) async fn plant(
    streams: &Streams,
    contract: &Contract,
    inventory: &Inventory,
    signals: &BTreeSet<Signal>,
) -> Result<Planted, String> {
    let session = Session::begin(streams, contract, inventory)?;
    let of_tenant = |signal: &Signal| {
        let signal = *signal;
        contract.tenants.iter().map(move |tenant| DeliverProbe::of(tenant.clone(), signal))
    };
    let probes: Vec<DeliverProbe> = signals.iter().flat_map(of_tenant).collect();
    let numbered: Vec<(usize, &DeliverProbe)> = probes.iter().enumerate().collect();
    let senders = session.senders(|_| true).await;
    let markers = session.send_markers(&numbered, &senders).await;
    wait_for(&session, &markers).await?;
    let name = |marker: Marker<'_>| {
        ((marker.probe.signal, marker.probe.tenant.org.clone()), marker.name.clone())
    };
    let names = markers.into_iter().map(name).collect();
    Ok(Planted { prefix: session.prefix.clone(), names })
}

async fn wait_for(session: &Session<'_>, markers: &[Marker<'_>]) -> Result<(), String> {
    let taken = |marker: &&Marker<'_>| marker.reply.as_ref().is_ok_and(|reply| reply.accepted);
    let look = || async {
        for marker in markers.iter().filter(taken) {
            let probe = marker.probe;
            let store =
                Store::new(session.streams, session.reader, session.telemetry, probe.signal);
            let store = match store {
                Ok(store) => store,
                Err(detail) => return Poll::Failed(Malformed(detail)),
            };
            let found = store.query(Some(&probe.tenant.org), &session.prefix).await;
            if !found.is_ok_and(|reply| marker.is_in(&reply.body)) {
                return Poll::not_yet(format!("no marker in {}", probe.tenant.org));
            }
        }
        Poll::Ready(())
    };
    let waited = until("every marker in its own organisation", MARKER_WAIT, look).await;
    match waited {
        Err(crate::wait::WaitError::Failed(error)) => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// A place of the contract that is none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Malformed(String);
