//! Headers on their way through a collector, and who set them.

use std::collections::BTreeMap;

use partywall_core::document::Item;
use partywall_core::event::NotJudged;

use super::collector::Collector;
use super::trail::{Fault, FaultKind, Step};

/// The header that names the organisation.
pub(super) const ORG: &str = "x-scope-orgid";

/// A header's value and who decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) value: String,
    /// Where the value was decided.
    pub(super) step: Step,
    pub(super) by_sender: bool,
    /// Whether the sender claims what is not its own.
    pub(super) is_forged: bool,
    /// Whether the sender says it twice, and differently; the first is kept.
    is_twice: bool,
    /// Where a collector took it from its client and passed it on.
    pub(super) passed_on: Option<Step>,
}

impl Said {
    /// A value that somebody on the way decided.
    pub(super) const fn fixed(value: String, step: Step) -> Self {
        Self { value, step, by_sender: false, is_forged: false, is_twice: false, passed_on: None }
    }

    /// A value that the sender wrote.
    pub(super) const fn sent(value: String, step: Step) -> Self {
        Self { value, step, by_sender: true, is_forged: false, is_twice: false, passed_on: None }
    }
}

/// The headers that a request still has.
#[derive(Clone, Debug)]
pub(super) struct Headers {
    known: BTreeMap<String, Said>,
    /// Why the organisation is missing, if it is.
    missing: Fault,
}

impl Headers {
    /// Those of a sender; `missing` is said of a header that it does not send.
    pub(super) fn new(known: BTreeMap<String, Said>, missing: Fault) -> Self {
        Self { known, missing }
    }

    /// A header; an empty one is none.
    pub(super) fn get(&self, name: &str) -> Option<&Said> {
        self.known.get(&name.to_ascii_lowercase()).filter(|said| !said.value.is_empty())
    }

    /// A header as it was sent, also without a value.
    fn written(&self, name: &str) -> Option<&Said> {
        self.known.get(&name.to_ascii_lowercase())
    }

    /// Whether there is none that could be lost.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Why the organisation is missing.
    pub(super) const fn missing(&self) -> &Fault {
        &self.missing
    }

    /// Lines in the place of the sender's organisation.
    pub(super) fn forge(&mut self, lines: &[(String, String)], at: &Step) {
        self.known.remove(ORG);
        for (name, value) in lines {
            let step =
                Step::new(format!("the sender forges `{name}: {value}`"), at.location.clone());
            let forged = Said { is_forged: true, ..Said::sent(value.clone(), step) };
            let known = self.known.entry(name.to_ascii_lowercase());
            known.and_modify(|said| said.is_twice = said.value != *value).or_insert(forged);
        }
    }

    /// Lose all but some; `step` says where.
    pub(super) fn keep(&mut self, keys: &[String], step: Step) {
        let before = self.known.len();
        self.known.retain(|name, _| keys.iter().any(|key| key.eq_ignore_ascii_case(name)));
        if self.known.len() < before {
            self.missing = Fault::new(FaultKind::Organisation, step);
        }
    }
}

/// The headers of an exporter's requests: its own, then what its authenticator makes of them.
pub(super) fn outgoing(
    collector: &Collector<'_>,
    id: &str,
    exporter: &Item,
    received: &Headers,
) -> Result<Headers, NotJudged> {
    let what = format!("exporter `{id}` sends no organisation: it has no authenticator for it");
    let missing = Fault::new(FaultKind::Organisation, collector.step(what, exporter));
    let mut headers = Headers::new(BTreeMap::new(), missing);
    for (name, value) in exporter.entries(&["headers"]) {
        let text = collector.scalar(value)?.unwrap_or_default();
        let step = collector.step(told(name, "the collector sends everything as", &text), value);
        headers.known.insert(name.to_ascii_lowercase(), Said::fixed(text, step));
    }
    let Some(authenticator) = exporter.at(&["auth", "authenticator"]) else { return Ok(headers) };
    let name = collector.scalar(authenticator)?.unwrap_or_default();
    let Some((_, extension)) = collector.component("extensions", &name) else { return Ok(headers) };
    match super::collector::kind(&name) {
        "headers_setter" => {
            for entry in extension.items(&["headers"]) {
                apply(collector, entry, received, &mut headers)?;
            }
            Ok(headers)
        }
        // These prove who the collector is and leave other headers alone.
        "basicauth" | "bearertokenauth" | "oauth2client" | "sigv4auth" | "googleclientauth" => {
            Ok(headers)
        }
        _ => Err(collector.unknown(&format!("authenticator `{name}`"), extension)),
    }
}

/// One entry of `headers_setter`.
fn apply(
    collector: &Collector<'_>,
    entry: &Item,
    received: &Headers,
    headers: &mut Headers,
) -> Result<(), NotJudged> {
    let key = collector.text(entry, &["key"])?.unwrap_or_default().to_ascii_lowercase();
    let present = headers.known.get(&key).is_some_and(|said| !said.value.is_empty());
    let action = collector.text(entry, &["action"])?;
    match action.as_deref() {
        Some("delete") => {
            let what = format!("the collector removes `{key}`");
            headers.known.remove(&key);
            headers.missing = Fault::new(FaultKind::Organisation, collector.step(what, entry));
            return Ok(());
        }
        Some("insert") if present => return Ok(()),
        Some("update") if !present => return Ok(()),
        _ => {}
    }
    match sourced(collector, entry, received)? {
        Some(said) => {
            headers.known.insert(key, said);
        }
        // What is missing in the request is set to nothing, in place of what stood there.
        None => {
            headers.known.remove(&key);
            headers.missing = received.missing().clone();
        }
    }
    Ok(())
}

/// What is said of a header; only an organisation is shown, for others may be credentials.
pub(super) fn told(name: &str, what: &str, value: &str) -> String {
    if name.eq_ignore_ascii_case(ORG) {
        return format!("{what} `{value}`");
    }
    format!("{what} it is told in `{name}`")
}

/// The value that an entry takes, from its text or from the request that came in.
fn sourced(
    collector: &Collector<'_>,
    entry: &Item,
    received: &Headers,
) -> Result<Option<Said>, NotJudged> {
    if let Some(value) = entry.get("value") {
        let text = collector.scalar(value)?.unwrap_or_default();
        let key = entry.text(&["key"]).unwrap_or_default();
        let what = told(key, "the collector sends everything that passes here as", &text);
        return Ok(Some(Said::fixed(text, collector.step(what, value))));
    }
    let Some(source) = collector.text(entry, &["from_context"])? else {
        return Err(collector.unknown("`from_attribute` of headers_setter", entry));
    };
    if let Some(said) = received.written(&source) {
        // Of two values it takes neither, and one that is empty is passed on as it is.
        let is_taken = !said.is_twice && !said.value.is_empty();
        let at = entry.get("from_context").unwrap_or(entry);
        let step = collector.step(format!("the collector passes on its client's `{source}`"), at);
        let passed_on = Some(step);
        return Ok(is_taken.then(|| Said { passed_on, ..said.clone() }));
    }
    let missing = received.missing();
    let Some(default) = entry.get("default_value") else { return Ok(None) };
    let text = collector.scalar(default)?.unwrap_or_default();
    let what = format!(
        "the collector sends what has lost its organisation as `{text}`; it is lost at {}: {}",
        missing.step.location, missing.step.what
    );
    let step = collector.step(what, default);
    Ok((!text.is_empty()).then(|| Said::fixed(text, step)))
}
