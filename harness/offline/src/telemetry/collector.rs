//! An OpenTelemetry Collector's configuration.

use std::sync::Arc;

use partywall_core::document::{Item, Node};
use partywall_core::event::NotJudged;
use partywall_core::probe::Signal;

use super::config::{ConfigFile, read};
use super::environment::{Environment, environment};
use super::estate::{Telemetry, plural};
use super::place::{Place, Url};
use super::settings::Encoding;
use super::trail::Step;

/// A collector behind a Service.
pub(super) struct Collector<'a> {
    pub(super) place: Place<'a>,
    pub(super) config: Arc<ConfigFile>,
    environment: Environment,
}

/// What listens on a port of the collector.
pub(super) enum Listener<'i> {
    Receiver {
        id: &'i str,
        encoding: Encoding,
        settings: &'i Item,
    },
    /// Nothing does, or only for the pod itself.
    Nothing(Step),
}

/// `otlphttp` of `otlphttp/loki`.
pub(super) fn kind(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

impl<'a> Collector<'a> {
    /// Read the configuration of the container behind a Service.
    pub(super) fn open(estate: &Telemetry<'a>, place: Place<'a>) -> Result<Self, NotJudged> {
        let not_judged = |reason: String| place.workload.not_judged(reason);
        let flags = place.container.flag("config");
        let path = match flags.as_slice() {
            [path] => path.strip_prefix("file:").unwrap_or(path),
            [] => native(&place).ok_or_else(|| {
                not_judged("it names no `--config`: its configuration is not in the files".into())
            })?,
            _ => return Err(not_judged("it merges several `--config` files".into())),
        };
        let config = read(estate, &place.container, path).map_err(|reason| {
            not_judged(format!("{reason}; an OpenTelemetry Collector's YAML is all that is read"))
        })?;
        if config.root.at(&["service", "pipelines"]).is_none() {
            let reason = format!("{path} is no OpenTelemetry Collector's configuration");
            return Err(not_judged(reason));
        }
        let environment = environment(estate, &place.container);
        Ok(Self { place, config, environment })
    }

    /// A step at a line of the configuration.
    pub(super) fn step(&self, what: impl Into<String>, item: &Item) -> Step {
        Step::new(what, self.config.at(item))
    }

    /// A part that may change what matters, and is not known here.
    pub(super) fn unknown(&self, what: &str, item: &Item) -> NotJudged {
        NotJudged {
            subject: format!("{what} of {}", self.place.workload.object.label()),
            reason: "it is not known here what it does to the organisation's header".to_string(),
            location: Some(self.config.at(item)),
        }
    }

    /// A scalar with `${NAME}` and `${env:NAME}` replaced from the container's environment.
    pub(super) fn scalar(&self, item: &Item) -> Result<Option<String>, NotJudged> {
        let Node::Scalar(text) = &item.node else { return Ok(None) };
        let mut done = String::new();
        let mut rest = text.as_str();
        while let Some((head, tail)) = rest.split_once("${") {
            let unknown = || self.unknown(&format!("`{text}`"), item);
            let (reference, after) = tail.split_once('}').ok_or_else(unknown)?;
            let name = reference.strip_prefix("env:").unwrap_or(reference);
            let (name, default) = match name.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (name, None),
            };
            let value = match (self.environment.get(name), default) {
                (Some(variable), _) => variable.value.clone().map_err(|_| unknown())?,
                (None, Some(default)) => default.to_string(),
                (None, None) => return Err(unknown()),
            };
            done.push_str(head);
            done.push_str(&value);
            rest = after;
        }
        done.push_str(rest);
        Ok(Some(done))
    }

    /// The scalar under a path.
    pub(super) fn text(&self, item: &Item, path: &[&str]) -> Result<Option<String>, NotJudged> {
        item.at(path).map_or(Ok(None), |item| self.scalar(item))
    }

    /// A component by its name.
    pub(super) fn component(&self, section: &str, id: &str) -> Option<&(String, Item)> {
        self.config.root.entries(&[section]).iter().find(|(name, _)| name == id)
    }

    /// Names in a list of a pipeline.
    pub(super) fn names<'i>(pipeline: &'i Item, list: &str) -> Vec<(&'i str, &'i Item)> {
        let items = pipeline.items(&[list]).iter();
        let name = |item: &'i Item| match &item.node {
            Node::Scalar(name) => Some((name.as_str(), item)),
            _ => None,
        };
        items.filter_map(name).collect()
    }

    fn pipelines(&self) -> &[(String, Item)] {
        self.config.root.entries(&["service", "pipelines"])
    }

    /// Pipelines of a signal that take from a receiver or connector.
    pub(super) fn pipelines_from(&self, id: &str, signal: Signal) -> Vec<&(String, Item)> {
        let of_signal = |(name, _): &&(String, Item)| kind(name) == plural(signal);
        let takes = |(_, pipeline): &&(String, Item)| {
            Self::names(pipeline, "receivers").iter().any(|(name, _)| *name == id)
        };
        self.pipelines().iter().filter(of_signal).filter(takes).collect()
    }

    /// The line of the pipelines, for one that is missing.
    pub(super) fn pipelines_at(&self, what: String) -> Step {
        let at = self.config.root.at(&["service", "pipelines"]).unwrap_or(&self.config.root);
        self.step(what, at)
    }

    /// Why the collector would not start: a pipeline that names what is not there, or an
    /// authenticator that is not switched on.
    pub(super) fn broken(&self) -> Option<Step> {
        let sections = [("receivers", true), ("processors", false), ("exporters", true)];
        for (pipeline, settings) in self.pipelines() {
            for (section, or_connector) in sections {
                for (id, item) in Self::names(settings, section) {
                    let connector = or_connector && self.component("connectors", id).is_some();
                    if !connector && self.component(section, id).is_none() {
                        let what = format!(
                            "pipeline `{pipeline}` names `{id}`, which is not among the \
                             {section}: the collector does not start"
                        );
                        return Some(self.step(what, item));
                    }
                }
                let exporters = Self::names(settings, section).into_iter();
                let mut exporters = exporters.filter(|_| section == "exporters");
                if let Some(step) = exporters.find_map(|(id, _)| self.unauthenticated(id)) {
                    return Some(step);
                }
            }
        }
        None
    }

    fn unauthenticated(&self, exporter: &str) -> Option<Step> {
        let (_, settings) = self.component("exporters", exporter)?;
        let at = settings.at(&["auth", "authenticator"])?;
        let Node::Scalar(name) = &at.node else { return None };
        let service = self.config.root.get("service")?;
        let on = Self::names(service, "extensions").iter().any(|(id, _)| id == name);
        let what = format!(
            "authenticator `{name}` is not switched on in `service.extensions`: the collector \
             does not start"
        );
        (!on || self.component("extensions", name).is_none()).then(|| self.step(what, at))
    }

    /// What listens on a port.
    pub(super) fn listener(&self, port: u16) -> Result<Listener<'_>, NotJudged> {
        for (id, receiver) in self.config.root.entries(&["receivers"]) {
            let used = self.pipelines().iter().any(|(_, pipeline)| {
                Self::names(pipeline, "receivers").iter().any(|(name, _)| name == id)
            });
            if !used {
                continue;
            }
            if kind(id) != "otlp" {
                let endpoint = self.text(receiver, &["endpoint"]).unwrap_or_default();
                let taken = endpoint.and_then(|text| Url::parse(&text));
                if taken.is_some_and(|url| url.port == port) {
                    return Err(self.unknown(&format!("receiver `{id}`"), receiver));
                }
                continue;
            }
            for (protocol, settings) in receiver.entries(&["protocols"]) {
                if let Some(found) = self.otlp(id, protocol, settings, port)? {
                    return Ok(found);
                }
            }
        }
        let what = format!("no receiver of the collector listens on {port}");
        let at = self.config.root.get("receivers").unwrap_or(&self.config.root);
        Ok(Listener::Nothing(self.step(what, at)))
    }

    fn otlp<'i>(
        &self,
        id: &'i str,
        protocol: &str,
        settings: &'i Item,
        port: u16,
    ) -> Result<Option<Listener<'i>>, NotJudged> {
        let (encoding, default) = match protocol {
            "grpc" => (Encoding::Grpc, 4317),
            "http" => (Encoding::Http, 4318),
            _ => return Ok(None),
        };
        let Some(at) = settings.get("endpoint") else {
            let what = format!(
                "receiver `{id}` without an endpoint for {protocol} (whether pods reach it depends \
                 on the collector's version)"
            );
            return if port == default { Err(self.unknown(&what, settings)) } else { Ok(None) };
        };
        // The address may be the pod's own, which only the cluster knows; its port is written.
        let endpoint = match &at.node {
            Node::Scalar(text) if text.starts_with("${") => text.clone(),
            _ => self.scalar(at)?.unwrap_or_default(),
        };
        let listens = endpoint
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host.to_string(), port.parse::<u16>().ok()?)));
        match listens {
            Some((_, number)) if number != port => Ok(None),
            Some((host, _)) if matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") => {
                let what = format!("receiver `{id}` listens on {host} alone");
                Ok(Some(Listener::Nothing(self.step(what, at))))
            }
            Some(_) => Ok(Some(Listener::Receiver { id, encoding, settings })),
            None => Err(self.unknown(&format!("endpoint `{endpoint}`"), at)),
        }
    }
}

/// The file that `alloy run FILE` names.
fn native<'a>(place: &Place<'a>) -> Option<&'a str> {
    let words = place.container.words();
    let run = words.iter().position(|word| *word == "run")?;
    words[run + 1..].iter().find(|word| !word.starts_with('-')).copied()
}
