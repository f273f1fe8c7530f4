//! Probes of which each has a socket of its own.

use std::time::Duration;

use super::run::Ended;
use crate::protocol::{PaceTarget, ReachRequest, Speak};
use crate::resolve::Resolver;
use crate::{exchange, reach};

/// The probe of this number.
pub(super) fn request(target: &PaceTarget, number: u64, timeout: Duration) -> ReachRequest {
    ReachRequest {
        target: target.target.clone(),
        port: target.port,
        transport: target.transport,
        speak: Speak::Nonce,
        nonce: exchange::paced(&target.prefix, number),
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Puts it.
pub(super) async fn probe(resolver: &Resolver, request: &ReachRequest, number: u64) -> Ended {
    let at_us = exchange::now_us();
    let reply = reach::reach(resolver, request).await;
    Ended { number, at_us, elapsed_us: reply.elapsed_us, outcome: reply.outcome }
}
