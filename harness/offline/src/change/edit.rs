//! What every change is made of: edits of the documents behind rendered objects.

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::source::SourceLocation;
use serde_json::Value;
use thiserror::Error;

use super::document::{document_at, replaced};
use crate::render::{Object, Rendered};

/// Files of a layout as they are after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// New content by path.
    pub files: BTreeMap<String, String>,
    /// Where it was made.
    pub locations: Vec<SourceLocation>,
    /// What was changed, for people.
    pub objects: Vec<String>,
}

/// Why a change cannot be made to this layout.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// There is nothing to change.
    #[error("the layout has no {what} of {tenant}")]
    Nothing {
        /// What was looked for.
        what: &'static str,
        /// The tenant.
        tenant: String,
    },
    /// It would change others too.
    #[error(
        "{object} is written at {location} for {others} as well, so that it cannot be changed \
         for {tenant} alone"
    )]
    Shared {
        /// The object.
        object: String,
        /// Where it is written.
        location: SourceLocation,
        /// Whose it is too.
        others: String,
        /// The tenant.
        tenant: String,
    },
    /// The file is not part of the layout, or not what it should be.
    #[error("{location}: {object} cannot be changed here: {detail}")]
    Unwritten {
        /// The object.
        object: String,
        /// Where it comes from.
        location: SourceLocation,
        /// Why not.
        detail: String,
    },
}

/// The layout, and what Flux would make of it.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Its files.
    pub layout: &'a Layout,
    /// Its objects.
    pub rendered: &'a Rendered,
    /// Its contract.
    pub contract: &'a Contract,
}

impl<'a> Ground<'a> {
    /// Namespaces of a tenant.
    pub(super) fn namespaces(&self, tenant: &str) -> &'a [String] {
        self.contract.tenant(tenant).map(|tenant| tenant.namespaces.as_slice()).unwrap_or_default()
    }

    /// Objects of a tenant: those in its namespaces, and these.
    pub(super) fn objects_of(&self, tenant: &str) -> Vec<&'a Object> {
        let namespaces = self.namespaces(tenant);
        let is_own = |object: &&Object| is_in(object, namespaces);
        self.rendered.objects.iter().filter(is_own).collect()
    }

    /// Refuses an object whose document makes objects of others too.
    pub(super) fn must_be_own(&self, tenant: &str, object: &Object) -> Result<(), ChangeError> {
        let namespaces = self.namespaces(tenant);
        let same = |other: &&Object| other.origin == object.origin && !is_in(other, namespaces);
        match self.rendered.objects.iter().find(same) {
            None => Ok(()),
            Some(other) => Err(ChangeError::Shared {
                object: object.label(),
                location: object.origin.clone(),
                others: other.label(),
                tenant: tenant.to_string(),
            }),
        }
    }
}

/// Whether an object lies in one of these namespaces, or is one.
pub(super) fn is_in(object: &Object, namespaces: &[String]) -> bool {
    let name = if object.kind() == "Namespace" { object.name() } else { object.namespace() };
    namespaces.iter().any(|namespace| namespace == name)
}

impl Change {
    /// Replaces the documents of these objects. Later lines are edited first, so that earlier
    /// ones stay where they are.
    pub(super) fn to_documents(
        ground: &Ground<'_>,
        objects: &[&Object],
        edit: impl Fn(&Value) -> Option<Value>,
    ) -> Result<Self, ChangeError> {
        let mut change = Self::default();
        let mut ordered = objects.to_vec();
        ordered.sort_by(|one, other| other.origin.cmp(&one.origin));
        ordered.dedup_by(|one, other| one.origin == other.origin);
        for object in ordered {
            change.edit(ground, object, &edit)?;
        }
        change.locations.reverse();
        change.objects.reverse();
        Ok(change)
    }

    fn edit(
        &mut self,
        ground: &Ground<'_>,
        object: &Object,
        edit: impl Fn(&Value) -> Option<Value>,
    ) -> Result<(), ChangeError> {
        let unwritten = |detail: &str| ChangeError::Unwritten {
            object: object.label(),
            location: object.origin.clone(),
            detail: detail.to_string(),
        };
        let file = &object.origin.file;
        let text = self.files.get(file).or_else(|| ground.layout.files.get(file));
        let text = text.ok_or_else(|| unwritten("the file is not part of the layout"))?;
        let document = document_at(text, object.origin.line);
        // It is JSON where it is written anew, which is YAML too.
        let value: Value = serde_saphyr::from_str(&document)
            .map_err(|_| unwritten("the lines there are no document"))?;
        if value["kind"].as_str() != Some(object.kind()) {
            return Err(unwritten("the lines there are another object's"));
        }
        let by = edit(&value).map(|value| value.to_string());
        let text = replaced(text, object.origin.line, by.as_deref());
        self.files.insert(file.clone(), text);
        self.locations.push(object.origin.clone());
        self.objects.push(object.label());
        Ok(())
    }

    /// Both changes.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.files.extend(other.files);
        self.locations.extend(other.locations);
        self.objects.extend(other.objects);
        self
    }
}
