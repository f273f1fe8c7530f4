//! From an object of Flux to what a program is to do for it, or to what it says instead.

use partywall_core::event::NotJudged;
use serde_json::Value;

use super::build::{BuildJob, Failure};
use super::chart::TemplateJob;
use super::entry::SOURCE_GROUP;
use super::unit::{Kind, State, Unit};
use super::values::{ValuesError, compose};
use super::world::{Objects, Places, Source};

/// What a program is to do.
pub(super) enum Job<'a> {
    Build(BuildJob<'a>),
    Template(TemplateJob<'a>),
}

/// A change of state, and what is to be said of it.
pub(super) struct Told {
    pub(super) state: State,
    pub(super) note: Option<NotJudged>,
}

impl Told {
    pub(super) fn failed(failure: Failure) -> Box<Self> {
        Box::new(Self { state: State::Failed(failure), note: None })
    }

    pub(super) fn waiting(failure: Failure) -> Box<Self> {
        Box::new(Self { state: State::Waiting(failure), note: None })
    }

    pub(super) fn unknown(note: NotJudged) -> Box<Self> {
        Box::new(Self { state: State::NotJudged, note: Some(note) })
    }
}

/// What there is to prepare from.
pub(super) struct View<'v, 'a> {
    pub(super) places: &'v Places<'a>,
    pub(super) objects: &'v Objects,
    /// Whether nothing more will come.
    pub(super) last: bool,
}

impl<'a> View<'_, 'a> {
    /// The job of a unit.
    pub(super) fn job(&self, unit: &Unit) -> Result<Job<'a>, Box<Told>> {
        refuse_alien(unit)?;
        match unit.kind {
            Kind::Kustomization => self.prepare_build(unit),
            Kind::HelmRelease => self.prepare_release(unit),
        }
    }

    fn prepare_build(&self, unit: &Unit) -> Result<Job<'a>, Box<Told>> {
        let reference = unit.spec.get("sourceRef").cloned().unwrap_or_default();
        let (kind, name) = (unit.text("/sourceRef/kind"), unit.text("/sourceRef/name"));
        let namespace = unit.namespace_of(&reference);
        if namespace != unit.namespace {
            let message = format!(
                "can't access '{kind}/{namespace}/{name}', cross-namespace references have been blocked"
            );
            return Err(Told::failed(Failure::new("AccessDenied", message)));
        }
        match self.places.source(self.objects, kind, namespace, name) {
            Source::Here(tree) => Ok(Job::Build(BuildJob {
                tree,
                path: unit.text("/path").to_string(),
                spec: unit.spec.clone(),
                location: unit.origin.clone(),
                label: unit.label(),
            })),
            Source::Missing => {
                let message = format!("{} {name:?} not found", resource(kind));
                Err(Told::waiting(Failure::new("ArtifactFailed", message)))
            }
            Source::Elsewhere(reason) => Err(Told::unknown(unit.not_judged(reason))),
        }
    }

    fn prepare_release(&self, unit: &Unit) -> Result<Job<'a>, Box<Told>> {
        let chart = self.chart_of(unit)?;
        let reference = chart.get("sourceRef").cloned().unwrap_or_default();
        let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("kind"), text("name"));
        let namespace = unit.namespace_of(&reference);
        if namespace != unit.namespace {
            // The chart object would stand beside its source, and is what is refused.
            let chart = format!("HelmChart {namespace}/{}-{}", unit.namespace, unit.name);
            return Err(Told::failed(denied(&chart)));
        }
        let tree = match self.places.source(self.objects, kind, namespace, name) {
            Source::Here(tree) => tree,
            Source::Missing => {
                let message = format!(
                    "HelmChart '{}/{}-{}' is not ready: failed to get source: {} {name:?} not found",
                    unit.namespace,
                    unit.namespace,
                    unit.name,
                    resource(kind)
                );
                return Err(Told::waiting(Failure::new("SourceNotReady", message)));
            }
            Source::Elsewhere(reason) => {
                let reason = format!("its chart cannot be had: {reason}");
                return Err(Told::unknown(unit.not_judged(reason)));
            }
        };
        let find = |kind: &str, name: &str| self.objects.find("", kind, &unit.namespace, name);
        let composed = compose((&unit.namespace, &unit.spec), self.last, find);
        let composed = composed.map_err(|error| match error {
            ValuesError::Missing(failure) => Told::waiting(failure),
            ValuesError::Wrong(failure) => Told::failed(failure),
        })?;
        Ok(Job::Template(TemplateJob {
            tree,
            chart,
            spec: unit.spec.clone(),
            namespace: unit.namespace.clone(),
            name: unit.name.clone(),
            values: composed.values,
            unread: composed.unread,
            location: unit.origin.clone(),
            label: unit.label(),
        }))
    }

    /// `spec.chart.spec`, or the spec of the HelmChart that `spec.chartRef` names.
    fn chart_of(&self, unit: &Unit) -> Result<Value, Box<Told>> {
        let Some(reference) = unit.spec.get("chartRef").filter(|reference| reference.is_object())
        else {
            return Ok(unit.spec.pointer("/chart/spec").cloned().unwrap_or_default());
        };
        let (kind, name) = (unit.text("/chartRef/kind"), unit.text("/chartRef/name"));
        let namespace = unit.namespace_of(reference);
        if namespace != unit.namespace {
            return Err(Told::failed(denied(&format!("{kind} {namespace}/{name}"))));
        }
        if kind != "HelmChart" {
            let reason =
                format!("its chart cannot be had: {kind} {namespace}/{name} is not at hand");
            return Err(Told::unknown(unit.not_judged(reason)));
        }
        let chart = self.objects.find(SOURCE_GROUP, kind, namespace, name);
        let spec = chart.and_then(|chart| chart.at(&["spec"])).cloned();
        let message = format!("could not get Source object: {} {name:?} not found", resource(kind));
        spec.ok_or_else(|| Told::waiting(Failure::new("ArtifactFailed", message)))
    }
}

/// What is switched off, or meant for another cluster.
fn refuse_alien(unit: &Unit) -> Result<(), Box<Told>> {
    if unit.flag("/suspend") {
        let note = unit.not_judged("it is suspended: nothing of it is applied");
        return Err(Box::new(Told { state: State::Suspended, note: Some(note) }));
    }
    if unit.spec.get("kubeConfig").is_some_and(|config| !config.is_null()) {
        let note = unit.not_judged("it is applied to another cluster (`kubeConfig`)");
        return Err(Told::unknown(note));
    }
    Ok(())
}

fn denied(what: &str) -> Failure {
    let message = format!("cross-namespace references are not allowed: cannot access {what}");
    Failure::new("AccessDenied", message)
}

/// A kind of source as the API server names it.
fn resource(kind: &str) -> String {
    format!("{kind}.{SOURCE_GROUP}")
}
