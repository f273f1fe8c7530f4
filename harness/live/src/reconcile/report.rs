//! What the objects of a commit say of themselves.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How an object stands to the pushed commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// Ready, and at the pushed revision where it has one.
    Ready,
    /// Still under way.
    Pending,
    /// Waiting for something that is not ready itself.
    Blocked,
    /// It tried the pushed revision and failed.
    Failed,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectStatus {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub readiness: Readiness,
    /// Reason of its Ready condition.
    pub reason: String,
    /// Message of its Ready condition.
    pub message: String,
    /// The revision it last applied or holds.
    pub revision: Option<String>,
}

/// The end of a reconciliation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReconcileReport {
    /// The pushed commit.
    pub commit: String,
    /// Every Flux object and every workload that was waited for.
    pub objects: Vec<ObjectStatus>,
    /// Seconds from the trigger to the end.
    pub seconds: f64,
    /// Whether the deadline ended it, and not the objects.
    pub timed_out: bool,
}

impl ReconcileReport {
    /// Whether every object is Ready at the pushed commit.
    pub fn all_ready(&self) -> bool {
        !self.timed_out
            && !self.objects.is_empty()
            && self.objects.iter().all(|object| object.readiness == Readiness::Ready)
    }

    /// The objects that are not.
    pub fn failures(&self) -> impl Iterator<Item = &ObjectStatus> {
        self.objects.iter().filter(|object| object.readiness != Readiness::Ready)
    }

    /// One object.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&ObjectStatus> {
        self.objects.iter().find(|object| {
            (object.kind.as_str(), object.namespace.as_str(), object.name.as_str())
                == (kind, namespace, name)
        })
    }
}

impl std::fmt::Display for ObjectStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, namespace, name, reason, message, .. } = self;
        write!(formatter, "{kind} {namespace}/{name}: {reason}: {message}")
    }
}

/// The Ready condition of an object.
pub(crate) struct Ready<'a> {
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    /// The generation that the condition speaks of.
    pub(crate) generation: Option<i64>,
}

pub(crate) fn ready_condition(status: &Value) -> Option<Ready<'_>> {
    let conditions = status["conditions"].as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    Some(Ready {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        generation: found["observedGeneration"].as_i64(),
    })
}
