//! Objects of Flux: pruning, order, whose rights, and who opens what is sealed.

use serde_json::{Value, json};

use super::catalogue::{
    ACCOUNT_DROPPED, DECRYPTION_REMOVED, KEY_SWAPPED, ORDER_DROPPED, PRUNE_OFF,
};
use super::ground::{Ground, Written};
use super::model::Generated;
use super::text::Change;
use crate::render::SYNC_FILE;

/// The API groups of Flux that apply something.
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";

pub(super) fn generate(ground: &Ground<'_>) -> Vec<Generated> {
    let mut mutants = Vec::new();
    for one in ground.written("Kustomization", KUSTOMIZE) {
        let about = about(ground, &one);
        let mut found = of_kustomization(ground, &one);
        found.iter_mut().for_each(|mutant| mutant.about.clone_from(&about));
        mutants.extend(found);
    }
    for one in ground.written("HelmRelease", HELM) {
        mutants.extend(account(&one, "HelmRelease"));
    }
    mutants
}

/// The Kustomization itself, and the namespaces that it fills.
fn about(ground: &Ground<'_>, one: &Written<'_>) -> Vec<String> {
    let labels: Vec<String> = one.objects.iter().map(|object| object.label()).collect();
    let applied = ground.rendered.objects.iter().filter(|one| labels.contains(&one.applied_by));
    let namespaces = applied.map(|object| object.namespace().to_string());
    let mut about: Vec<String> = namespaces.filter(|name| !name.is_empty()).collect();
    about.extend(one.objects.iter().map(|object| object.label()));
    about.sort();
    about.dedup();
    about
}

fn of_kustomization(ground: &Ground<'_>, one: &Written<'_>) -> Vec<Generated> {
    let spec = &one.value()["spec"];
    let name = one.name();
    let mut mutants = Vec::new();
    // Where no policy is applied, none can stay.
    let labels: Vec<String> = one.objects.iter().map(|object| object.label()).collect();
    let mut policies = ground.rendered.of_kind("NetworkPolicy");
    if spec["prune"] == json!(true) && policies.any(|policy| labels.contains(&policy.applied_by)) {
        let said = format!("Kustomization {name} does not prune");
        let change = Change::Set(json!(false));
        mutants.push(one.mutant(PRUNE_OFF, "", said, (&["spec", "prune"], &change)));
    }
    if spec["dependsOn"].as_array().is_some_and(|list| !list.is_empty()) {
        let said = format!("Kustomization {name} waits for nothing");
        let change = (&["spec", "dependsOn"][..], &Change::Remove);
        mutants.push(one.mutant(ORDER_DROPPED, "", said, change));
    }
    mutants.extend(account(one, "Kustomization").map(|mutant| not_of_root(one, mutant)));
    if !spec["decryption"].is_null() {
        let said = format!("Kustomization {name} opens nothing that is sealed");
        let change = (&["spec", "decryption"][..], &Change::Remove);
        mutants.push(one.mutant(DECRYPTION_REMOVED, "", said, change));
    }
    mutants.extend(key_swapped(ground, one));
    mutants
}

fn account(one: &Written<'_>, kind: &str) -> Option<Generated> {
    one.value()["spec"]["serviceAccountName"].as_str()?;
    let said = format!("{kind} {} names no account", one.name());
    let change = (&["spec", "serviceAccountName"][..], &Change::Remove);
    Some(one.mutant(ACCOUNT_DROPPED, &kind.to_lowercase(), said, change))
}

/// Who brings the root into a cluster lets it apply as Flux itself, whatever it names.
fn not_of_root(one: &Written<'_>, mutant: Generated) -> Generated {
    match one.location.file.rsplit('/').next() {
        Some(SYNC_FILE) => {
            let reason = "the root is applied with the rights of Flux itself, whatever it names";
            Generated { files: Err(reason.to_string()), ..mutant }
        }
        _ => mutant,
    }
}

/// The key of the next tenant of the contract in place of the own one.
fn key_swapped(ground: &Ground<'_>, one: &Written<'_>) -> Option<Generated> {
    let path = ["spec", "decryption", "secretRef", "name"];
    let own = one.value().pointer("/spec/decryption/secretRef/name").and_then(Value::as_str)?;
    let namespace = one.objects.first()?.namespace();
    let keys = ground.contract.tenants.iter().filter_map(|tenant| tenant.secrets.as_ref());
    let names = keys.filter_map(|secrets| secrets.key_secret.split_once('/'));
    let mut others = names.filter(|(place, name)| *place == namespace && *name != own);
    let (_, other) = others.next()?;
    let said = format!("Kustomization {} opens with the key {other}", one.name());
    let change = Change::Set(Value::String(other.to_string()));
    Some(one.mutant(KEY_SWAPPED, "", said, (&path, &change)))
}
