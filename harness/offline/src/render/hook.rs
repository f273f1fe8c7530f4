//! Helm's hooks: objects that a release has only while it is installed, changed or taken away.

use serde_json::Value;

use super::scope::group_of;

/// Helm goes by the key alone, and applies nothing with a value that it does not know.
const ANNOTATION: &str = "helm.sh/hook";

/// Why an object of a hook is not taken to be there.
pub(super) const REASON: &str = "a Helm hook: it stands only while the release is installed or changed (hint: write it \
     without `helm.sh/hook`, or as a manifest)";

/// Whether Helm takes a manifest for a hook.
pub(super) fn is_hook(value: &Value) -> bool {
    let annotations = value.pointer("/metadata/annotations").and_then(Value::as_object);
    annotations.is_some_and(|annotations| annotations.contains_key(ANNOTATION))
}

/// Whether an object is a pod or ends as one: while it runs, the policies hold for it as for any
/// other.
pub(super) fn runs(value: &Value) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    matches!((group_of(text("apiVersion")), text("kind")), ("", "Pod") | ("batch", "Job"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"helm.sh/hook": "pre-install"}), true)]
    #[case(json!({"helm.sh/hook": null}), true)]
    #[case(json!({"helm.sh/hook-weight": "1", "helm.sh/resource-policy": "keep"}), false)]
    #[case(json!(null), false)]
    fn knows_a_hook(#[case] annotations: Value, #[case] expected: bool) {
        assert_eq!(is_hook(&json!({"metadata": {"annotations": annotations}})), expected);
    }

    #[rstest]
    #[case("v1", "Pod", true)]
    #[case("batch/v1", "Job", true)]
    #[case("batch/v1", "CronJob", false)]
    #[case("example.com/v1", "Job", false)]
    #[case("v1", "Service", false)]
    fn knows_what_runs(#[case] version: &str, #[case] kind: &str, #[case] expected: bool) {
        assert_eq!(runs(&json!({"apiVersion": version, "kind": kind})), expected);
    }
}
