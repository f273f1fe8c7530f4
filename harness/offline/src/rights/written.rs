//! The rule that let a hostile object in on a cluster, found in the files as they are written:
//! nothing is rendered, so that a name stands for itself.

use partywall_core::Layout;
use partywall_core::attempt::Identity;
use partywall_core::document::{Document, Item};
use partywall_core::event::Blame;
use partywall_core::layout::folder_of;
use partywall_core::observation::{AttemptAnswer, AttemptObservation};

use super::pod_security::ENFORCE;
use super::resource::plural_of;

/// The line that lets an applied object in, as the files let us guess.
pub fn written(layout: &Layout, seen: &AttemptObservation) -> Option<Blame> {
    let applied = seen.tried.iter().find(|one| one.answer == AttemptAnswer::Applied)?;
    let (kind, place) = seen.object.split_once(' ')?;
    if kind == "Deployment"
        && let Some(blame) = unlabelled(layout, place.split_once('/')?.0)
    {
        return Some(blame);
    }
    let identity = &applied.identity;
    let bindings = layout.documents.iter().filter(|one| binds(one, identity));
    bindings.into_iter().find_map(|binding| rule(layout, binding, identity, kind))
}

/// A namespace that lets every pod in.
fn unlabelled(layout: &Layout, namespace: &str) -> Option<Blame> {
    let mut documents = layout.documents.iter();
    let found = documents.find(|one| one.kind() == "Namespace" && one.name() == namespace)?;
    let is_labelled = found.root.text(&["metadata", "labels", ENFORCE]).is_some();
    let because =
        format!("the namespace enforces no Pod Security; label it `{ENFORCE}: restricted`");
    (!is_labelled).then(|| Blame { location: found.locate(&["metadata", "labels"]), because })
}

fn binds(document: &Document, identity: &Identity) -> bool {
    let subjects = document.root.items(&["subjects"]).iter();
    let names = |subject: &Item| {
        let text = |key: &str| subject.text(&[key]).unwrap_or_default();
        text("kind") == "ServiceAccount"
            && text("name") == identity.name
            && text("namespace") == identity.namespace
    };
    document.kind().ends_with("RoleBinding") && subjects.into_iter().any(names)
}

fn rule(layout: &Layout, binding: &Document, identity: &Identity, kind: &str) -> Option<Blame> {
    let text = |key: &str| binding.root.text(&["roleRef", key]).unwrap_or_default();
    let (of_role, name) = (text("kind"), text("name"));
    let verb = if kind == "Namespace" { "patch" } else { "create" };
    let because = format!("this rule lets {identity} {verb} {}", plural_of(kind));
    let named = |one: &&Document| one.kind() == of_role && one.name() == name;
    let near = |one: &&Document| {
        let (file, of_binding) = (&one.location.file, &binding.location.file);
        (file != of_binding, folder_of(file) != folder_of(of_binding))
    };
    let Some(role) = layout.documents.iter().filter(named).min_by_key(near) else {
        // A role of Kubernetes' own: the binding is the line.
        return Some(Blame { location: binding.locate(&["roleRef"]), because });
    };
    let has = |rule: &Item, key: &str, wanted: &str| {
        let items = rule.items(&[key]).iter();
        items.into_iter().filter_map(|item| item.text(&[])).any(|one| one == "*" || one == wanted)
    };
    let rules = role.root.items(&["rules"]).iter();
    let place = rules
        .into_iter()
        .position(|rule| has(rule, "resources", &plural_of(kind)) && has(rule, "verbs", verb))?;
    Some(Blame { location: role.locate(&["rules", &place.to_string()]), because })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::samples::layout;
    use partywall_core::observation::{AttemptControl, Trying};

    const FILE: &str = "\
kind: Role
metadata: {name: folder}
rules:
  - resources: [configmaps]
    verbs: [create]
  - resources: [networkpolicies]
    verbs: [create]
---
kind: RoleBinding
metadata: {name: folder}
roleRef: {kind: Role, name: folder}
subjects: [{kind: ServiceAccount, name: tenant, namespace: f}]
---
kind: RoleBinding
metadata: {name: root}
roleRef: {kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: root, namespace: f}]
---
kind: Namespace
metadata:
  name: a
  labels: {purpose: tenant}
";

    fn seen(object: &str, account: &str) -> AttemptObservation {
        let identity = Identity::new("f", account);
        AttemptObservation {
            object: object.to_string(),
            tried: vec![Trying { identity, answer: AttemptAnswer::Applied }],
            control: AttemptControl::Accepted,
            effect: None,
            left: None,
        }
    }

    #[test]
    fn names_the_line() {
        let layout = layout(&[("r.yaml", FILE)]);
        let place = |object: &str, account: &str| {
            written(&layout, &seen(object, account)).map(|blame| blame.location.to_string())
        };
        assert_eq!(place("NetworkPolicy a/x", "tenant").as_deref(), Some("r.yaml:6"));
        assert_eq!(place("NetworkPolicy a/x", "root").as_deref(), Some("r.yaml:16"));
        assert_eq!(place("Deployment a/x", "tenant").as_deref(), Some("r.yaml:22"));
        assert_eq!(place("NetworkPolicy a/x", "nobody"), None);
    }
}
