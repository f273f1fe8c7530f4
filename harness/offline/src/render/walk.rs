//! Following Flux from its first object to the last.
//!
//! Objects bring objects. What can be built is built at once and in parallel; it is applied only
//! when what it depends on is ready, as Flux does. When nothing moves any more, what still waits
//! says what it waits for.

use std::collections::BTreeMap;
use std::sync::Arc;

use partywall_core::Layout;
use partywall_core::event::NotJudged;

use super::apply::{Applied, Applier};
use super::build::{Built, Failure, Outcome};
use super::entry::{Entry, SOURCE_GROUP};
use super::object::{Object, Rendered};
use super::options::{Options, RenderError, Repository};
use super::pool;
use super::prepare::{Job, Told, View};
use super::substitute::Variables;
use super::tree::Sources;
use super::unit::{Kind, State, Unit};
use super::world::{Objects, Places, Source};
use crate::defect::FluxObject;

/// Render a layout the way Flux would. `repositories` say which folder stands for which Git
/// repository; the layout itself need not be among them.
pub fn render(
    layout: &Layout,
    repositories: &[Repository],
    options: &Options<'_>,
) -> Result<Rendered, RenderError> {
    let entry = super::entry::find(layout, options.entry)?;
    let sources = Sources::new(layout, repositories);
    let mut walk = Walk {
        places: Places::new(&sources, repositories, !entry.synced),
        objects: Objects::default(),
        units: Vec::new(),
        not_judged: Vec::new(),
        known: BTreeMap::new(),
        last: false,
    };
    walk.begin(entry);
    walk.run(options)?;
    let mut rendered = walk.finish();
    rendered.sources = sources.layout.into();
    Ok(rendered)
}

/// The label of what Flux's installation applies.
const BOOTSTRAP: &str = "bootstrap";

struct Walk<'a> {
    places: Places<'a>,
    objects: Objects,
    units: Vec<Unit>,
    not_judged: Vec<NotJudged>,
    /// The units by their labels.
    known: BTreeMap<String, usize>,
    /// Whether nothing more will come, so that what is optional can be done without.
    last: bool,
}

/// What can be said of a dependency.
enum Dependency {
    Ready,
    NotReady,
    Missing,
}

impl<'a> Walk<'a> {
    fn begin(&mut self, entry: Entry) {
        if entry.objects.is_empty() {
            self.not_judged.push(NotJudged {
                subject: "the layout".to_string(),
                reason: "nothing says what Flux applies: there is no gotk-sync.yaml and no Flux \
                         Kustomization"
                    .to_string(),
                location: None,
            });
        }
        for (value, origin) in entry.objects {
            self.add(Object { value, origin, applied_by: BOOTSTRAP.to_string() });
        }
        for unit in
            self.units.iter().filter(|unit| entry.synced && unit.kind == Kind::Kustomization)
        {
            let (kind, name) = (unit.text("/sourceRef/kind"), unit.text("/sourceRef/name"));
            let namespace =
                unit.spec.get("sourceRef").map_or("", |source| unit.namespace_of(source));
            let written = self.objects.find(SOURCE_GROUP, kind, namespace, name);
            self.places.add_home([kind, namespace, name], written);
        }
    }

    fn run(&mut self, options: &Options<'_>) -> Result<(), RenderError> {
        loop {
            let jobs = self.jobs();
            let done = pool::run(&jobs, |(_, job)| match job {
                Job::Build(job) => job.run(&options.programs.kustomize, options.cache),
                Job::Template(job) => job.run(options.programs, options.cache),
            });
            let mut moved = !jobs.is_empty();
            for ((index, _), outcome) in jobs.iter().zip(done) {
                let Some(unit) = self.units.get_mut(*index) else { continue };
                unit.output = Some(match outcome {
                    Err(cut @ RenderError::Cut { .. }) => unit.cut(&cut.to_string()),
                    outcome => outcome?,
                });
            }
            while self.admit() {
                moved = true;
            }
            // The end is called once, so that what is optional is left out, and then believed.
            if !moved && self.last {
                return Ok(());
            }
            self.last = !moved;
        }
    }

    /// What can be built now.
    fn jobs(&mut self) -> Vec<(usize, Job<'a>)> {
        let mut jobs = Vec::new();
        for index in 0..self.units.len() {
            let Some(unit) = self.units.get(index) else { continue };
            if !unit.is_waiting() || unit.output.is_some() {
                continue;
            }
            let view = View { places: &self.places, objects: &self.objects, last: self.last };
            match view.job(unit) {
                Ok(job) => jobs.push((index, job)),
                Err(told) => self.set(index, *told),
            }
        }
        jobs
    }

    fn set(&mut self, index: usize, told: Told) {
        self.not_judged.extend(told.note);
        if let Some(unit) = self.units.get_mut(index) {
            unit.state = told.state;
        }
    }

    /// Applies what is built and may be applied; whether there was any.
    fn admit(&mut self) -> bool {
        let built = |unit: &Unit| unit.is_waiting() && unit.output.is_some();
        let candidates: Vec<usize> = (0..self.units.len())
            .filter(|index| self.units.get(*index).is_some_and(built))
            .collect();
        let mut moved = false;
        for index in candidates {
            match self.unmet(index) {
                Some(failure) => self.set(index, *Told::waiting(failure)),
                None => moved |= self.apply(index),
            }
        }
        moved
    }

    /// The first dependency that is not ready.
    fn unmet(&self, index: usize) -> Option<Failure> {
        let unit = self.units.get(index)?;
        let dependencies = unit.spec.get("dependsOn").and_then(serde_json::Value::as_array)?;
        dependencies.iter().find_map(|reference| {
            let name =
                reference.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
            let full = format!("{}/{name}", unit.namespace_of(reference));
            let said = match (self.dependency(unit.kind, &full), unit.kind) {
                (Dependency::Ready, _) => return None,
                (Dependency::NotReady, _) => format!("dependency '{full}' is not ready"),
                (Dependency::Missing, Kind::Kustomization) => {
                    format!("dependency '{full}' not found")
                }
                (Dependency::Missing, Kind::HelmRelease) => {
                    format!("unable to get '{full}' dependency")
                }
            };
            Some(Failure::new("DependencyNotReady", said))
        })
    }

    fn dependency(&self, kind: Kind, full: &str) -> Dependency {
        let label = format!("{} {full}", kind.name());
        match self.known.get(&label).and_then(|index| self.units.get(*index)) {
            None => Dependency::Missing,
            Some(unit) if self.is_ready(unit) => Dependency::Ready,
            Some(_) => Dependency::NotReady,
        }
    }

    /// Whether a unit is ready, with what it waits for. What nobody can judge is taken to be.
    fn is_ready(&self, unit: &Unit) -> bool {
        match unit.state {
            State::Ready => !unit.flag("/wait") || self.unhealthy(unit).is_none(),
            State::NotJudged => true,
            State::Waiting(_) | State::Failed(_) | State::Suspended => false,
        }
    }

    /// Something that a unit applied and that is not ready.
    fn unhealthy(&self, unit: &Unit) -> Option<&Unit> {
        let label = unit.label();
        let own = |child: &&Unit| child.applied_by == label && child.label() != label;
        let well = |child: &Unit| matches!(child.state, State::Ready | State::NotJudged);
        self.units.iter().filter(own).find(|child| !well(child))
    }

    /// Applies a unit's objects; false where variables are still missing.
    fn apply(&mut self, index: usize) -> bool {
        let Some(unit) = self.units.get_mut(index) else { return false };
        let Some(Outcome { objects, not_judged, known }) = unit.output.take() else { return false };
        if !known {
            unit.state = State::NotJudged;
            self.not_judged.extend(not_judged);
            return true;
        }
        let built = match objects {
            Ok(built) => built,
            Err(failure) => {
                unit.state = State::Failed(failure);
                self.not_judged.extend(not_judged);
                return true;
            }
        };
        let Some(unit) = self.units.get(index) else { return false };
        let find = |kind: &str, name: &str| self.objects.find("", kind, &unit.namespace, name);
        let variables = match Variables::read(&unit.spec, self.last, find) {
            Ok(variables) => variables,
            Err(failure) => {
                let output = Some(Outcome::new(Ok(built), not_judged));
                self.set(index, *Told::waiting(failure));
                if let Some(unit) = self.units.get_mut(index) {
                    unit.output = output;
                }
                return false;
            }
        };
        let unread: Vec<NotJudged> = variables
            .iter()
            .flat_map(|variables| &variables.unread)
            .map(|unread| unit.not_judged(unread))
            .collect();
        let applied = finished(unit, built, variables.as_ref());
        self.not_judged.extend(unread.into_iter().chain(not_judged));
        match applied {
            Ok(applied) => {
                self.set(index, Told { state: State::Ready, note: None });
                self.not_judged.extend(applied.not_judged);
                applied.objects.into_iter().for_each(|object| self.add(object));
            }
            Err(failure) => self.set(index, *Told::failed(failure)),
        }
        true
    }

    fn add(&mut self, object: Object) {
        if let Some(unit) = Unit::of(&object) {
            match self.known.get(&unit.label()).and_then(|index| self.units.get_mut(*index)) {
                Some(known) => known.applied_by = unit.applied_by,
                None => {
                    self.known.insert(unit.label(), self.units.len());
                    self.units.push(unit);
                }
            }
        }
        let is_bootstrap = object.applied_by == BOOTSTRAP;
        let before = self.objects.find_same(&object).map(|known| known.applied_by.clone());
        let note = self.objects.add(object);
        // Flux takes over what its installation applied.
        if !is_bootstrap && before.as_deref() != Some(BOOTSTRAP) {
            self.not_judged.extend(note);
        }
    }

    fn finish(self) -> Rendered {
        let mut flux: Vec<FluxObject> =
            self.units.iter().filter_map(|unit| self.told(unit)).collect();
        flux.extend(self.charts());
        let sources = self.objects.all.iter().filter(|object| {
            let group = super::scope::group_of(object.api_version());
            object.kind() == "GitRepository" && group == SOURCE_GROUP
        });
        let mut not_judged = self.not_judged.clone();
        not_judged.extend(self.units.iter().filter_map(unread_dependency));
        for source in sources {
            let found =
                self.places.source(&self.objects, source.kind(), source.namespace(), source.name());
            if matches!(found, Source::Here(_)) {
                flux.push(state("GitRepository", source.namespace(), source.name(), None));
                not_judged.extend(unread_options(source));
            }
        }
        Rendered { objects: self.objects.all, flux, not_judged, sources: Arc::default() }
    }

    /// What a unit says in the end; nothing where nobody can tell.
    fn told(&self, unit: &Unit) -> Option<FluxObject> {
        let failure = match &unit.state {
            State::Waiting(failure) | State::Failed(failure) => Some(failure.clone()),
            State::NotJudged | State::Suspended => return None,
            State::Ready => {
                unit.flag("/wait").then(|| self.unhealthy(unit)).flatten().map(|child| {
                    let what = format!("{}/{}/{}", child.kind.name(), child.namespace, child.name);
                    let message = format!("timeout waiting for: [{what} status: 'InProgress']");
                    Failure::new("HealthCheckFailed", message)
                })
            }
        };
        Some(state(unit.kind.name(), &unit.namespace, &unit.name, failure))
    }

    /// The chart objects that releases wait for: they say why.
    fn charts(&self) -> Vec<FluxObject> {
        let waits = self.units.iter().filter_map(|unit| match &unit.state {
            State::Waiting(failure) | State::Failed(failure)
                if failure.reason == "SourceNotReady" =>
            {
                let name = format!("{}-{}", unit.namespace, unit.name);
                let why = failure.message.split_once("is not ready: ").map_or("", |(_, why)| why);
                let failure = Failure::new("SourceUnavailable", why);
                Some(state("HelmChart", &unit.namespace, &name, Some(failure)))
            }
            _ => None,
        });
        waits.collect()
    }
}

/// The objects of a unit as they reach the API server.
fn finished(
    unit: &Unit,
    mut built: Vec<Built>,
    variables: Option<&Variables>,
) -> Result<Applied, Failure> {
    if unit.kind == Kind::HelmRelease {
        let object =
            |one: Built| Object { value: one.value, origin: one.origin, applied_by: unit.label() };
        let objects = built.into_iter().map(object).collect();
        return Ok(Applied { objects, not_judged: Vec::new() });
    }
    for one in &mut built {
        if let Some(variables) = variables {
            variables.put_into(one)?;
        }
    }
    Applier { namespace: &unit.namespace, name: &unit.name, spec: &unit.spec }.apply(built)
}

/// What of a source is not looked at.
fn unread_options(source: &Object) -> Option<NotJudged> {
    let known = ["ignore", "include", "sparseCheckout"];
    let used = known.into_iter().find(|key| source.at(&["spec", key]).is_some())?;
    Some(NotJudged {
        subject: source.label(),
        reason: format!("`spec.{used}` changes which files Flux sees, and is not looked at"),
        location: Some(source.origin.clone()),
    })
}

/// A dependency whose readiness is an expression over live objects.
fn unread_dependency(unit: &Unit) -> Option<NotJudged> {
    let dependencies = unit.spec.get("dependsOn").and_then(serde_json::Value::as_array)?;
    let reason = "`readyExpr` of a dependency is not evaluated";
    dependencies.iter().find(|one| one.get("readyExpr").is_some()).map(|_| unit.not_judged(reason))
}

fn state(kind: &str, namespace: &str, name: &str, failure: Option<Failure>) -> FluxObject {
    let ready = failure.is_none();
    let failure = failure.unwrap_or_else(|| Failure::new("Succeeded", ""));
    FluxObject {
        kind: kind.to_string(),
        namespace: namespace.to_string(),
        name: name.to_string(),
        ready,
        reason: failure.reason,
        message: failure.message,
    }
}
