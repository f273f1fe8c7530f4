//! `fixtures/layouts/foreign-workloads` is the reference layout but for what its README names. A
//! copy that is not held against its original is soon another layout.

#![expect(clippy::unwrap_used, reason = "a failed step of a trial is a failed trial")]

use std::collections::BTreeSet;
use std::path::Path;

use partywall_core::layout::Layout;
use partywall_offline::load::working_tree;

/// Files in which agnhost stands for the agent.
const WORKLOADS: [&str; 4] = [
    "base/helmrelease.yaml",
    "shared-services/gateway/crawl4ai.yaml",
    "shared-services/gateway/gateway.yaml",
    "shared-services/gateway/searxng.yaml",
];

fn layout(name: &str) -> Layout {
    working_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap()
}

fn names(layout: &Layout) -> BTreeSet<&String> {
    layout.files.keys().collect()
}

#[test]
fn it_differs_from_the_reference_layout_in_its_workloads_alone() {
    let (reference, foreign) = (layout("deployments"), layout("layouts/foreign-workloads"));
    assert_eq!(names(&foreign), names(&reference));
    let differ = |name: &&String| foreign.files[*name] != reference.files[*name];
    let different: Vec<&str> =
        names(&reference).into_iter().filter(differ).map(String::as_str).collect();
    let mut expected = WORKLOADS.to_vec();
    expected.extend(["README.md", "partywall.yaml"]);
    expected.sort_by_key(|name| name.to_string());
    assert_eq!(different, expected);
    let contract = &reference.files["partywall.yaml"];
    let deeper = contract.replace("path: ../charts", "path: ../../charts");
    assert_eq!(foreign.files["partywall.yaml"], deeper, "the same contract");
}

#[test]
fn its_workloads_run_the_image_that_the_bundle_has() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kind-config/images.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let (_, after) = lock.split_once("- name: agnhost").unwrap();
    let tag = after.lines().find_map(|line| line.trim().strip_prefix("tag: ")).unwrap();
    let image = format!("image: partywall.local/agnhost:{}", tag.trim_matches('"'));
    let foreign = layout("layouts/foreign-workloads");
    for name in WORKLOADS {
        assert!(foreign.files[name].contains(&image), "{name} does not run {image}");
    }
}
