//! Which components a request touches, and where each comes from.

use std::collections::BTreeSet;

use crate::error::BuildError;
use crate::lock::{Component, Lock};
use crate::registry::Mode;

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// Where images come from.
    pub mode: Mode,
    /// Only these components and what they are made from; empty is all.
    pub only: Vec<String>,
}

/// Where a component comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built here.
    Build,
    /// Pulled.
    Pull {
        /// The reference to pull, with a digest once one is pinned.
        reference: String,
    },
    /// Not needed: the published node image carries it.
    InNode,
}

/// The components of a request, in the lock's order.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Component and source.
    pub items: Vec<(&'a Component, Source)>,
}

impl<'a> Plan<'a> {
    /// Selects components, with everything they are made from.
    pub fn new(lock: &'a Lock, request: &BuildRequest) -> Result<Self, BuildError> {
        let mut wanted = BTreeSet::new();
        for name in &request.only {
            let component = lock.component(name).or_else(|| lock.component_of_image(name));
            let Some(component) = component else {
                return Err(unknown(lock, name));
            };
            select(lock, component, &request.mode, &mut wanted);
        }
        if request.only.is_empty() {
            for component in &lock.components {
                let part = component.image.is_none() && component.debootstrap.is_some();
                // A part is taken only when something is made from it.
                if !part && request.mode.source(component) != Source::InNode {
                    select(lock, component, &request.mode, &mut wanted);
                }
            }
        }
        let chosen = lock.components.iter().filter(|c| wanted.contains(c.name.as_str()));
        let items = chosen.map(|c| (c, request.mode.source(c))).collect();
        Ok(Self { items })
    }
}

/// The images that a node carries in this mode, besides its own.
pub(crate) fn preloaded<'a>(lock: &'a Lock, mode: &Mode) -> Vec<&'a Component> {
    let carried = |component: &&Component| {
        component.image.as_ref().is_some_and(|image| image.preload)
            && mode.source(component) != Source::InNode
    };
    lock.components.iter().filter(carried).collect()
}

fn select<'a>(lock: &'a Lock, component: &'a Component, mode: &Mode, into: &mut BTreeSet<&'a str>) {
    if !into.insert(&component.name) {
        return;
    }
    if mode.source(component) == Source::Build {
        let needed = component.needs().into_iter().filter_map(|name| lock.component(name));
        needed.for_each(|needed| select(lock, needed, mode, into));
    }
    if component.node.is_some() {
        preloaded(lock, mode).into_iter().for_each(|image| select(lock, image, mode, into));
    }
}

fn unknown(lock: &Lock, name: &str) -> BuildError {
    let known: Vec<&str> = lock.components.iter().map(|c| c.name.as_str()).collect();
    BuildError::UnknownComponent { name: name.to_owned(), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::tests::SMALL;

    fn names(mode: Mode, only: &[&str]) -> Vec<String> {
        let lock = Lock::parse(SMALL).unwrap();
        let only = only.iter().map(ToString::to_string).collect();
        let plan = Plan::new(&lock, &BuildRequest { mode, only }).unwrap();
        plan.items.iter().map(|(component, _)| component.name.clone()).collect()
    }

    fn registry() -> Mode {
        Mode::Registry { mirror: None }
    }

    #[test]
    fn takes_everything_that_an_image_is_made_from() {
        assert_eq!(names(Mode::Bundle, &["git-server"]), ["base", "git-server"]);
        let all = ["base", "rootfs", "kubernetes", "loki", "git-server", "kind", "node"];
        assert_eq!(names(Mode::Bundle, &[]), all);
    }

    #[test]
    fn a_node_needs_what_it_carries() {
        let needed = ["base", "rootfs", "kubernetes", "loki", "node"];
        assert_eq!(names(Mode::Bundle, &["node"]), needed);
        assert_eq!(names(registry(), &["node"]), ["loki", "node"]);
    }

    #[test]
    fn a_registry_leaves_out_what_the_published_node_carries() {
        assert_eq!(names(registry(), &[]), ["base", "loki", "git-server", "kind", "node"]);
    }

    #[test]
    fn an_image_name_leads_to_its_component() {
        assert_eq!(names(Mode::Bundle, &["kube-proxy"]), ["base", "kubernetes"]);
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let lock = Lock::parse(SMALL).unwrap();
        let only = vec!["flannel".to_owned()];
        let error = Plan::new(&lock, &BuildRequest { mode: Mode::Bundle, only }).err().unwrap();
        let expected = "failed to plan the build: images.lock has no component `flannel` \
                        (it has: base, rootfs, kubernetes, loki, git-server, kind, node)";
        assert_eq!(error.to_string(), expected);
    }
}
