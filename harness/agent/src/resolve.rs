//! Names to addresses, through the pod's own `/etc/resolv.conf`, search list and `ndots`.
//!
//! Whether a name resolves now is part of the question, so no answer is kept for longer than a
//! moment, and a failure not at all. Within that moment probes share one look-up: a matrix asks for
//! a few names thousands of times, and would else measure how much the name server can bear.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_proto::rr::Name;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use crate::outcome::Ending;
use crate::protocol::Outcome;

/// One query to one server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
const QUERY_ATTEMPTS: usize = 2;
/// One name, with its whole search list.
const NAME_TIMEOUT: Duration = Duration::from_secs(6);
const QUERIES_IN_FLIGHT_MAX: usize = 4096;
/// How long a found address answers those who ask next: as long as a cluster's name server lets
/// anybody keep one (<https://coredns.io/plugins/kubernetes/>, `ttl`).
const MOMENT: Duration = Duration::from_secs(5);

/// A target as it is after resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The target was an address already.
    Literal(IpAddr),
    /// The target was a name.
    Looked(IpAddr),
}

impl Resolved {
    /// The address to use.
    pub fn ip(self) -> IpAddr {
        match self {
            Self::Literal(ip) | Self::Looked(ip) => ip,
        }
    }
}

/// The pod's resolver, or why there is none.
pub struct Resolver {
    inner: Result<TokioResolver, String>,
    lookups: Mutex<HashMap<String, Arc<LookUp>>>,
}

/// One look-up of one name, for all who ask meanwhile.
#[derive(Default)]
struct LookUp {
    found: OnceCell<Found>,
}

struct Found {
    at: Instant,
    address: Result<IpAddr, Ending>,
}

impl LookUp {
    /// Under way, or it found an address a moment ago.
    fn is_fresh(&self) -> bool {
        let is_stale = |found: &Found| found.address.is_err() || found.at.elapsed() >= MOMENT;
        !self.found.get().is_some_and(is_stale)
    }
}

impl Resolver {
    /// Reads the pod's resolver configuration. A pod without one can still be asked about
    /// addresses, so the error is kept for the first name.
    pub fn from_system() -> Self {
        let inner = build().map_err(|error| format!("failed to read /etc/resolv.conf: {error}"));
        Self::of(inner)
    }

    /// A resolver that asks these servers, for tests.
    pub fn with_servers(servers: &[SocketAddr], search: &[&str], ndots: usize) -> Self {
        let inner = build_with(servers, search, ndots)
            .map_err(|error| format!("failed to make a resolver: {error}"));
        Self::of(inner)
    }

    fn of(inner: Result<TokioResolver, String>) -> Self {
        Self { inner, lookups: Mutex::default() }
    }

    /// Finds the address of a target. IPv4 is preferred; one address is used, never several.
    pub async fn resolve(&self, target: &str) -> Result<Resolved, Ending> {
        let bare = target.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Resolved::Literal(ip));
        }
        let look_up = self.look_up(target);
        let find = || async { Found { address: self.ask(target).await, at: Instant::now() } };
        look_up.found.get_or_init(find).await.address.clone().map(Resolved::Looked)
    }

    /// The look-up of this name that is fresh, or a new one.
    fn look_up(&self, target: &str) -> Arc<LookUp> {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        match lookups.get(target).filter(|look_up| look_up.is_fresh()) {
            Some(look_up) => Arc::clone(look_up),
            None => {
                let look_up = Arc::new(LookUp::default());
                lookups.insert(target.to_owned(), Arc::clone(&look_up));
                look_up
            }
        }
    }

    async fn ask(&self, target: &str) -> Result<IpAddr, Ending> {
        let resolver = self.inner.as_ref().map_err(|detail| Ending::probe_error(detail.clone()))?;
        match timeout(NAME_TIMEOUT, resolver.lookup_ip(target)).await {
            Err(_) => Err(unresolved(target, "time-out")),
            Ok(Err(error)) => Err(type_error(target, &error)),
            Ok(Ok(addresses)) => {
                addresses.iter().next().ok_or_else(|| unresolved(target, "no addresses"))
            }
        }
    }
}

fn build() -> Result<TokioResolver, NetError> {
    finish(TokioResolver::builder_tokio()?)
}

fn build_with(
    servers: &[SocketAddr],
    search: &[&str],
    ndots: usize,
) -> Result<TokioResolver, NetError> {
    let mut config = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
    for domain in search {
        config.add_search(Name::from_str(domain).map_err(NetError::from)?);
    }
    for server in servers {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let connections = vec![connection];
        config.add_name_server(NameServerConfig::new(server.ip(), true, connections));
    }
    let provider = TokioRuntimeProvider::default();
    let mut builder = TokioResolver::builder_with_config(config, provider);
    builder.options_mut().ndots = ndots;
    finish(builder)
}

fn finish(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    options.timeout = QUERY_TIMEOUT;
    options.attempts = QUERY_ATTEMPTS;
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    options.max_active_requests = QUERIES_IN_FLIGHT_MAX;
    // A pod may not reach the DNS over TCP: TCP is for truncated answers only.
    options.try_tcp_on_error = false;
    builder.build()
}

fn type_error(target: &str, error: &NetError) -> Ending {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            unresolved(target, &none.response_code.to_string())
        }
        NetError::Dns(DnsError::ResponseCode(code)) => unresolved(target, &code.to_string()),
        NetError::Timeout => unresolved(target, "time-out"),
        // Too many sockets or queries: the name was not asked about.
        NetError::Busy => Ending::probe_error(format!("failed to look up {target}: {error}")),
        NetError::Io(cause) if is_local(cause) => {
            Ending::probe_error(format!("failed to look up {target}: {error}"))
        }
        NetError::Proto(_) => Ending::probe_error(format!("not a name: {target}: {error}")),
        other => unresolved(target, &other.to_string()),
    }
}

/// `ENFILE`, `EMFILE`: the look-up could not be made.
fn is_local(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

fn unresolved(target: &str, reason: &str) -> Ending {
    Ending::new(Outcome::Unresolved, format!("{target}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_not_looked_up() {
        let resolver = Resolver::of(Err("none".to_owned()));
        let expected = Resolved::Literal(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(resolver.resolve("127.0.0.1").await, Ok(expected));
        assert!(matches!(resolver.resolve("[::1]").await, Ok(Resolved::Literal(_))));
    }

    #[tokio::test]
    async fn a_pod_without_a_resolver_cannot_be_asked_about_names() {
        let resolver = Resolver::of(Err("failed to read /etc/resolv.conf: absent".to_owned()));
        let ending = resolver.resolve("gateway").await.unwrap_err();
        assert_eq!(ending.outcome, Outcome::ProbeError);
        assert!(ending.detail.contains("resolv.conf"));
    }
}
