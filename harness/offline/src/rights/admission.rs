//! Admission by policies and webhooks that the layout holds.

use std::collections::BTreeMap;

use partywall_core::attempt::Identity;
use partywall_core::source::SourceLocation;
use serde_json::{Value, json};

use super::expression::is_true;
use super::request::Request;
use crate::render::{Object, Rendered};

/// What admits by means that are not ours.
const STRANGERS: [&str; 6] = [
    "kyverno.io/",
    "policies.kyverno.io/",
    "constraints.gatekeeper.sh/",
    "templates.gatekeeper.sh/",
    "policy.open-cluster-management.io/",
    "capsule.clastix.io/",
];
/// Kubernetes' own, that are not evaluated: they decide by what else stands.
const WEBHOOKS: [&str; 4] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "MutatingAdmissionPolicy",
    "ResourceQuota",
];

/// What admission says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// Refused, on this line.
    Refused {
        message: String,
        place: SourceLocation,
    },
    Unknown(String),
}

/// What the policies of a layout say of an object that is made.
pub(crate) fn admission(
    rendered: &Rendered,
    identity: &Identity,
    request: &Request,
    object: &Value,
) -> Admission {
    let mut doubt = None;
    let asked = Asked { rendered, request, object, as_seen: as_seen(identity, request) };
    for binding in rendered.of_kind("ValidatingAdmissionPolicyBinding") {
        match asked.bound(binding) {
            Admission::Admitted => {}
            Admission::Unknown(why) => doubt = Some(why),
            refused => return refused,
        }
    }
    let doubt = doubt.or_else(|| stranger(rendered, request));
    doubt.map_or(Admission::Admitted, Admission::Unknown)
}

fn stranger(rendered: &Rendered, request: &Request) -> Option<String> {
    let found = rendered.objects.iter().find(|object| {
        let of_stranger = STRANGERS.iter().any(|group| object.api_version().starts_with(group));
        let is_webhook = WEBHOOKS.contains(&object.kind())
            && (object.namespace().is_empty() || object.namespace() == request.namespace);
        of_stranger || is_webhook
    })?;
    Some(format!("what {} admits is not known here", found.label()))
}

/// The request as expressions see it.
fn as_seen(identity: &Identity, request: &Request) -> Value {
    json!({
        "namespace": request.namespace,
        "name": request.name,
        "operation": operation(request),
        "userInfo": {"username": identity.user(), "groups": identity.groups()},
    })
}

const fn operation(request: &Request) -> &'static str {
    if matches!(request.verb.as_bytes(), b"create") { "CREATE" } else { "UPDATE" }
}

/// One object before the policies.
struct Asked<'a> {
    rendered: &'a Rendered,
    request: &'a Request,
    object: &'a Value,
    as_seen: Value,
}

impl Asked<'_> {
    fn bound(&self, binding: &Object) -> Admission {
        let Self { rendered, request, object, .. } = *self;
        let name = binding.text(&["spec", "policyName"]).unwrap_or_default();
        let Some(policy) = rendered.find("ValidatingAdmissionPolicy", "", name) else {
            return Admission::Unknown(format!("the admission policy `{name}` is in no file"));
        };
        let actions = binding.at(&["spec", "validationActions"]).and_then(Value::as_array);
        if !actions.into_iter().flatten().any(|action| action == "Deny") {
            return Admission::Admitted;
        }
        let constraints = policy.at(&["spec", "matchConstraints"]).unwrap_or(&Value::Null);
        let resources = binding.at(&["spec", "matchResources"]).unwrap_or(&Value::Null);
        for matching in [constraints, resources] {
            match matches(rendered, matching, request, object) {
                Ok(true) => {}
                Ok(false) => return Admission::Admitted,
                Err(why) => return Admission::Unknown(format!("{}: {why}", policy.label())),
            }
        }
        let known = ["paramKind", "variables"];
        if let Some(key) = known.iter().find(|key| policy.at(&["spec", key]).is_some()) {
            return Admission::Unknown(format!(
                "{} has `{key}`, which is not evaluated",
                policy.label()
            ));
        }
        let conditions = policy.at(&["spec", "matchConditions"]).and_then(Value::as_array);
        for condition in conditions.into_iter().flatten() {
            match self.is_true(condition) {
                Ok(true) => {}
                Ok(false) => return Admission::Admitted,
                Err(why) => return Admission::Unknown(format!("{}: {why}", policy.label())),
            }
        }
        self.validated(policy)
    }

    fn is_true(&self, with_expression: &Value) -> Result<bool, String> {
        let expression = with_expression["expression"].as_str().unwrap_or_default();
        is_true(expression, self.object, &self.as_seen)
    }

    fn validated(&self, policy: &Object) -> Admission {
        let rendered = self.rendered;
        let validations = policy.at(&["spec", "validations"]).and_then(Value::as_array);
        let mut doubt = None;
        for (index, validation) in validations.into_iter().flatten().enumerate() {
            match self.is_true(validation) {
                Ok(true) => {}
                Ok(false) => {
                    let message = validation["message"].as_str();
                    let message = message.or_else(|| validation["expression"].as_str());
                    let message = message.unwrap_or_default();
                    let path = ["spec", "validations", &index.to_string()];
                    return Admission::Refused {
                        message: format!("{} denied the request: {message}", policy.label()),
                        place: rendered.locate(policy, &path),
                    };
                }
                Err(why) => doubt = Some(format!("{}: {why}", policy.label())),
            }
        }
        doubt.map_or(Admission::Admitted, Admission::Unknown)
    }
}

/// Whether a policy is about a request at all.
fn matches(
    rendered: &Rendered,
    matching: &Value,
    request: &Request,
    object: &Value,
) -> Result<bool, String> {
    if !matching["excludeResourceRules"].is_null() {
        return Err("`excludeResourceRules` is not evaluated".to_string());
    }
    if let Some(rules) = matching["resourceRules"].as_array()
        && !rules.iter().any(|rule| rule_matches(rule, request))
    {
        return Ok(false);
    }
    let own = labels(&object["metadata"]["labels"]);
    if !selects(&matching["objectSelector"], &own)? {
        return Ok(false);
    }
    if matching["namespaceSelector"].is_null() || request.namespace.is_empty() {
        return Ok(true);
    }
    let Some(namespace) = rendered.find("Namespace", "", &request.namespace) else {
        return Err(format!("no file makes the namespace {}", request.namespace));
    };
    let mut of_namespace = namespace.labels();
    of_namespace.insert("kubernetes.io/metadata.name".to_string(), request.namespace.clone());
    selects(&matching["namespaceSelector"], &of_namespace)
}

fn rule_matches(rule: &Value, request: &Request) -> bool {
    let has = |key: &str, wanted: &str| {
        let items = rule[key].as_array().into_iter().flatten();
        items.into_iter().any(|item| item == "*" || item == wanted)
    };
    has("operations", operation(request))
        && has("apiGroups", &request.resource.group)
        && has("resources", &request.resource.plural)
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_string()))).collect()
}

fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> Result<bool, String> {
    for (key, wanted) in selector["matchLabels"].as_object().into_iter().flatten() {
        if labels.get(key).map(String::as_str) != wanted.as_str() {
            return Ok(false);
        }
    }
    for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
        let found = expression["key"].as_str().and_then(|key| labels.get(key));
        let values = expression["values"].as_array().into_iter().flatten();
        let among = found.is_some_and(|found| values.into_iter().any(|value| value == found));
        let holds = match expression["operator"].as_str().unwrap_or_default() {
            "In" => among,
            "NotIn" => !among,
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            other => return Err(format!("the operator `{other}` is not known")),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}
