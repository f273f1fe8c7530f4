//! A request inside of a collector: receiver, processors, exporters.

use partywall_core::document::{Item, Node};
use partywall_core::event::NotJudged;
use partywall_core::observation::Outcome;

use super::collector::{Collector, Listener, kind};
use super::estate::plural;
use super::headers::{Headers, ORG, outgoing};
use super::place::shown;
use super::route::{End, Passage, Request, Route};
use super::settings::Encoding;
use super::trail::{Fault, FaultKind, Step};

/// Pipelines that hand on to each other end here.
const DEPTH_MAX: usize = 8;

/// Processors that keep the request's headers and every item: they change what is in the items
/// alone, and none of it decides an organisation.
const HARMLESS: [&str; 13] = [
    "attributes",
    "cumulativetodelta",
    "deltatorate",
    "geoip",
    "k8s_attributes",
    "k8sattributes",
    "memory_limiter",
    "metricstransform",
    "redaction",
    "resource",
    "resourcedetection",
    "span",
    "transform",
];

/// Exporters that show or drop what they are given.
const SINKS: [&str; 4] = ["debug", "file", "logging", "nop"];

/// Pass a request through a collector.
pub(super) fn pass<'a>(
    route: &mut Route<'_, 'a>,
    collector: &Collector<'a>,
    request: &Request,
    hops: usize,
) -> Result<Passage, NotJudged> {
    if let Some(step) = collector.broken() {
        let fault = Fault::new(FaultKind::Start, step.clone());
        return Ok(Passage::refused(Outcome::Refused, step.what, Some(fault)));
    }
    let (id, encoding, settings) = match collector.listener(collector.place.target)? {
        Listener::Receiver { id, encoding, settings } => (id, encoding, settings),
        Listener::Nothing(step) => {
            let fault = Fault::new(FaultKind::Address, step.clone());
            return Ok(Passage::refused(Outcome::Refused, step.what, Some(fault)));
        }
    };
    if let Some(auth) = settings.get("auth") {
        return Err(collector.unknown(&format!("authenticator of receiver `{id}`"), auth));
    }
    if encoding != request.encoding {
        let (asked, spoken) = (request.encoding.word(), encoding.word());
        let what = format!("the sender speaks {asked} to a port where `{id}` speaks {spoken}");
        let step = Step::new(what.clone(), request.at.location.clone());
        let fault = Fault::new(FaultKind::Sender, step);
        return Ok(Passage::refused(Outcome::Reached, format!("connected, {what}"), Some(fault)));
    }
    let pipelines = collector.pipelines_from(id, route.signal);
    if pipelines.is_empty() {
        let what = format!("the collector has no pipeline for {}", plural(route.signal));
        let fault = Fault::new(FaultKind::Pipeline, collector.pipelines_at(what.clone()));
        return Ok(Passage::refused(Outcome::Reached, format!("connected, {what}"), Some(fault)));
    }
    let headers = received(route, collector, (id, encoding, settings), request)?;
    let mut walk = Walk { collector, hops, ends: Vec::new(), failed: None };
    for pipeline in pipelines {
        walk.through(route, pipeline, headers.clone(), 0)?;
    }
    let mut passage = Passage::taken(walk.ends);
    if let Some(detail) = walk.failed {
        passage.answer.accepted = false;
        passage.answer.detail = detail;
    }
    Ok(passage)
}

/// What the receiver keeps of its clients' headers.
fn received(
    route: &mut Route<'_, '_>,
    collector: &Collector<'_>,
    (id, encoding, settings): (&str, Encoding, &Item),
    request: &Request,
) -> Result<Headers, NotJudged> {
    let mut headers = request.headers.clone();
    let protocol = encoding.word();
    let metadata = settings.get("include_metadata");
    let keeps = metadata.map_or(Ok(None), |item| collector.scalar(item))?;
    let at = metadata.unwrap_or(settings);
    if keeps.as_deref() == Some("true") {
        let what = format!("receiver `{id}` keeps its clients' headers (`include_metadata`)");
        route.steps.push(collector.step(what, at));
        return Ok(headers);
    }
    let what = format!(
        "`{protocol}` lacks `include_metadata: true`, so the organisation's header is lost"
    );
    let forgets = format!("receiver `{id}` does not keep its clients' headers");
    route.steps.push(collector.step(forgets, at));
    headers.keep(&[], collector.step(what, at));
    Ok(headers)
}

struct Walk<'c, 'a> {
    collector: &'c Collector<'a>,
    hops: usize,
    ends: Vec<End>,
    /// What an exporter was told while the sender still waited.
    failed: Option<String>,
}

impl<'a> Walk<'_, 'a> {
    fn through(
        &mut self,
        route: &mut Route<'_, 'a>,
        (name, pipeline): &(String, Item),
        mut headers: Headers,
        depth: usize,
    ) -> Result<(), NotJudged> {
        let collector = self.collector;
        if depth >= DEPTH_MAX {
            return Err(collector.unknown(&format!("ring of connectors at `{name}`"), pipeline));
        }
        let mut waits = true;
        for (id, item) in Collector::names(pipeline, "processors") {
            let component = collector.component("processors", id).map_or(item, |(_, item)| item);
            match kind(id) {
                "batch" => {
                    batched(route, collector, id, component, &mut headers)?;
                    waits = false;
                }
                known if HARMLESS.contains(&known) => {
                    let what = format!("processor `{id}` leaves headers alone");
                    route.steps.push(collector.step(what, component));
                }
                _ => return Err(collector.unknown(&format!("processor `{id}`"), component)),
            }
        }
        for (id, item) in Collector::names(pipeline, "exporters") {
            if let Some((_, connector)) = collector.component("connectors", id) {
                if kind(id) != "forward" {
                    return Err(collector.unknown(&format!("connector `{id}`"), connector));
                }
                for next in collector.pipelines_from(id, route.signal) {
                    self.through(route, next, headers.clone(), depth + 1)?;
                }
                continue;
            }
            let exporter = collector.component("exporters", id).map_or(item, |(_, item)| item);
            self.export(route, id, exporter, &headers, waits)?;
        }
        Ok(())
    }

    fn export(
        &mut self,
        route: &mut Route<'_, 'a>,
        id: &str,
        exporter: &Item,
        headers: &Headers,
        waits: bool,
    ) -> Result<(), NotJudged> {
        let collector = self.collector;
        let encoding = match kind(id) {
            "otlphttp" | "otlp_http" => Encoding::Http,
            "otlp" | "otlp_grpc" => Encoding::Grpc,
            known if SINKS.contains(&known) => return Ok(()),
            _ => return Err(collector.unknown(&format!("exporter `{id}`"), exporter)),
        };
        let mut headers = headers.clone();
        let queued = queue(route, collector, id, exporter, &mut headers)?;
        let Some((url, at)) = address(route, collector, id, exporter, encoding)? else {
            return Err(
                collector.unknown(&format!("exporter `{id}` without an endpoint"), exporter)
            );
        };
        route.steps.push(at.clone());
        let sent = outgoing(collector, id, exporter, &headers)?;
        route.steps.push(match sent.get(ORG) {
            Some(said) => {
                let at = setter(collector, exporter);
                collector.step(format!("`{id}` passes it on as `{}`", said.value), at)
            }
            None => sent.missing().step.clone(),
        });
        let from = collector.place.workload.pod();
        let request = Request { from, url, encoding, headers: sent, at: at.clone() };
        let passage = route.send(&request, self.hops + 1)?;
        if waits && !queued && !passage.answer.accepted {
            self.failed =
                Some(format!("connected, the collector answers: {}", passage.answer.detail));
        }
        if passage.ends.is_empty() {
            let fault = passage.answer.fault;
            let fault = fault.unwrap_or_else(|| {
                Fault::new(FaultKind::Policy, Step::new(passage.answer.detail, at.location))
            });
            self.ends.push(End::Lost { fault });
        }
        self.ends.extend(passage.ends);
        Ok(())
    }
}

/// What sets the organisation for an exporter: an entry of its authenticator, or itself.
fn setter<'i>(collector: &'i Collector<'_>, exporter: &'i Item) -> &'i Item {
    let name = exporter.text(&["auth", "authenticator"]).unwrap_or_default();
    let entries = collector.component("extensions", name).map(|(_, item)| item.items(&["headers"]));
    let mut entries = entries.unwrap_or_default().iter();
    let sets =
        |entry: &&Item| entry.text(&["key"]).is_some_and(|key| key.eq_ignore_ascii_case(ORG));
    entries.find(sets).unwrap_or(exporter)
}

/// A batch keeps the headers that it is told to group by, and forgets all others.
fn batched(
    route: &mut Route<'_, '_>,
    collector: &Collector<'_>,
    id: &str,
    batch: &Item,
    headers: &mut Headers,
) -> Result<(), NotJudged> {
    let keys = keys(collector, batch.items(&["metadata_keys"]))?;
    let at = batch.get("metadata_keys").unwrap_or(batch);
    if headers.is_empty() {
        let what = format!("processor `{id}` puts together what came in by this pipeline");
        route.steps.push(collector.step(what, at));
        return Ok(());
    }
    let step = if keys.iter().any(|key| key.eq_ignore_ascii_case(ORG)) {
        collector.step(format!("processor `{id}` groups by the organisation"), at)
    } else {
        let what = format!(
            "processor `{id}` puts requests of all organisations together and forgets whose they \
             are: it lacks `metadata_keys: [{ORG}]`"
        );
        collector.step(what, at)
    };
    route.steps.push(step.clone());
    headers.keep(&keys, step);
    Ok(())
}

fn keys(collector: &Collector<'_>, items: &[Item]) -> Result<Vec<String>, NotJudged> {
    let texts = items.iter().map(|item| collector.scalar(item));
    let texts: Vec<Option<String>> = texts.collect::<Result<_, _>>()?;
    Ok(texts.into_iter().flatten().collect())
}

/// Whether the exporter answers before it has sent. A queue in memory keeps every request's
/// headers; one that batches or stores does not.
fn queue(
    route: &mut Route<'_, '_>,
    collector: &Collector<'_>,
    id: &str,
    exporter: &Item,
    headers: &mut Headers,
) -> Result<bool, NotJudged> {
    if let Some(batcher) = exporter.get("batcher") {
        return Err(collector.unknown(&format!("`batcher` of exporter `{id}`"), batcher));
    }
    let Some(queue) = exporter.get("sending_queue") else { return Ok(true) };
    if collector.text(queue, &["enabled"])?.as_deref() == Some("false") {
        return Ok(false);
    }
    let forgets = |item: &Item, what: &str| {
        let what =
            format!("the sending queue of `{id}` {what}, and the organisation is lost there");
        collector.step(what, item)
    };
    if let Some(storage) = queue.get("storage").filter(|item| item.node != Node::Null) {
        let step = forgets(storage, "stores requests without their headers");
        route.steps.push(step.clone());
        headers.keep(&[], step);
    }
    if let Some(batch) = queue.get("batch") {
        let keys = keys(collector, batch.items(&["partition", "metadata_keys"]))?;
        let step = forgets(batch, "puts requests of all organisations together");
        if !keys.iter().any(|key| key.eq_ignore_ascii_case(ORG)) {
            route.steps.push(step.clone());
        }
        // A request that meets no other is sent on with its own headers.
        if !route.is_alone {
            headers.keep(&keys, step);
        }
    }
    Ok(collector.text(queue, &["wait_for_result"])?.as_deref() != Some("true"))
}

/// Where the exporter sends this signal.
fn address(
    route: &Route<'_, '_>,
    collector: &Collector<'_>,
    id: &str,
    exporter: &Item,
    encoding: Encoding,
) -> Result<Option<(String, Step)>, NotJudged> {
    let signal = plural(route.signal);
    let own = exporter.get(&format!("{signal}_endpoint"));
    let item = match (encoding, own) {
        (Encoding::Http, Some(own)) => Some(own),
        _ => exporter.get("endpoint"),
    };
    let Some(item) = item else { return Ok(None) };
    let Some(text) = collector.scalar(item)? else { return Ok(None) };
    let step = collector.step(format!("exporter `{id}` sends to {}", shown(&text)), item);
    let url = match encoding {
        Encoding::Http if own.is_none() => format!("{}/v1/{signal}", text.trim_end_matches('/')),
        _ => text,
    };
    Ok(Some((url, step)))
}
