//! Layouts of the fixtures, rendered by the pinned programs.

mod render_support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use partywall_core::Layout;
use partywall_core::contract::Contract;
use partywall_offline::defect::of_objects;
use partywall_offline::load;
use partywall_offline::mend::{mend, mended};
use partywall_offline::mutant::{Mutant, apply};
use partywall_offline::render::{Options, Rendered, Repository, render};
use render_support::{complaints, programs, rendered, root};

/// The repositories that the contract of a layout names.
fn repositories(layout: &Layout, folder: &Path) -> Vec<Repository> {
    let contract = Contract::load("partywall.yaml", &layout.files["partywall.yaml"]);
    let named = contract.expect("the contract loads").repositories;
    let repository = |one: partywall_core::contract::Repository| {
        let files = load::working_tree(&folder.join(&one.path)).map(|layout| layout.files);
        // Templates of charts are no YAML, and the layout's own files are known already.
        let files = if one.path == "." { BTreeMap::new() } else { files.expect("the charts load") };
        Repository { url: one.url, prefix: one.path, files }
    };
    named.into_iter().map(repository).collect()
}

/// A layout of the fixtures, with what its contract names.
fn fixture(path: &str) -> (Layout, Vec<Repository>) {
    let folder = root().join("fixtures").join(path);
    let layout = load::working_tree(&folder).expect("the layout loads");
    let repositories = repositories(&layout, &folder);
    (layout, repositories)
}

/// One line for every object.
fn shown(rendered: &Rendered) -> String {
    let mut text = String::new();
    for object in &rendered.objects {
        let (label, origin) = (object.label(), object.origin.to_string());
        // The hash of a sealed file changes whenever it is sealed anew.
        let label = match label.split_once("open-webui-secrets-") {
            Some((start, _)) => format!("{start}open-webui-secrets-[hash]"),
            None => label,
        };
        let _ = writeln!(text, "{label} | {origin} | {}", object.applied_by);
    }
    text
}

#[test]
fn the_reference_layout_is_rendered_whole() {
    let (layout, repositories) = fixture("deployments");
    let rendered = rendered(&layout, &repositories);
    insta::assert_snapshot!(shown(&rendered));
    assert_eq!(complaints(&rendered), [""; 0]);
    for object in &rendered.objects {
        let line = rendered.block(&object.origin, 1);
        assert!(
            line.is_some_and(|line| !line.trim().is_empty()),
            "{} {}",
            object.label(),
            object.origin
        );
    }
    let header = rendered.find("Deployment", "customer-b", "open-webui").expect("the workload");
    let text = header.value.to_string();
    assert!(text.contains("X-Scope-OrgID=customer-b"), "{text}");
}

#[test]
fn values_of_sealed_files_stay_sealed() {
    let (layout, repositories) = fixture("deployments");
    let rendered = rendered(&layout, &repositories);
    let secret = rendered.find("Secret", "customer-a", "open-webui").expect("the chart's Secret");
    let sealed = secret.text(&["stringData", "postgres-password"]).expect("a value");
    assert!(sealed.starts_with("ENC[AES256_GCM,"), "not sealed");
}

#[test]
fn foreign_workloads_are_rendered() {
    let (layout, repositories) = fixture("layouts/foreign-workloads");
    let rendered = rendered(&layout, &repositories);
    assert_eq!(complaints(&rendered), [""; 0]);
    let postgres = rendered.find("StatefulSet", "customer-a", "postgres").expect("the workload");
    assert!(postgres.value.to_string().contains("netexec"));
}

#[test]
fn the_first_draft_shows_its_defects_one_behind_the_other() {
    let (mut layout, repositories) = fixture("layouts/first-draft");
    let mut found = Vec::new();
    for _round in 0..3 {
        let rendered = rendered(&layout, &repositories);
        let defects = of_objects(&layout, &rendered.flux, &[]);
        for defect in &defects {
            let place = defect.location.as_ref().map(ToString::to_string).unwrap_or_default();
            found.push(format!("{} {} {place}", defect.name, defect.object));
        }
        let Some(defect) = defects.first() else { break };
        let changed = mend(&layout, defect).expect("there is a change that takes it out");
        layout = mended(&layout, &changed).expect("the change loads");
    }
    insta::assert_snapshot!(found.join("\n"), @r"
    patch-does-not-apply Kustomization flux-system/customer-a customers/customer-a/kustomization.yaml:31
    patch-does-not-apply Kustomization flux-system/customer-b customers/customer-b/kustomization.yaml:31
    patch-does-not-apply Kustomization flux-system/soev-internal customers/soev-internal/kustomization.yaml:31
    cross-namespace-reference HelmRelease customer-a/open-webui base/helmrelease.yaml:14
    cross-namespace-reference HelmRelease customer-b/open-webui base/helmrelease.yaml:14
    cross-namespace-reference HelmRelease soev-internal/open-webui base/helmrelease.yaml:14
    ");
}

#[test]
fn every_mutant_renders() {
    let all = Mutant::load_all(&root().join("fixtures/mutants")).expect("the mutants load");
    let (reference, repositories) = fixture("deployments");
    let reference = shown(&rendered(&reference, &repositories));
    for mutant in &all {
        let scratch = tempfile::tempdir().expect("a folder");
        apply(mutant, &mutant.layout_dir(), scratch.path()).expect("the patch applies");
        let layout = load::working_tree(scratch.path()).expect("the mutant loads");
        let rendered = rendered(&layout, &repositories);
        assert_eq!(complaints(&rendered), [""; 0], "{}", mutant.name);
        assert!(
            shown(&rendered).lines().count() + 12 > reference.lines().count(),
            "{}",
            mutant.name
        );
    }
}

#[test]
fn a_cache_gives_the_same_objects() {
    let (layout, repositories) = fixture("deployments");
    let cache = tempfile::tempdir().expect("a folder");
    let programs = programs();
    let options = Options { programs: &programs, cache: Some(cache.path()), entry: None };
    let first = render(&layout, &repositories, &options).expect("it renders");
    let entries = std::fs::read_dir(cache.path()).expect("the cache").count();
    assert_eq!(entries, 10);
    let second = render(&layout, &repositories, &options).expect("it renders");
    assert_eq!(shown(&first), shown(&second));
    assert_eq!(std::fs::read_dir(cache.path()).expect("the cache").count(), entries);
}
