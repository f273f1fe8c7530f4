//! The answer to a load probe: every item goes the way of one marker, as far as the files tell.

use partywall_core::document::Item;
use partywall_core::event::NotJudged;
use partywall_core::load::{LoadObservation, LoadProbe, LoadSight, REQUEST_ITEMS};
use partywall_core::observation::OrgSight;
use partywall_core::probe::{DeliverProbe, Signal};

use super::config::read;
use super::estate::Telemetry;
use super::observe::Deliveries;
use super::store::Store;

/// A log of the load is no shorter: its prefix, its sender and its number.
const LOG_BYTES: f64 = 30.0;

/// Settings by which a store refuses what comes too fast or is too much. Without them its own
/// defaults hold, which the load of the harness stays below.
pub(crate) const fn limits(signal: Signal) -> (&'static str, &'static [&'static str]) {
    match signal {
        Signal::Log => (
            "limits_config",
            &[
                "ingestion_rate_mb",
                "ingestion_burst_size_mb",
                "per_stream_rate_limit",
                "per_stream_rate_limit_burst",
                "max_line_size",
                "max_global_streams_per_user",
                "max_streams_per_user",
                "max_structured_metadata_size",
            ],
        ),
        Signal::Metric => (
            "limits",
            &[
                "ingestion_rate",
                "ingestion_burst_size",
                "request_rate",
                "request_burst_size",
                "max_global_series_per_user",
                "max_global_series_per_metric",
                "ingestion_tenant_shard_size",
            ],
        ),
    }
}

/// Where else a store is told limits, which are not read.
const ELSEWHERE: [&[&str]; 6] = [
    &["runtime_config"],
    &["overrides"],
    &["limits", "per_tenant_override_config"],
    &["limits_config", "per_tenant_override_config"],
    &["distributor", "instance_limits"],
    &["ingester", "instance_limits"],
];

/// Flags go before the file.
fn is_limit_flag(word: &str) -> bool {
    let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or_default();
    let name = bare.split('=').next().unwrap_or_default();
    ["limit", "ingestion-", "runtime-config."].iter().any(|part| name.contains(part))
}

impl Deliveries<'_, '_> {
    /// Where everything arrives that a tenant sends while all tenants send.
    ///
    /// # Errors
    ///
    /// What on the way cannot be judged, by name: a store's limit may be below the load or above,
    /// which only a clock can tell.
    pub fn load(&self, probe: &LoadProbe) -> Result<LoadObservation, NotJudged> {
        let LoadProbe { tenant, signal, over, items } = probe;
        let marker = DeliverProbe { over: *over, ..DeliverProbe::of(tenant.clone(), *signal) };
        // All senders fill the pipeline at once, and each fence comes after them.
        let seen = self.with_fences(&marker, true)?;
        let is_limited = seen.accepted && self.estate().limited(*signal)?;
        let sent = u64::from(*items);
        let sight = |(org, sight): (String, OrgSight)| {
            let found = if sight.marker && !is_limited { sent } else { 0 };
            (org, LoadSight { found, fence: sight.fence })
        };
        Ok(LoadObservation {
            sender: seen.sender,
            sent,
            accepted: if seen.accepted { sent } else { 0 },
            outcome: seen.outcome,
            detail: seen.detail,
            orgs: seen.orgs.into_iter().map(sight).collect(),
            sending_us: 0,
            together_us: None,
            visible_us: None,
        })
    }
}

impl Telemetry<'_> {
    /// Whether a store takes no request of the load: each is larger than what it takes at once, and
    /// no waiting helps. Any other limit that is set cannot be judged without a clock.
    fn limited(&self, signal: Signal) -> Result<bool, NotJudged> {
        let store = Store::of(self, signal)?;
        let (section, names) = limits(signal);
        let place = &store.place;
        let not_judged = |reason: String| place.workload.not_judged(reason);
        if let Some(flag) = place.container.words().into_iter().find(|word| is_limit_flag(word)) {
            return Err(not_judged(format!("`{flag}` may limit what it takes, tenant by tenant")));
        }
        let Some(path) = place.container.flag("config.file").last().copied() else {
            return Ok(false);
        };
        let config = read(self, &place.container, path).map_err(not_judged)?;
        if let Some(item) = ELSEWHERE.iter().find_map(|path| config.root.at(path)) {
            return Err(NotJudged {
                location: Some(config.at(item)),
                ..not_judged("limits may stand elsewhere, tenant by tenant".to_string())
            });
        }
        let Some(limits) = config.root.get(section) else { return Ok(false) };
        if burst(limits, signal).is_some_and(|burst| burst < least(signal)) {
            return Ok(true);
        }
        let set = names.iter().find_map(|name| Some((*name, limits.get(name)?)));
        match set {
            None => Ok(false),
            Some((name, item)) => Err(NotJudged {
                location: Some(config.at(item)),
                ..not_judged(format!(
                    "`{name}` limits what it takes: only a run tells whether that is enough for \
                     the load"
                ))
            }),
        }
    }
}

/// How much a store takes at once: bytes of logs, or samples.
fn burst(limits: &Item, signal: Signal) -> Option<f64> {
    let number = |name: &str| limits.text(&[name])?.parse::<f64>().ok();
    match signal {
        Signal::Log => number("ingestion_burst_size_mb").map(|mb| mb * 1_048_576.0),
        Signal::Metric => number("ingestion_burst_size"),
    }
}

/// What one request of the load has at least.
fn least(signal: Signal) -> f64 {
    let items = f64::from(REQUEST_ITEMS);
    match signal {
        Signal::Log => items * LOG_BYTES,
        Signal::Metric => items,
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
