//! What is asked of the API server.

use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::resource::{Resource, resource_of};
use crate::render::Rendered;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) verb: &'static str,
    pub(crate) resource: Resource,
    /// Empty for objects of the whole cluster.
    pub(crate) namespace: String,
    /// Empty where the API server does not know it when it decides, as for `create`.
    pub(crate) name: String,
}

impl Request {
    /// To make an object, or to change it where it is a Namespace: those stand already.
    pub(crate) fn to_apply(rendered: &Rendered, object: &Value) -> Self {
        let resource = resource_of(rendered, object);
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_string();
        if object["kind"] == "Namespace" {
            // To the API server a Namespace is in itself.
            return Self { verb: "patch", resource, namespace: text("name"), name: text("name") };
        }
        Self { verb: "create", resource, namespace: text("namespace"), name: String::new() }
    }

    /// `create networkpolicies.networking.k8s.io in customer-a`.
    pub(crate) fn describe(&self) -> String {
        let place = match self.namespace.as_str() {
            "" => "in the cluster".to_string(),
            namespace => format!("in {namespace}"),
        };
        format!("{} {} {place}", self.verb, self.resource.full())
    }
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// By this rule.
    Allowed { place: SourceLocation },
    /// No rule that reaches the account has it.
    Denied,
    /// Nobody can tell; says why.
    Unknown(String),
}
