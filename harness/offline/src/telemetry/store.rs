//! What Loki and Mimir do with the organisation of a request.

use partywall_core::document::Node;
use partywall_core::event::NotJudged;
use partywall_core::probe::Signal;

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
}

/// The switch in the configuration, and as a flag.
const fn switches(signal: Signal) -> (&'static str, &'static str) {
    match signal {
        Signal::Log => ("auth_enabled", "auth.enabled"),
        Signal::Metric => ("multitenancy_enabled", "auth.multitenancy-enabled"),
    }
}

impl<'a> Store<'a> {
    /// The store that the contract names for a signal.
    pub(super) fn of(estate: &Telemetry<'a>, signal: Signal) -> Result<Self, NotJudged> {
        let (namespace, service, port) = estate.store_place(signal)?;
        let url = Url { host: format!("{service}.{namespace}.svc"), port };
        match follow(estate, namespace, &url)? {
            Found::At(place) => Self::read(estate, place, signal),
            Found::Nowhere(_, reason, location) => Err(NotJudged {
                subject: format!("store {namespace}/{service}:{port}"),
                reason: format!("{reason}: the contract's store is not in the layout"),
                location,
            }),
        }
    }

    fn read(estate: &Telemetry<'a>, place: Place<'a>, signal: Signal) -> Result<Self, NotJudged> {
        let (key, flag) = switches(signal);
        let flags = place.container.flag(flag);
        // Go's flags: a switch without a value is on, and the next word is not its value.
        let bare = place.container.words().iter().any(|word| word.trim_start_matches('-') == flag);
        if let Some(value) = flags.last().copied().or(bare.then_some("true")) {
            let tenancy = bare || value != "false";
            let at = place.container.locate(estate.rendered, &["args"], flag);
            return Ok(Self { place, tenancy, step: words(flag, tenancy, at) });
        }
        let not_judged = |reason: String| place.workload.not_judged(reason);
        let paths = place.container.flag("config.file");
        let path = paths.last().ok_or_else(|| {
            let reason = format!("it names no `-config.file`: whether `{key}` is on is unknown");
            not_judged(reason)
        })?;
        let config = read(estate, &place.container, path)
            .map_err(|reason| not_judged(format!("{reason}: whether `{key}` is on is unknown")))?;
        if config.root.at(&["server", "http_path_prefix"]).is_some() {
            return Err(not_judged("`http_path_prefix` moves its addresses".to_string()));
        }
        let Some(item) = config.root.get(key) else {
            let what =
                format!("`{key}` is on unless it is switched off: an organisation is asked for");
            let step = Step::new(what, config.at(&config.root));
            return Ok(Self { place, tenancy: true, step });
        };
        match &item.node {
            Node::Scalar(text) if text == "true" || text == "false" => {
                let tenancy = text == "true";
                Ok(Self { place, tenancy, step: words(key, tenancy, config.at(item)) })
            }
            _ => Err(not_judged(format!("`{key}` is neither true nor false in its file"))),
        }
    }
}

fn words(key: &str, tenancy: bool, at: partywall_core::source::SourceLocation) -> Step {
    let what = if tenancy {
        format!("`{key}: true` asks every request for its organisation")
    } else {
        format!("`{key}: false` puts everything into one organisation and asks nobody")
    };
    Step::new(what, at)
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
