//! What has been applied so far, and which files stand behind a source.

use std::collections::BTreeMap;

use partywall_core::event::NotJudged;
use serde_json::Value;

use super::entry::SOURCE_GROUP;
use super::object::Object;
use super::options::Repository;
use super::scope::group_of;
use super::tree::{Sources, Tree, prefix};

/// Kinds that make further objects by means that are not ours.
const MAKERS: [(&str, &str); 7] = [
    ("fluxcd.controlplane.io", "ResourceSet"),
    ("fluxcd.controlplane.io", "FluxInstance"),
    ("argoproj.io", "Application"),
    ("argoproj.io", "ApplicationSet"),
    ("helm.cattle.io", "HelmChart"),
    ("infra.contrib.fluxcd.io", "Terraform"),
    ("source.extensions.fluxcd.io", "ArtifactGenerator"),
];

type Key = (String, String, String, String);

/// The objects, by name.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) all: Vec<Object>,
    index: BTreeMap<Key, usize>,
}

impl Objects {
    /// Adds an object. The same one, applied by two, is said to be; the later one stays.
    pub(super) fn add(&mut self, object: Object) -> Option<NotJudged> {
        let group = group_of(object.api_version());
        let key = [group, object.kind(), object.namespace(), object.name()].map(str::to_string);
        match self.index.get(&key.clone().into()).copied() {
            Some(index) => {
                let known = self.all.get_mut(index)?;
                let reason =
                    format!("applied twice: by {} and by {}", known.applied_by, object.applied_by);
                let differs = known.applied_by != object.applied_by;
                let location = Some(known.origin.clone());
                let note = NotJudged { subject: object.label(), reason, location };
                *known = object;
                differs.then_some(note)
            }
            None => {
                self.index.insert(key.into(), self.all.len());
                let maker = MAKERS.contains(&(group_of(object.api_version()), object.kind()));
                let note = maker.then(|| NotJudged {
                    subject: object.label(),
                    reason: "what it makes is not rendered".to_string(),
                    location: Some(object.origin.clone()),
                });
                self.all.push(object);
                note
            }
        }
    }

    /// The object that has this one's place.
    pub(super) fn find_same(&self, object: &Object) -> Option<&Object> {
        let group = group_of(object.api_version());
        self.find(group, object.kind(), object.namespace(), object.name())
    }

    pub(super) fn find(
        &self,
        group: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<&Object> {
        let key = [group, kind, namespace, name].map(str::to_string);
        self.index.get(&key.into()).and_then(|index| self.all.get(*index))
    }
}

/// The files behind a source.
#[derive(Debug)]
pub(super) enum Source<'a> {
    Here(Tree<'a>),
    /// No such object.
    Missing,
    /// Files that we do not have, and why.
    Elsewhere(String),
}

/// Which folder stands for which source.
#[derive(Debug)]
pub(super) struct Places<'a> {
    pub(super) sources: &'a Sources,
    /// Prefixes by address.
    by_url: BTreeMap<String, String>,
    /// The source that syncs the layout: kind, namespace, name.
    home: Vec<[String; 3]>,
    /// Its address and branch.
    home_address: Vec<(String, Value)>,
    /// Whether a source that nobody wrote can be the layout.
    pub(super) open: bool,
}

impl<'a> Places<'a> {
    pub(super) fn new(sources: &'a Sources, repositories: &[Repository], open: bool) -> Self {
        let named = repositories.iter().map(|one| (address(&one.url), prefix(&one.prefix)));
        Self { sources, by_url: named.collect(), home: Vec::new(), home_address: Vec::new(), open }
    }

    /// Notes a source that a root Kustomization is synced from.
    pub(super) fn add_home(&mut self, home: [&str; 3], written: Option<&Object>) {
        self.home.push(home.map(str::to_string));
        let url = written.and_then(|source| source.text(&["spec", "url"]));
        if let Some((url, source)) = url.zip(written) {
            let branch = source.at(&["spec", "ref"]).cloned().unwrap_or_default();
            self.home_address.push((address(url), branch));
        }
    }

    fn layout(&self) -> Source<'a> {
        Source::Here(Tree { sources: self.sources, prefix: String::new() })
    }

    /// The files behind a source.
    pub(super) fn source(
        &self,
        objects: &Objects,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Source<'a> {
        let is_home = self.home.iter().any(|[k, n, m]| k == kind && n == namespace && m == name);
        let written = objects.find(SOURCE_GROUP, kind, namespace, name);
        let url = written.and_then(|source| source.text(&["spec", "url"])).map(address);
        let mapped =
            url.as_ref().filter(|_| kind == "GitRepository").and_then(|url| self.by_url.get(url));
        if let Some(prefix) = mapped {
            return Source::Here(Tree { sources: self.sources, prefix: prefix.clone() });
        }
        let branch =
            written.and_then(|source| source.at(&["spec", "ref"])).cloned().unwrap_or_default();
        let same =
            url.as_ref().is_some_and(|url| self.home_address.contains(&(url.clone(), branch)));
        if is_home || same {
            return self.layout();
        }
        match url {
            Some(url) => Source::Elsewhere(format!(
                "{kind} {namespace}/{name} is at `{url}`, for which no folder stands (hint: `repositories` of the contract)"
            )),
            None if written.is_some() => {
                Source::Elsewhere(format!("{kind} {namespace}/{name} is not at hand"))
            }
            None if self.open && kind == "GitRepository" => self.layout(),
            None => Source::Missing,
        }
    }
}

/// An address without what two spellings of the same one differ in.
fn address(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).to_string()
}
