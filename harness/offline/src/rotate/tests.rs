use std::collections::BTreeMap;
use std::path::PathBuf;

use partywall_core::Layout;
use partywall_core::contract::Contract;

use super::*;
use crate::load::working_tree;
use crate::sops::Identities;

const NEW: &str = include_str!("../../tests/data/owner-TEST-ONLY.key");

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn contract(layout: &Layout) -> Contract {
    Contract::load("partywall.yaml", &layout.files["partywall.yaml"]).unwrap()
}

fn keys(text: &str) -> Identities {
    Identities::parse(text).unwrap()
}

fn old_key() -> String {
    std::fs::read_to_string(fixtures().join("keys/TEST-ONLY-customer-a.agekey")).unwrap()
}

fn with(layout: &Layout, files: BTreeMap<String, String>) -> Layout {
    let mut all = layout.files.clone();
    all.extend(files);
    Layout::new(all).unwrap()
}

#[test]
fn the_reference_layout_is_rotated_in_three_steps_and_verified() {
    let mut layout = working_tree(&fixtures().join("deployments")).unwrap();
    let new = keys(NEW).recipients().remove(0);
    let both = keys(&format!("{}\n{NEW}", old_key()));
    let rotation = |layout: &Layout| {
        Rotation::of(layout, &contract(layout), "customer-a", None, Some(&new)).unwrap()
    };
    let first = rotation(&layout);
    assert_eq!(first.key_secret, "flux-system/sops-age-customer-a");
    assert_eq!(first.kustomizations[0].0, "flux-system/customer-a");
    assert_eq!(first.files[0].rule[0].1.file, ".sops.yaml");
    assert_eq!(verify(&layout, &first, &keys(NEW), None).unwrap().len(), 2);

    let added = step(&layout, &first, Step::Add, &new, &both).unwrap();
    let names: Vec<&str> = added.keys().map(String::as_str).collect();
    assert_eq!(names, [".sops.yaml", "customers/customer-a/secrets.yaml", "partywall.yaml"]);
    layout = with(&layout, added);
    assert!(step(&layout, &rotation(&layout), Step::Add, &new, &both).unwrap().is_empty());

    let renewed = step(&layout, &rotation(&layout), Step::Reseal, &new, &both).unwrap();
    assert_eq!(renewed.len(), 1);
    layout = with(&layout, renewed);
    let left = verify(&layout, &rotation(&layout), &keys(NEW), Some(&keys(&old_key()))).unwrap();
    assert_eq!(left.len(), 2, "{left:?}");

    let before = rotation(&layout);
    let removed = step(&layout, &before, Step::Remove, &new, &keys(NEW)).unwrap();
    assert_eq!(removed.len(), 3);
    layout = with(&layout, removed);
    let after = Rotation::of(&layout, &contract(&layout), "customer-a", Some(&before.old), None);
    let after = after.unwrap();
    assert_eq!(verify(&layout, &after, &keys(NEW), Some(&keys(&old_key()))).unwrap(), []);
    assert!(layout.files.values().all(|text| !text.contains(&before.old)));
}

#[test]
fn steps_out_of_order_are_refused_with_their_line() {
    let layout = working_tree(&fixtures().join("deployments")).unwrap();
    let new = keys(NEW).recipients().remove(0);
    let rotation = Rotation::of(&layout, &contract(&layout), "customer-a", None, None).unwrap();
    let error = step(&layout, &rotation, Step::Remove, &new, &keys(&old_key())).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with("customers/customer-a/secrets.yaml:"), "{said}");
    assert!(said.contains("--do add"), "{said}");
}

#[test]
fn a_key_of_several_tenants_is_nobodys_to_rotate() {
    let layout = working_tree(&fixtures().join("layouts/first-draft")).unwrap();
    let contract = contract(&layout);
    let tenant = &contract.tenants[0].name;
    let error = Rotation::of(&layout, &contract, tenant, None, None).unwrap_err().to_string();
    assert!(error.starts_with("partywall.yaml:") && error.contains("too"), "{error}");
    assert!(Rotation::of(&layout, &contract, "nobody", None, None).is_err());
}

#[test]
fn a_decryption_block_is_taken_away_whole() {
    let layout = working_tree(&fixtures().join("deployments")).unwrap();
    let rotation = Rotation::of(&layout, &contract(&layout), "customer-b", None, None).unwrap();
    let files = without_decryption(&layout, &rotation).unwrap();
    let (file, text) = files.first_key_value().unwrap();
    assert_eq!(layout.files[file].lines().count() - text.lines().count(), 4);
    let changed = with(&layout, files.clone());
    let left = Rotation::of(&changed, &contract(&changed), "customer-b", None, None).unwrap();
    assert!(without_decryption(&changed, &left).is_err());
}
