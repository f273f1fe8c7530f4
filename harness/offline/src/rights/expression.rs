//! Expressions of admission policies, in CEL.

use std::sync::Arc;

use cel::{Context, Env, Value as Cel};
use serde_json::{Map, Value};

/// What an expression says of an object. Anything but a plain yes or no is unknown: functions that
/// Kubernetes adds to the language are not known here.
pub(crate) fn is_true(text: &str, object: &Value, request: &Value) -> Result<bool, String> {
    let env = Arc::new(Env::stdlib());
    let program = env.compile(text).map_err(|_| format!("`{text}` is not understood"))?;
    let mut context = Context::with_env(env);
    context.add_variable_from_value("object", value(object));
    context.add_variable_from_value("oldObject", Cel::Null);
    context.add_variable_from_value("request", value(request));
    let answer = program.execute(&context);
    match answer {
        Ok(Cel::Bool(answer)) => Ok(answer),
        Ok(_) => Err(format!("`{text}` is no question")),
        Err(error) => Err(format!("`{text}`: {error}")),
    }
}

fn value(json: &Value) -> Cel {
    match json {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => number
            .as_i64()
            .map(Cel::Int)
            .unwrap_or_else(|| Cel::Float(number.as_f64().unwrap_or_default())),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(value).collect())),
        Value::Object(fields) => map(fields),
    }
}

fn map(fields: &Map<String, Value>) -> Cel {
    let entries = fields.iter().map(|(key, field)| (key.clone(), value(field)));
    Cel::Map(entries.collect::<std::collections::HashMap<String, Cel>>().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("!has(object.spec.externalIPs)", Ok(false))]
    #[case("!has(object.spec.externalName)", Ok(true))]
    #[case("size(object.spec.externalIPs) == 0", Ok(false))]
    #[case("!has(object.spec.type) || object.spec.type == 'ClusterIP'", Ok(true))]
    #[case("request.userInfo.username.startsWith('system:serviceaccount:')", Ok(true))]
    #[case("object.spec.ports.all(p, p.port < 1024)", Ok(false))]
    fn answers(#[case] text: &str, #[case] expected: Result<bool, String>) {
        let object = json!({"spec": {"externalIPs": ["10.0.0.1"], "ports": [{"port": 8080}]}});
        let request = json!({"userInfo": {"username": "system:serviceaccount:a:b"}});
        assert_eq!(is_true(text, &object, &request), expected);
    }

    #[rstest]
    #[case("authorizer.group('x').check('y').allowed()")]
    #[case("object.spec.missing == 1")]
    #[case("((")]
    #[case("1 + 1")]
    fn what_is_not_known_is_no_answer(#[case] text: &str) {
        assert!(is_true(text, &json!({"spec": {}}), &Value::Null).is_err());
    }
}
