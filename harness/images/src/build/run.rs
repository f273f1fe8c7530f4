//! The order of a build, and what goes on when a component fails.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::step::{Outcome, Step, StepError};
use super::{cargo, debootstrap, go, image, node};
use crate::bundle::Bundle;
use crate::content::Key;
use crate::docker::image::{self as docker_image, CONTENT_LABEL};
use crate::error::{BuildError, ComponentFailure};
use crate::lock::{Component, Recipe};
use crate::plan::{BuildRequest, Plan, Source};
use crate::progress::{Progress, ProgressEvent};
use crate::registry::Mode;
use crate::store::lock_builds;

/// What a build did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildReport {
    /// Steps that had something to do.
    pub made: usize,
    /// Steps whose result was there.
    pub reused: usize,
    /// From start to end.
    pub duration: Duration,
}

impl Bundle {
    /// Builds or pulls everything of a request that is not there yet. Where a component fails, the
    /// others go on, and the error names every failure with its log.
    pub fn build(
        &self,
        request: &BuildRequest,
        progress: &dyn Progress,
    ) -> Result<BuildReport, BuildError> {
        let start = Instant::now();
        let plan = Plan::new(self.lock(), request)?;
        let _lock = lock_builds(&self.workspace().cache, || {
            let text = "Another build is using the cache; waiting for it to end.";
            progress.event(&ProgressEvent::Note { text });
        })?;
        self.store().sweep()?;
        // Unfinished contexts of an interrupted build; if they stay, they only take space.
        let _ = std::fs::remove_dir_all(self.workspace().scratch());
        let run = Run { bundle: self, mode: &request.mode, progress, state: Mutex::default() };
        progress.event(&ProgressEvent::Planned { steps: steps(&plan) });
        run.all(&plan);
        let state = run.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !state.failures.is_empty() {
            return Err(BuildError::Components { failures: state.failures });
        }
        Ok(BuildReport { made: state.made, reused: state.reused, duration: start.elapsed() })
    }
}

/// One step for each artefact, each image and each pull.
fn steps(plan: &Plan<'_>) -> usize {
    let of = |(component, source): &(&Component, Source)| match source {
        Source::InNode => 0,
        Source::Pull { .. } => 1 + usize::from(component.node.is_some()),
        Source::Build => {
            usize::from(has_artefact(component)) + usize::from(component.image.is_some())
        }
    };
    plan.items.iter().map(of).sum()
}

fn has_artefact(component: &Component) -> bool {
    component.node.is_none()
}

#[derive(Default)]
struct State {
    failures: Vec<ComponentFailure>,
    failed: BTreeSet<String>,
    made: usize,
    reused: usize,
}

struct Run<'a> {
    bundle: &'a Bundle,
    mode: &'a Mode,
    progress: &'a dyn Progress,
    state: Mutex<State>,
}

impl Run<'_> {
    /// Compilers share the processors badly, so they run one after the other; what waits for the
    /// network (Debian packages, pulls) runs beside them.
    fn all(&self, plan: &Plan<'_>) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (component, source) in &plan.items {
                    match source {
                        Source::Pull { reference } => self.pull(component, reference),
                        Source::Build if component.debootstrap.is_some() => {
                            self.artefact(component)
                        }
                        _ => {}
                    }
                }
            });
            for (component, source) in &plan.items {
                let compiled = component.go.is_some() || component.cargo.is_some();
                if *source == Source::Build && compiled {
                    self.artefact(component);
                }
            }
        });
        for (component, source) in &plan.items {
            match (source, component.node.is_some()) {
                (Source::Build, false) => self.image(component),
                (Source::Build | Source::Pull { .. }, true) => self.node(component, source),
                _ => {}
            }
        }
        if plan.items.iter().any(|(component, _)| component.image.is_some())
            && self.state().made > 0
        {
            self.prune();
        }
    }

    /// A newer image takes the name of an older one, which would stay and fill the disk.
    fn prune(&self) {
        if let Err(error) = docker_image::prune() {
            let text = format!("Older images stay: {error}");
            self.progress.event(&ProgressEvent::Note { text: &text });
        }
    }

    fn artefact(&self, component: &Component) {
        self.step(component, "build", |log, announce| {
            let (store, key) = (self.bundle.store(), self.bundle.key(component)?);
            if store.finished(&component.name, &key).is_some() {
                return Ok(Outcome::Reused);
            }
            announce();
            let start = Instant::now();
            let (name, workspace) = (component.name.as_str(), self.bundle.workspace());
            let folder = store.begin(name, &key)?;
            match component.recipe() {
                Recipe::Go(recipe) => {
                    go::build(workspace, name, recipe, &folder, log, self.progress)?;
                }
                Recipe::Debootstrap(recipe) => {
                    debootstrap::build(workspace, name, recipe, &folder, log, self.progress)?;
                }
                Recipe::Cargo(recipe) => cargo::build(self.bundle, recipe, &folder, log)?,
                Recipe::Node(_) => {}
            }
            let record = store.finish(name, &key, start.elapsed())?;
            Ok(Outcome::Made { bytes: record.bytes })
        });
    }

    fn pull(&self, component: &Component, reference: &str) {
        self.step(component, "pull", |log, announce| {
            // A reference with a digest is found only if exactly that is here.
            if docker_image::inspect_one(reference)?.is_some() {
                self.name_pulled(component, reference)?;
                return Ok(Outcome::Reused);
            }
            announce();
            go::with_retries(&component.name, self.progress, || {
                docker_image::pull(reference, Some(log))
            })?;
            self.name_pulled(component, reference)?;
            let size = docker_image::inspect_one(reference)?.map_or(0, |image| image.size);
            Ok(Outcome::Made { bytes: size })
        });
    }

    /// What is pulled by digest has no tag, and manifests name the tag.
    fn name_pulled(&self, component: &Component, reference: &str) -> Result<(), StepError> {
        if component.node.is_some() || !reference.contains('@') {
            return Ok(());
        }
        for name in component.image_names() {
            docker_image::tag(reference, &self.bundle.resolve(self.mode, name)?)?;
        }
        Ok(())
    }

    fn image(&self, component: &Component) {
        let Some(recipe) = &component.image else {
            return;
        };
        if self.lacks(component, &[]) {
            return;
        }
        self.step(component, "image", |log, announce| {
            let key = self.bundle.image_key(component)?;
            let names = component.local_references();
            if is_current(&names, &key)? {
                return Ok(Outcome::Reused);
            }
            announce();
            image::build(self.bundle, component, recipe, &key, log)?;
            Ok(Outcome::Made { bytes: size_of(&names)? })
        });
    }

    fn node(&self, component: &Component, source: &Source) {
        let Some(recipe) = &component.node else {
            return;
        };
        let carried = crate::plan::preloaded(self.bundle.lock(), self.mode);
        let carried: Vec<&str> = carried.iter().map(|c| c.name.as_str()).collect();
        if self.lacks(component, &carried) {
            return;
        }
        self.step(component, "image", |log, announce| {
            let name = component.image_names().first().copied().unwrap_or("node");
            let names = vec![self.bundle.resolve(self.mode, name)?];
            let key = match source {
                Source::Pull { .. } => self.bundle.registry_node_key(self.mode, component)?,
                _ => Some(self.bundle.image_key(component)?),
            };
            let missing = || StepError::Message("an image that it carries is not here".to_owned());
            let key = key.ok_or_else(missing)?;
            if is_current(&names, &key)? {
                return Ok(Outcome::Reused);
            }
            announce();
            match source {
                Source::Pull { reference } => node::extend_published(
                    self.bundle,
                    self.mode,
                    component,
                    recipe,
                    reference,
                    &key,
                    log,
                )?,
                _ => node::build(self.bundle, component, recipe, &key, log)?,
            }
            Ok(Outcome::Made { bytes: size_of(&names)? })
        });
    }

    /// Whether something failed that this component is made from. Its own step is then left out: the
    /// failure that matters is reported already.
    fn lacks(&self, component: &Component, also: &[&str]) -> bool {
        let mut state = self.state();
        let needs = component.needs();
        let parts = [component.name.as_str()].into_iter().chain(needs);
        let Some(failed) =
            parts.chain(also.iter().copied()).find(|name| state.failed.contains(*name))
        else {
            return false;
        };
        let text = format!("{} is left out, as {failed} failed.", component.name);
        state.failed.insert(component.name.clone());
        drop(state);
        self.progress.event(&ProgressEvent::Note { text: &text });
        true
    }

    fn step(
        &self,
        component: &Component,
        name: &'static str,
        work: impl FnOnce(&std::path::Path, &dyn Fn()) -> Result<Outcome, StepError>,
    ) {
        let log = self.bundle.workspace().logs().join(format!("{}-{name}.log", component.name));
        let announce_log = log.clone();
        let step = Step { component: &component.name, name, log };
        let result = step.run(self.progress, |announce| {
            let fresh = || {
                // A log tells of one run; what an earlier one wrote would only mislead.
                let _ = std::fs::remove_file(&announce_log);
                announce();
            };
            work(&announce_log, &fresh)
        });
        let mut state = self.state();
        match result {
            Ok(true) => state.made += 1,
            Ok(false) => state.reused += 1,
            Err(failure) => {
                state.failed.insert(component.name.clone());
                state.failures.push(failure);
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic elsewhere leaves the lists as they are, which is good enough to report them.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn is_current(names: &[String], key: &Key) -> Result<bool, StepError> {
    let seen = docker_image::inspect(names)?;
    let current = |name: &String| {
        seen.get(name).and_then(|image| image.label(CONTENT_LABEL)) == Some(key.as_str())
    };
    Ok(names.iter().all(current))
}

fn size_of(names: &[String]) -> Result<u64, StepError> {
    Ok(docker_image::inspect(names)?.values().map(|image| image.size).max().unwrap_or(0))
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
