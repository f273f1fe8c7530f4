//! What Loki and Mimir do with the organisation of a request.

use partywall_core::document::Node;
use partywall_core::event::NotJudged;
use partywall_core::probe::Signal;
use partywall_core::source::SourceLocation;

use super::config::read;
use super::estate::Telemetry;
use super::place::{Found, Place, Url, follow};
use super::trail::Step;

/// How a store treats organisations.
pub(super) struct Store<'a> {
    pub(super) place: Place<'a>,
    /// Whether it asks for one.
    pub(super) tenancy: bool,
    /// The line that says so, or the workload where the store's own default holds.
    pub(super) step: Step,
    signal: Signal,
}

/// A setting that is on or off.
struct Switch {
    /// In the configuration.
    path: &'static [&'static str],
    /// As a flag, which counts before the file.
    flag: &'static str,
    /// Where neither says.
    default: bool,
    on: &'static str,
    off: &'static str,
}

const fn tenancy(signal: Signal) -> Switch {
    let (path, flag): (&[&str], _) = match signal {
        Signal::Log => (&["auth_enabled"], "auth.enabled"),
        Signal::Metric => (&["multitenancy_enabled"], "auth.multitenancy-enabled"),
    };
    Switch {
        path,
        flag,
        default: true,
        on: "asks every request for its organisation",
        off: "puts everything into one organisation and asks nobody",
    }
}

/// <https://grafana.com/docs/loki/latest/operations/multi-tenancy/#multi-tenant-queries>,
/// <https://grafana.com/docs/mimir/latest/references/configuration-parameters/#tenant_federation>
const fn federation(signal: Signal) -> Switch {
    let (path, flag): (&[&str], _) = match signal {
        Signal::Log => {
            (&["querier", "multi_tenant_queries_enabled"], "querier.multi-tenant-queries-enabled")
        }
        Signal::Metric => (&["tenant_federation", "enabled"], "tenant-federation.enabled"),
    };
    Switch {
        path,
        flag,
        default: false,
        on: "lets whoever asks read several organisations at once",
        off: "lets nobody read several organisations at once",
    }
}

impl<'a> Store<'a> {
    /// The store that the contract names for a signal.
    pub(super) fn of(estate: &Telemetry<'a>, signal: Signal) -> Result<Self, NotJudged> {
        let (namespace, service, port) = estate.store_place(signal)?;
        let url = Url { host: format!("{service}.{namespace}.svc"), port };
        match follow(estate, namespace, &url)? {
            Found::At(place) => {
                let (tenancy, step) = read_switch(estate, &place, &tenancy(signal))?;
                Ok(Self { place, tenancy, step, signal })
            }
            Found::Nowhere(_, reason, location) => Err(NotJudged {
                subject: format!("store {namespace}/{service}:{port}"),
                reason: format!("{reason}: the contract's store is not in the layout"),
                location,
            }),
        }
    }

    /// Whether it answers who names several organisations at once, and the line that says so.
    pub(super) fn federation(&self, estate: &Telemetry<'a>) -> Result<(bool, Step), NotJudged> {
        read_switch(estate, &self.place, &federation(self.signal))
    }
}

fn read_switch(
    estate: &Telemetry<'_>,
    place: &Place<'_>,
    switch: &Switch,
) -> Result<(bool, Step), NotJudged> {
    let Switch { path, flag, default, .. } = switch;
    let key = path.join(".");
    let flags = place.container.flag(flag);
    // Go's flags: a switch without a value is on, and the next word is not its value.
    let bare = place.container.words().iter().any(|word| word.trim_start_matches('-') == *flag);
    if let Some(value) = flags.last().copied().or(bare.then_some("true")) {
        let is_on = bare || value != "false";
        let at = place.container.locate(estate.rendered, &["args"], flag);
        return Ok((is_on, switch.step(flag, is_on, at)));
    }
    let not_judged = |reason: String| place.workload.not_judged(reason);
    let paths = place.container.flag("config.file");
    let file = paths.last().ok_or_else(|| {
        not_judged(format!("it names no `-config.file`: whether `{key}` is on is unknown"))
    })?;
    let config = read(estate, &place.container, file)
        .map_err(|reason| not_judged(format!("{reason}: whether `{key}` is on is unknown")))?;
    if config.root.at(&["server", "http_path_prefix"]).is_some() {
        return Err(not_judged("`http_path_prefix` moves its addresses".to_string()));
    }
    let Some(item) = config.root.at(path) else {
        let what = match default {
            true => format!("`{key}` is on unless it is switched off: {}", switch.on),
            false => format!("`{key}` is off unless it is switched on: {}", switch.off),
        };
        return Ok((*default, Step::new(what, config.at(&config.root))));
    };
    match &item.node {
        Node::Scalar(text) if text == "true" || text == "false" => {
            let is_on = text == "true";
            Ok((is_on, switch.step(&key, is_on, config.at(item))))
        }
        _ => Err(not_judged(format!("`{key}` is neither true nor false in its file"))),
    }
}

impl Switch {
    fn step(&self, key: &str, is_on: bool, at: SourceLocation) -> Step {
        let does = if is_on { self.on } else { self.off };
        Step::new(format!("`{key}: {is_on}` {does}"), at)
    }
}

/// Whether a store takes an organisation's name.
/// <https://grafana.com/docs/loki/latest/operations/multi-tenancy/>
pub(super) fn is_valid(org: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "!_.*'()-".contains(c);
    !org.is_empty() && org.len() <= 150 && org != "." && org != ".." && org.chars().all(known)
}

/// The organisation that a store takes a header for: both cut off what stands behind a colon.
/// <https://pkg.go.dev/github.com/grafana/dskit/tenant#TenantID>
pub(super) fn named(header: &str) -> &str {
    header.split_once(':').map_or(header, |(org, _)| org)
}
