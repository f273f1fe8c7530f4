//! Selectors as the API server accepts them.

use std::collections::BTreeSet;

use super::error::{FieldPath, PolicyError, Problem};
use super::names;
use super::selector::{Requirement, Selector};
use super::spec::{Expression, LabelSelector};

/// What a selector says; one that is absent or empty selects everything.
pub(super) fn selector(raw: LabelSelector, at: &FieldPath) -> Result<Selector, PolicyError> {
    let mut requirements = Vec::new();
    for (key, value) in raw.match_labels.unwrap_or_default() {
        let at = at.child("matchLabels").child(&key);
        check_key(&key, &at)?;
        check_value(&value, &at)?;
        requirements.push(Requirement::In { key, values: [value].into() });
    }
    for (index, raw) in raw.match_expressions.unwrap_or_default().into_iter().enumerate() {
        requirements.push(expression(raw, &at.child("matchExpressions").child(index))?);
    }
    Ok(Selector::new(requirements))
}

fn expression(raw: Expression, at: &FieldPath) -> Result<Requirement, PolicyError> {
    let Expression { key, operator, values } = raw;
    check_key(&key, &at.child("key"))?;
    let values: Vec<String> = values.unwrap_or_default();
    let requirement = match operator.as_str() {
        "In" => Requirement::In { key, values: listed("In", values, at)? },
        "NotIn" => Requirement::NotIn { key, values: listed("NotIn", values, at)? },
        "Exists" => {
            check_none("Exists", &values, at)?;
            Requirement::Exists { key }
        }
        "DoesNotExist" => {
            check_none("DoesNotExist", &values, at)?;
            Requirement::DoesNotExist { key }
        }
        _ => {
            let known = "In, NotIn, Exists or DoesNotExist";
            return Err(Problem::NotSupported(operator, known).at(at.child("operator")));
        }
    };
    Ok(requirement)
}

fn listed(
    operator: &'static str,
    values: Vec<String>,
    at: &FieldPath,
) -> Result<BTreeSet<String>, PolicyError> {
    let at = at.child("values");
    if values.is_empty() {
        return Err(Problem::ValuesMissing(operator).at(at));
    }
    for (index, value) in values.iter().enumerate() {
        check_value(value, &at.child(index))?;
    }
    Ok(values.into_iter().collect())
}

fn check_none(
    operator: &'static str,
    values: &[String],
    at: &FieldPath,
) -> Result<(), PolicyError> {
    if values.is_empty() {
        return Ok(());
    }
    Err(Problem::ValuesForbidden(operator).at(at.child("values")))
}

fn check_key(key: &str, at: &FieldPath) -> Result<(), PolicyError> {
    if names::is_label_key(key) {
        return Ok(());
    }
    Err(Problem::LabelKey(key.to_string()).at(at.clone()))
}

fn check_value(value: &str, at: &FieldPath) -> Result<(), PolicyError> {
    if names::is_label_value(value) {
        return Ok(());
    }
    Err(Problem::LabelValue(value.to_string()).at(at.clone()))
}
