//! The fields of a policy's `spec`, as JSON. Flux applies with strict validation, which refuses
//! fields that the API does not know; so do these structs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{FieldPath, PolicyError, Problem};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) pod_selector: Option<LabelSelector>,
    pub(super) policy_types: Option<Vec<String>>,
    pub(super) ingress: Option<Vec<IngressRule>>,
    pub(super) egress: Option<Vec<EgressRule>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LabelSelector {
    pub(super) match_labels: Option<BTreeMap<String, String>>,
    pub(super) match_expressions: Option<Vec<Expression>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expression {
    pub(super) key: String,
    pub(super) operator: String,
    pub(super) values: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IngressRule {
    pub(super) from: Option<Vec<RulePeer>>,
    pub(super) ports: Option<Vec<RulePort>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EgressRule {
    pub(super) to: Option<Vec<RulePeer>>,
    pub(super) ports: Option<Vec<RulePort>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RulePeer {
    pub(super) pod_selector: Option<LabelSelector>,
    pub(super) namespace_selector: Option<LabelSelector>,
    pub(super) ip_block: Option<Block>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Block {
    pub(super) cidr: String,
    pub(super) except: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RulePort {
    pub(super) protocol: Option<String>,
    pub(super) port: Option<NumberOrName>,
    pub(super) end_port: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "invalid type: expected the number or the name of a port")]
pub(super) enum NumberOrName {
    Number(i64),
    Name(String),
}

/// Read a value, and say at which field it is wrong.
pub(super) fn read<Shape: DeserializeOwned>(
    value: &Value,
    at: &FieldPath,
) -> Result<Shape, PolicyError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut path = at.clone();
        for segment in error.path() {
            path = match segment {
                serde_path_to_error::Segment::Seq { index } => path.child(index),
                serde_path_to_error::Segment::Map { key } => path.child(key),
                serde_path_to_error::Segment::Enum { variant } => path.child(variant),
                serde_path_to_error::Segment::Unknown => path,
            };
        }
        Problem::Shape(error.inner().to_string()).at(path)
    })
}
