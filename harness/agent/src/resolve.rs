//! Names to addresses, through the pod's own `/etc/resolv.conf`, search list and `ndots`.
//!
//! Nothing is cached: whether a name resolves now is part of the question.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use hickory_proto::rr::Name;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use tokio::time::timeout;

use crate::outcome::Ending;
use crate::protocol::Outcome;

/// One query to one server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
const QUERY_ATTEMPTS: usize = 2;
/// One name, with its whole search list.
const NAME_TIMEOUT: Duration = Duration::from_secs(6);
const QUERIES_IN_FLIGHT_MAX: usize = 4096;

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
}

impl Resolver {
    /// Reads the pod's resolver configuration. A pod without one can still be asked about
    /// addresses, so the error is kept for the first name.
    pub fn from_system() -> Self {
        let inner = build().map_err(|error| format!("failed to read /etc/resolv.conf: {error}"));
        Self { inner }
    }

    /// A resolver that asks these servers, for tests.
    pub fn with_servers(servers: &[SocketAddr], search: &[&str], ndots: usize) -> Self {
        let inner = build_with(servers, search, ndots)
            .map_err(|error| format!("failed to make a resolver: {error}"));
        Self { inner }
    }

    /// Finds the address of a target. IPv4 is preferred; one address is used, never several.
    pub async fn resolve(&self, target: &str) -> Result<Resolved, Ending> {
        let bare = target.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Ok(Resolved::Literal(ip));
        }
        let resolver = self.inner.as_ref().map_err(|detail| Ending::probe_error(detail.clone()))?;
        match timeout(NAME_TIMEOUT, resolver.lookup_ip(target)).await {
            Err(_) => Err(unresolved(target, "time-out")),
            Ok(Err(error)) => Err(type_error(target, &error)),
            Ok(Ok(addresses)) => addresses
                .iter()
                .next()
                .map(Resolved::Looked)
                .ok_or_else(|| unresolved(target, "no addresses")),
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
        let resolver = Resolver { inner: Err("none".to_owned()) };
        let expected = Resolved::Literal(IpAddr::from([127, 0, 0, 1]));
        assert_eq!(resolver.resolve("127.0.0.1").await, Ok(expected));
        assert!(matches!(resolver.resolve("[::1]").await, Ok(Resolved::Literal(_))));
    }

    #[tokio::test]
    async fn a_pod_without_a_resolver_cannot_be_asked_about_names() {
        let resolver =
            Resolver { inner: Err("failed to read /etc/resolv.conf: absent".to_owned()) };
        let ending = resolver.resolve("gateway").await.unwrap_err();
        assert_eq!(ending.outcome, Outcome::ProbeError);
        assert!(ending.detail.contains("resolv.conf"));
    }
}
