//! Tenants' workloads that may run before the policies around them.
//!
//! kustomize-controller applies workloads before NetworkPolicies, so within one Kustomization a
//! pod can run without walls for a moment; between two, only `dependsOn` makes an order.

use std::collections::{BTreeMap, BTreeSet};

use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_core::event::Defect;
use serde_json::Value;

use super::findings::defect;
use super::selector::{DIRECTIONS, isolates, selects};
use super::{Kustomization, WORKLOAD_BEFORE_POLICY, unbuilt};
use crate::render::{Object, Rendered};

/// Kinds with pods, and the path of the pods' labels.
const WORKLOADS: [(&str, &[&str]); 7] = [
    ("Deployment", &["spec", "template", "metadata", "labels"]),
    ("StatefulSet", &["spec", "template", "metadata", "labels"]),
    ("DaemonSet", &["spec", "template", "metadata", "labels"]),
    ("ReplicaSet", &["spec", "template", "metadata", "labels"]),
    ("Job", &["spec", "template", "metadata", "labels"]),
    ("CronJob", &["spec", "jobTemplate", "spec", "template", "metadata", "labels"]),
    ("Pod", &["metadata", "labels"]),
];

pub(super) fn findings(layout: &Layout, rendered: &Rendered, contract: &Contract) -> Vec<Defect> {
    let unbuilt = unbuilt::objects(layout, rendered);
    let objects: Vec<&Object> = rendered.objects.iter().chain(&unbuilt).collect();
    let order = Order::of(rendered);
    let mut policies: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for policy in objects.iter().filter(|object| object.kind() == "NetworkPolicy") {
        policies.entry(policy.namespace()).or_default().push(policy);
    }
    let mut found: BTreeMap<(String, String), Defect> = BTreeMap::new();
    for workload in workloads(rendered, &objects) {
        if contract.tenant_of(workload.namespace).is_none() {
            continue;
        }
        let key = (workload.kustomization.clone(), workload.namespace.to_string());
        if found.contains_key(&key) {
            continue;
        }
        let beside = policies.get(workload.namespace).into_iter().flatten().copied();
        let policies = beside.filter(|policy| selects(policy, workload.labels.as_ref()));
        let policies: Vec<&Object> = policies.collect();
        if let Some(late) = late(&order, &workload, &policies) {
            found.insert(key, finding(rendered, &order, &workload, late));
        }
    }
    found.into_values().collect()
}

/// A workload, or the release of a chart whose workloads are not known.
struct Workload<'a> {
    object: &'a Object,
    namespace: &'a str,
    /// Labels of its pods, where they are known.
    labels: Option<BTreeMap<String, String>>,
    /// Label of the Kustomization that brings it.
    kustomization: String,
}

fn workloads<'a>(rendered: &'a Rendered, objects: &[&'a Object]) -> Vec<Workload<'a>> {
    let with_workloads: BTreeSet<&str> = rendered
        .objects
        .iter()
        .filter(|object| WORKLOADS.iter().any(|(kind, _)| *kind == object.kind()))
        .map(|object| object.applied_by.as_str())
        .collect();
    let mut bringers: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for object in objects.iter().copied() {
        let labels = WORKLOADS.iter().find(|(kind, _)| *kind == object.kind());
        let labels = labels.map(|(_, path)| object.text_map(path));
        let is_release =
            object.kind() == "HelmRelease" && !with_workloads.contains(object.label().as_str());
        if labels.is_none() && !is_release {
            continue;
        }
        let brought = bringers
            .entry(object.applied_by.as_str())
            .or_insert_with(|| Kustomization::of(rendered, object).map(|one| one.label()));
        let Some(kustomization) = brought.clone() else { continue };
        let target = object.text(&["spec", "targetNamespace"]).filter(|_| is_release);
        let namespace = target.unwrap_or_else(|| object.namespace());
        found.push(Workload { object, namespace, labels, kustomization });
    }
    found
}

/// A policy without which the workload is open at first, where the others come in time.
fn late<'a>(order: &Order, workload: &Workload<'_>, policies: &[&'a Object]) -> Option<&'a Object> {
    let in_time = |policy: &Object| {
        // Helm installs policies before workloads.
        let same_release = policy.applied_by.starts_with("HelmRelease ")
            && policy.applied_by == workload.object.applied_by;
        same_release || order.is_before(&policy.applied_by, &workload.kustomization)
    };
    DIRECTIONS.iter().find_map(|direction| {
        let mut isolating = policies.iter().copied().filter(|policy| isolates(policy, direction));
        let is_open = !isolating.clone().any(in_time);
        isolating.next().filter(|_| is_open)
    })
}

fn finding(rendered: &Rendered, order: &Order, workload: &Workload<'_>, policy: &Object) -> Defect {
    let (what, wall) = (workload.object.label(), policy.label());
    let label = &workload.kustomization;
    let from_chart = workload.object.kind() == "HelmRelease"
        || workload.object.applied_by.starts_with("HelmRelease ");
    if policy.applied_by != *label {
        let by = &policy.applied_by;
        let waits_at = |label: &str| {
            let kustomization = Kustomization::all(rendered).find(|one| one.label() == *label);
            kustomization.map_or_else(
                || workload.object.origin.clone(),
                |one| rendered.locate(one.0, &["spec", "dependsOn"]),
            )
        };
        if order.is_before(label, by) {
            let summary = format!(
                "{by}, which applies {wall}, waits for {label}, which brings {what}, so its pods \
                 run without a wall until they are ready; turn it round: take this away, and name \
                 {by} in `spec.dependsOn` of {label}"
            );
            return defect(WORKLOAD_BEFORE_POLICY, label.clone(), waits_at(by), summary);
        }
        let location = waits_at(label);
        let summary = format!(
            "{label} brings {what} and does not wait for {by}, which applies {wall}, so its pods \
             may run before there is a wall; name it in `spec.dependsOn`"
        );
        return defect(WORKLOAD_BEFORE_POLICY, label.clone(), location, summary);
    }
    let why = if from_chart {
        "Helm usually installs later, but nothing makes it wait for the policies"
    } else {
        "Flux applies workloads before policies, so its pods run without a wall at first"
    };
    let summary = format!(
        "{label} applies both {what} and {wall}: {why}; move the policies into a Kustomization of \
         their own, and name that one in `spec.dependsOn`"
    );
    defect(WORKLOAD_BEFORE_POLICY, label.clone(), policy.origin.clone(), summary)
}

/// Which Kustomizations wait for which.
struct Order(BTreeMap<String, Vec<String>>);

impl Order {
    fn of(rendered: &Rendered) -> Self {
        let waits_for = |one: Kustomization<'_>| {
            let list = one.0.at(&["spec", "dependsOn"]).and_then(Value::as_array);
            let names = list.into_iter().flatten().filter_map(|other| {
                let namespace = other["namespace"].as_str().unwrap_or_else(|| one.0.namespace());
                Some(format!("Kustomization {namespace}/{}", other["name"].as_str()?))
            });
            (one.label(), names.collect())
        };
        Self(Kustomization::all(rendered).map(waits_for).collect())
    }

    /// Whether `later` waits for `first`, directly or through others.
    fn is_before(&self, first: &str, later: &str) -> bool {
        let mut open = vec![later];
        let mut seen = BTreeSet::new();
        while let Some(one) = open.pop() {
            let waits_for = self.0.get(one).into_iter().flatten();
            for other in waits_for {
                if other == first {
                    return true;
                }
                if seen.insert(other.as_str()) {
                    open.push(other);
                }
            }
        }
        false
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
