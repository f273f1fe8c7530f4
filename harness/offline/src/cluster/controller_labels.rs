//! Labels that controllers give to pods, beside those of a template.
//!
//! Those that follow from the files are given to the pods here as well. The value of the others,
//! or whether they are there at all, only the cluster knows: a policy that selects by them is
//! not judged.

use std::collections::BTreeSet;

use partywall_core::event::NotJudged;
use partywall_core::source::SourceLocation;
use serde_json::Value;

use super::workload::REPLICAS_MAX;
use crate::render::{Object, Rendered};

const JOB_NAME: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
/// Hashes, identities and places that no file has.
const NEVER_KNOWN: [&str; 8] = [
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "controller-revision-hash",
    "controller-uid",
    "pod-template-generation",
    "pod-template-hash",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// The labels that the controller of a workload adds to its pod of this ordinal, where the files
/// tell them.
pub(super) fn added(object: &Object, ordinal: u64) -> Vec<(String, String)> {
    let label = |key: &str, value: String| (key.to_string(), value);
    match object.kind() {
        "StatefulSet" => {
            let first = object.at(&["spec", "ordinals", "start"]).and_then(Value::as_u64);
            let index = first.unwrap_or(0).saturating_add(ordinal);
            let name = format!("{}-{index}", object.name());
            vec![label(POD_NAME, name), label(POD_INDEX, index.to_string())]
        }
        "Job" if object.at(&["spec", "manualSelector"]) != Some(&Value::Bool(true)) => {
            JOB_NAME.iter().map(|key| label(key, object.name().to_string())).collect()
        }
        _ => Vec::new(),
    }
}

/// Policies that select pods by labels which only a controller knows.
pub(crate) fn guessed_selectors(rendered: &Rendered) -> Vec<NotJudged> {
    let unknown = unknown_keys(rendered);
    let policies = rendered.of_kind("NetworkPolicy");
    let policies = policies.filter(|one| one.api_version().starts_with("networking.k8s.io/"));
    policies.filter_map(|policy| guessed(rendered, policy, &unknown)).collect()
}

fn guessed(rendered: &Rendered, policy: &Object, unknown: &BTreeSet<&str>) -> Option<NotJudged> {
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    let mut place: Option<SourceLocation> = None;
    for path in selectors(policy) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some(selector) = policy.at(&path) else { continue };
        let named: BTreeSet<&str> = keys_of(selector).filter(|key| unknown.contains(key)).collect();
        if !named.is_empty() && place.is_none() {
            place = Some(rendered.locate(policy, &path));
        }
        keys.extend(named);
    }
    let location = place?;
    let keys = keys.into_iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    Some(NotJudged {
        subject: policy.label(),
        reason: format!(
            "it selects pods by {keys}, which a controller sets while the cluster runs: whom it \
             selects is in no file. Select by labels of the pods' template, or ask a cluster \
             (`partywall test`)"
        ),
        location: Some(location),
    })
}

/// Keys whose values the files do not tell of every pod that stands.
fn unknown_keys(rendered: &Rendered) -> BTreeSet<&'static str> {
    let mut keys = BTreeSet::from(NEVER_KNOWN);
    // A CronJob's Jobs have the time of their start in their names.
    if rendered.of_kind("CronJob").next().is_some() {
        keys.extend(JOB_NAME);
    }
    // More replicas than these are not put up, so that a policy for one of them has nobody here.
    let replicas = |object: &Object| object.at(&["spec", "replicas"]).and_then(Value::as_u64);
    let is_large = |object: &Object| replicas(object).is_some_and(|count| count > REPLICAS_MAX);
    if rendered.of_kind("StatefulSet").any(is_large) {
        keys.extend([POD_NAME, POD_INDEX]);
    }
    keys
}

/// The paths of everything by which a policy selects pods.
fn selectors(policy: &Object) -> Vec<Vec<String>> {
    let owned = |path: &[&str]| path.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut found = vec![owned(&["spec", "podSelector"])];
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let rules = policy.at(&["spec", direction]).and_then(Value::as_array);
        for (rule, value) in rules.into_iter().flatten().enumerate() {
            let count = value[peers].as_array().map_or(0, Vec::len);
            let rule = rule.to_string();
            found.extend((0..count).map(|peer| {
                owned(&["spec", direction, &rule, peers, &peer.to_string(), "podSelector"])
            }));
        }
    }
    found
}

fn keys_of(selector: &Value) -> impl Iterator<Item = &str> {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    let keys = expressions.filter_map(|expression| expression["key"].as_str());
    labels.map(|(key, _)| key.as_str()).chain(keys)
}

#[cfg(test)]
mod tests {
    use super::super::tests::rendered;
    use super::*;
    use rstest::rstest;

    const CRON: &str = "kind: CronJob\nmetadata: {name: c, namespace: a}\n";
    const SMALL: &str =
        "kind: StatefulSet\nmetadata: {name: s, namespace: a}\nspec: {replicas: 2}\n";
    const LARGE: &str =
        "kind: StatefulSet\nmetadata: {name: s, namespace: a}\nspec: {replicas: 3}\n";

    #[rstest]
    #[case::hash("podSelector: {matchLabels: {pod-template-hash: x}}", "", true)]
    #[case::revision(
        "podSelector: {matchExpressions: [{key: controller-revision-hash, operator: Exists}]}",
        "",
        true
    )]
    #[case::peer(
        "ingress: [{}, {from: [{podSelector: {}}, {podSelector: {matchLabels: {controller-uid: x}}}]}]",
        "",
        true
    )]
    #[case::far(
        "egress: [{to: [{podSelector: {matchLabels: {batch.kubernetes.io/controller-uid: x}}}]}]",
        "",
        true
    )]
    #[case::own("podSelector: {matchLabels: {app: x}}", CRON, false)]
    #[case::namespaces(
        "ingress: [{from: [{namespaceSelector: {matchLabels: {pod-template-hash: x}}}]}]",
        "",
        false
    )]
    #[case::job("podSelector: {matchLabels: {job-name: x}}", "", false)]
    #[case::cron("podSelector: {matchLabels: {job-name: x}}", CRON, true)]
    #[case::replica(
        "podSelector: {matchLabels: {apps.kubernetes.io/pod-index: '1'}}",
        SMALL,
        false
    )]
    #[case::replicas(
        "podSelector: {matchLabels: {apps.kubernetes.io/pod-index: '2'}}",
        LARGE,
        true
    )]
    fn what_only_a_controller_knows_is_not_judged(
        #[case] spec: &str,
        #[case] beside: &str,
        #[case] expected: bool,
    ) {
        let policy = format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: a}}\nspec: {{{spec}}}\n"
        );
        let found = guessed_selectors(&rendered(&format!("{policy}---\n{beside}")));
        assert_eq!(found.len(), usize::from(expected));
        assert!(found.iter().all(|one| one.subject == "NetworkPolicy a/p"));
    }

    #[rstest]
    #[case::stateful(
        "kind: StatefulSet",
        "{}",
        "apps.kubernetes.io/pod-index=1 statefulset.kubernetes.io/pod-name=w-1"
    )]
    #[case::later(
        "kind: StatefulSet",
        "{ordinals: {start: 4}}",
        "apps.kubernetes.io/pod-index=5 statefulset.kubernetes.io/pod-name=w-5"
    )]
    #[case::job("kind: Job", "{}", "batch.kubernetes.io/job-name=w job-name=w")]
    #[case::own_selector("kind: Job", "{manualSelector: true}", "")]
    #[case::deployment("kind: Deployment", "{}", "")]
    fn controllers_add_labels(#[case] kind: &str, #[case] spec: &str, #[case] expected: &str) {
        let text = format!("{kind}\nmetadata: {{name: w, namespace: n}}\nspec: {spec}\n");
        let rendered = rendered(&text);
        let mut found: Vec<String> = added(&rendered.objects[0], 1)
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        found.sort();
        assert_eq!(found.join(" "), expected);
    }
}
