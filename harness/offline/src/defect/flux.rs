//! Objects of Flux that are not ready.

use partywall_core::Layout;
use partywall_core::document::Document;
use partywall_core::event::Defect;
use partywall_core::source::SourceLocation;

use super::message::{clean, missing_path, refused_source};
use super::{
    CROSS_NAMESPACE_REFERENCE, DECRYPTION_FAILED, MISSING_RIGHTS, NOT_READY, PATCH_DOES_NOT_APPLY,
};
use crate::landing::files_of;
use crate::mend::operation_line;
use crate::scan::join;

/// Reasons of objects that only wait for another one.
const WAITING: [&str; 5] = [
    "DependencyNotReady",
    "SourceNotReady",
    "HealthCheckFailed",
    "Progressing",
    "ProgressingWithRetry",
];

/// How decryption fails in the words of kustomize-controller.
const DECRYPTION: [&str; 4] = [
    "cannot get sops data key",
    "decryption failed",
    "is SOPS encrypted",
    "failed to load age identities",
];

/// The state of one object, from its `Ready` condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluxObject {
    /// `Kustomization`, `HelmRelease`, `GitRepository`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it is ready, at the commit that was asked for.
    pub ready: bool,
    /// The condition's reason.
    pub reason: String,
    /// The condition's message.
    pub message: String,
}

impl FluxObject {
    fn label(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The defects behind many objects. An object that only waits for another is left out, unless
/// all of them do.
pub fn of_objects(layout: &Layout, objects: &[FluxObject], secrets: &[&str]) -> Vec<Defect> {
    let failed = || objects.iter().filter(|object| !object.ready);
    let waits = |object: &FluxObject| WAITING.contains(&object.reason.as_str());
    let all_wait = failed().all(waits);
    let chosen = failed().filter(|object| all_wait || !waits(object));
    chosen.filter_map(|object| of_object(layout, object, secrets)).collect()
}

/// The defect that an object shows; none if it is ready. `secrets` are cut from its message.
pub fn of_object(layout: &Layout, object: &FluxObject, secrets: &[&str]) -> Option<Defect> {
    if object.ready {
        return None;
    }
    let written = written(layout, object);
    let found = patch(layout, object, written)
        .or_else(|| cross_namespace(object, written))
        .or_else(|| decryption(object, written))
        .or_else(|| rights(object, written))
        .unwrap_or_else(|| Found {
            name: NOT_READY,
            summary: format!("{} is not ready: {}", object.label(), object.reason),
            location: written.map(|document| document.location.clone()),
        });
    Some(Defect {
        name: found.name.to_string(),
        summary: clean(&found.summary, secrets),
        object: object.label(),
        message: clean(&object.message, secrets),
        location: found.location,
        behind: None,
    })
}

struct Found {
    name: &'static str,
    summary: String,
    location: Option<SourceLocation>,
}

/// The object as the layout writes it: under its own namespace, or in a base that overlays take
/// into theirs.
fn written<'a>(layout: &'a Layout, object: &FluxObject) -> Option<&'a Document> {
    let same = |document: &&Document| {
        let group = document.root.text(&["apiVersion"]).unwrap_or_default();
        document.kind() == object.kind
            && document.name() == object.name
            && group.contains("toolkit.fluxcd.io")
    };
    let mut all = layout.documents.iter().filter(same);
    let in_place = |document: &&Document| layout.namespace_of(document) == object.namespace;
    all.clone().find(in_place).or_else(|| all.next())
}

fn patch(layout: &Layout, object: &FluxObject, written: Option<&Document>) -> Option<Found> {
    let (operation, pointer) = missing_path(&object.message)?;
    let folder = written.and_then(|document| document.root.text(&["spec", "path"]));
    let folder = folder.map(|path| join("", path));
    let place = folder.as_deref().and_then(|folder| {
        let files = files_of(layout, folder);
        files.iter().find_map(|file| {
            let line = operation_line(layout.files.get(file)?, operation, pointer)?;
            Some(SourceLocation::new(file.clone(), line))
        })
    });
    let folder = folder.as_deref().unwrap_or("the folder");
    let summary = format!(
        "a patch wants to {operation} `{pointer}`, which its target does not have, so nothing of \
         {folder} is built"
    );
    let location = place.or_else(|| written.map(|document| document.locate(&["spec", "path"])));
    Some(Found { name: PATCH_DOES_NOT_APPLY, summary, location })
}

fn cross_namespace(object: &FluxObject, written: Option<&Document>) -> Option<Found> {
    let source = refused_source(&object.message).filter(|_| {
        object.reason == "AccessDenied" || object.message.contains("cross-namespace")
    })?;
    let paths: [&[&str]; 3] = [
        &["spec", "chart", "spec", "sourceRef", "namespace"],
        &["spec", "chartRef", "namespace"],
        &["spec", "sourceRef", "namespace"],
    ];
    let location = written.map(|document| {
        let path = paths.iter().find(|path| document.root.at(path).is_some());
        document.locate(path.unwrap_or(&paths[0]))
    });
    let summary = format!(
        "{} refers to {} {}/{}, a source in another namespace, which Flux refuses under lockdown",
        object.label(),
        source.kind,
        source.namespace,
        source.name
    );
    Some(Found { name: CROSS_NAMESPACE_REFERENCE, summary, location })
}

fn decryption(object: &FluxObject, written: Option<&Document>) -> Option<Found> {
    let message = object.message.as_str();
    let key = written
        .and_then(|document| document.root.text(&["spec", "decryption", "secretRef", "name"]));
    let key_missing = key.is_some_and(|key| message.contains(key) && message.contains("not found"));
    if !key_missing && !DECRYPTION.iter().any(|text| message.contains(text)) {
        return None;
    }
    let why = match key {
        Some(key) if key_missing => format!("its key Secret `{key}` is not there"),
        Some(key) => format!("the key in Secret `{key}` does not open it"),
        None => "the Kustomization has no `decryption`".to_string(),
    };
    let summary = format!("{} holds a sealed file that was not opened: {why}", object.label());
    let location = written.map(|document| {
        let path: &[&str] =
            if key.is_some() { &["spec", "decryption", "secretRef", "name"] } else { &["spec"] };
        document.locate(path)
    });
    Some(Found { name: DECRYPTION_FAILED, summary, location })
}

fn rights(object: &FluxObject, written: Option<&Document>) -> Option<Found> {
    if !object.message.contains("forbidden") {
        return None;
    }
    let path = ["spec", "serviceAccountName"];
    let account = written.and_then(|document| document.root.text(&path));
    let who = match account {
        Some(account) => format!("service account `{account}`"),
        None => "the default service account (no `serviceAccountName` is set)".to_string(),
    };
    let summary = format!("{} may not be applied by {who}", object.label());
    let location = written.map(|document| {
        if account.is_some() { document.locate(&path) } else { document.locate(&["spec"]) }
    });
    Some(Found { name: MISSING_RIGHTS, summary, location })
}

#[cfg(test)]
#[path = "flux_tests.rs"]
mod tests;
