//! The objects of Flux that bring others: Kustomizations and HelmReleases.

use partywall_core::event::NotJudged;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::build::{Failure, Outcome};
use super::entry::{HELM_GROUP, KUSTOMIZE_GROUP};
use super::object::Object;
use super::scope::group_of;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Kustomization,
    HelmRelease,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kustomization => "Kustomization",
            Self::HelmRelease => "HelmRelease",
        }
    }
}

/// How far one has come.
#[derive(Debug, PartialEq)]
pub(super) enum State {
    /// Something it needs is not there yet; what it says meanwhile.
    Waiting(Failure),
    Ready,
    Failed(Failure),
    /// Nobody here can tell.
    NotJudged,
    /// Switched off by hand.
    Suspended,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) spec: Value,
    pub(super) origin: SourceLocation,
    /// The label of what applies it.
    pub(super) applied_by: String,
    pub(super) state: State,
    /// What its job gave, until it is applied.
    pub(super) output: Option<Outcome>,
}

impl Unit {
    /// The unit that an object is, if it is one.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let kind = match (group_of(object.api_version()), object.kind()) {
            (KUSTOMIZE_GROUP, "Kustomization") => Kind::Kustomization,
            (HELM_GROUP, "HelmRelease") => Kind::HelmRelease,
            _ => return None,
        };
        Some(Self {
            kind,
            namespace: object.namespace().to_string(),
            name: object.name().to_string(),
            spec: object.value.get("spec").cloned().unwrap_or_default(),
            origin: object.origin.clone(),
            applied_by: object.applied_by.clone(),
            state: State::Waiting(Failure::new("Progressing", "waiting to be reconciled")),
            output: None,
        })
    }

    pub(super) fn label(&self) -> String {
        format!("{} {}/{}", self.kind.name(), self.namespace, self.name)
    }

    pub(super) fn text<'a>(&'a self, pointer: &str) -> &'a str {
        self.spec.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn flag(&self, pointer: &str) -> bool {
        self.spec.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_))
    }

    /// A namespace that a reference names, or the unit's own.
    pub(super) fn namespace_of<'a>(&'a self, reference: &'a Value) -> &'a str {
        let named = reference.get("namespace").and_then(Value::as_str);
        named.filter(|named| !named.is_empty()).unwrap_or(&self.namespace)
    }

    /// What becomes of it where its program did not come to its end.
    pub(super) fn cut(&self, why: &str) -> Outcome {
        let reason = match self.kind {
            Kind::Kustomization => "BuildFailed",
            Kind::HelmRelease => "InstallFailed",
        };
        let note = self.not_judged(format!("{why}, so nothing of it is rendered"));
        Outcome::new(Err(Failure::new(reason, why)), vec![note])
    }

    pub(super) fn not_judged(&self, reason: impl Into<String>) -> NotJudged {
        let location = Some(self.origin.clone());
        NotJudged { subject: self.label(), reason: reason.into(), location }
    }
}
