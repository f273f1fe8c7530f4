//! What mutants are made from.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::catalogue::Operator;
use super::model::{Generated, MutantFiles};
use super::text::{Change, Changed, Text};
use crate::render::{Object, Rendered};
use crate::secret::Keys;

/// A layout, what Flux would apply of it, and what it promises.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Its files.
    pub layout: &'a Layout,
    /// What Flux would apply.
    pub rendered: &'a Rendered,
    /// What it promises.
    pub contract: &'a Contract,
    /// Private keys of tenants, for mutants of sealed files.
    pub keys: &'a Keys,
}

/// A document of the layout, and the objects that are made of it.
pub(super) struct Written<'a> {
    pub(super) text: Text,
    pub(super) document: usize,
    pub(super) location: SourceLocation,
    pub(super) objects: Vec<&'a Object>,
}

impl Written<'_> {
    /// `namespace/name` of the first object, or its name.
    pub(super) fn name(&self) -> String {
        let Some(first) = self.objects.first() else { return self.location.to_string() };
        match first.namespace() {
            "" => first.name().to_string(),
            namespace => format!("{namespace}/{}", first.name()),
        }
    }

    /// The namespaces of the objects.
    pub(super) fn namespaces(&self) -> Vec<String> {
        let all = self.objects.iter().map(|object| object.namespace().to_string());
        // What is the cluster's is about everybody.
        let mut found: Vec<String> = all.filter(|namespace| !namespace.is_empty()).collect();
        found.dedup();
        found
    }

    pub(super) fn value(&self) -> &Value {
        self.text.value(self.document).unwrap_or(&Value::Null)
    }

    pub(super) fn change(&self, path: &[&str], change: &Change) -> Result<Changed, String> {
        self.text.change(self.document, path, change)
    }

    /// A mutant by a change of one part of the document.
    pub(super) fn mutant(
        &self,
        operator: &'static Operator,
        detail: &str,
        said: impl Into<String>,
        (path, change): (&[&str], &Change),
    ) -> Generated {
        let changed = self.change(path, change);
        let line = changed.as_ref().map_or(self.location.line, |changed| changed.line);
        Generated {
            name: named(operator, &self.name(), detail),
            operator,
            change: said.into(),
            location: SourceLocation::new(self.location.file.clone(), line),
            about: self.namespaces(),
            files: changed.map(|changed| one(&self.location.file, changed.text)),
        }
    }
}

/// `operator/subject` or `operator/subject/detail`.
pub(super) fn named(operator: &Operator, subject: &str, detail: &str) -> String {
    match detail {
        "" => format!("{}/{subject}", operator.name),
        _ => format!("{}/{subject}/{detail}", operator.name),
    }
}

/// One changed file.
pub(super) fn one(file: &str, text: String) -> MutantFiles {
    [(file.to_string(), Some(text))].into()
}

impl<'a> Ground<'a> {
    /// The documents of the layout that objects of a kind are made of, each once: a base that
    /// many overlays take in is one document.
    pub(super) fn written(&self, kind: &str, group: &str) -> Vec<Written<'a>> {
        let mut by_place: BTreeMap<SourceLocation, Vec<&'a Object>> = BTreeMap::new();
        for object in self.rendered.objects.iter().filter(|object| object.kind() == kind) {
            let is_group = object.api_version().split('/').next() == Some(group)
                || group.is_empty() && !object.api_version().contains('/');
            if is_group {
                by_place.entry(object.origin.clone()).or_default().push(object);
            }
        }
        by_place.into_iter().filter_map(|(place, objects)| self.at(place, objects)).collect()
    }

    fn at(&self, location: SourceLocation, objects: Vec<&'a Object>) -> Option<Written<'a>> {
        let text = Text::read(&location.file, self.layout.files.get(&location.file)?).ok()?;
        let document = text.document_at(location.line)?;
        Some(Written { text, document, location, objects })
    }

    /// A file of the layout.
    pub(super) fn text(&self, file: &str) -> Option<Text> {
        Text::read(file, self.layout.files.get(file)?).ok()
    }

    /// Names of the tenants other than this one, in the contract's order.
    pub(super) fn others(&self, tenant: &str) -> impl Iterator<Item = &'a str> {
        let tenants = self.contract.tenants.iter().map(|tenant| tenant.name.as_str());
        let tenant = tenant.to_string();
        tenants.filter(move |name| *name != tenant)
    }
}
