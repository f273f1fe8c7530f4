//! From a request to a reply: resolve, choose the exchange, measure.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{dns, https, tcp, udp};
use crate::exchange;
use crate::outcome::Ending;
use crate::protocol::{Outcome, ReachReply, ReachRequest, Speak, Transport};
use crate::resolve::{Resolved, Resolver};

/// One probe after its target was resolved.
pub(super) struct Attempt<'a> {
    pub address: SocketAddr,
    pub transport: Transport,
    pub nonce: &'a str,
    pub host: &'a str,
    pub deadline: Instant,
}

/// What an exchange found out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Finding {
    pub local_port: Option<u16>,
    pub echoed: bool,
    pub answered_by: Option<String>,
    pub ending: Option<Ending>,
}

impl Finding {
    /// A complete exchange.
    pub fn complete(local_port: Option<u16>, detail: impl Into<String>) -> Self {
        Self::ended(local_port, Ending::new(Outcome::Reached, detail))
    }

    /// An exchange that ended like this.
    pub fn ended(local_port: Option<u16>, ending: Ending) -> Self {
        Self { local_port, ending: Some(ending), ..Self::default() }
    }
}

/// Answers [`crate::protocol::Ask::Reach`].
pub async fn reach(resolver: &Resolver, request: &ReachRequest) -> ReachReply {
    if !exchange::is_nonce(&request.nonce) {
        let ending = Ending::probe_error("the nonce must be 1 to 64 letters or digits");
        return reply(Finding::ended(None, ending), None, Duration::ZERO);
    }
    let resolved = match resolver.resolve(&request.target).await {
        Ok(resolved) => resolved,
        Err(ending) => return reply(Finding::ended(None, ending), None, Duration::ZERO),
    };
    let begun = Instant::now();
    let attempt = Attempt {
        address: SocketAddr::new(resolved.ip(), request.port),
        transport: request.transport,
        nonce: &request.nonce,
        host: &request.target,
        deadline: begun + Duration::from_millis(request.timeout_ms),
    };
    let finding = speak(request.transport, request.speak, &attempt).await;
    let looked = match resolved {
        Resolved::Looked(ip) => Some(ip.to_string()),
        Resolved::Literal(_) => None,
    };
    reply(finding, looked, begun.elapsed())
}

async fn speak(transport: Transport, speak: Speak, attempt: &Attempt<'_>) -> Finding {
    match (transport, speak) {
        (Transport::Tcp | Transport::Sctp, Speak::Nonce) => tcp::nonce(attempt).await,
        (Transport::Tcp | Transport::Sctp, Speak::Connect) => tcp::connect(attempt).await,
        (Transport::Tcp, Speak::Dns) => dns::over_tcp(attempt).await,
        (Transport::Tcp, Speak::Lookup) => dns::look_up_over_tcp(attempt).await,
        (Transport::Tcp, Speak::Https) => https::probe(attempt).await,
        (Transport::Udp, Speak::Nonce) => udp::nonce(attempt).await,
        (Transport::Udp, Speak::Dns) => dns::over_udp(attempt).await,
        (Transport::Udp, Speak::Lookup) => dns::look_up_over_udp(attempt).await,
        (Transport::Udp, Speak::Connect | Speak::Https)
        | (Transport::Sctp, Speak::Dns | Speak::Lookup | Speak::Https) => Finding::ended(
            None,
            Ending::probe_error("there is no such exchange over this protocol"),
        ),
    }
}

fn reply(finding: Finding, address: Option<String>, elapsed: Duration) -> ReachReply {
    let ending = finding.ending.unwrap_or_else(|| Ending::new(Outcome::Reached, ""));
    ReachReply {
        outcome: ending.outcome,
        address,
        local_port: finding.local_port,
        echoed: finding.echoed,
        answered_by: finding.answered_by,
        elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        detail: ending.detail,
    }
}
