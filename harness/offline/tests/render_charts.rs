//! Charts whose objects do not all stand, or are not all known, rendered by the pinned programs.

mod render_support;

use std::collections::BTreeMap;

use partywall_core::Layout;
use partywall_offline::render::{Object, Options, Programs, Rendered, render};
use partywall_tool::Tool;
use render_support::{complaints, programs, rendered};
use rstest::rstest;

const LAYOUT: &str = "apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {url: https://example.com/fleet.git, ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {path: ./one, sourceRef: {kind: GitRepository, name: flux-system}}
";
const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: r, namespace: flux-system}
spec:
  targetNamespace: apps
  releaseName: r
  chart: {spec: {chart: ./c, sourceRef: {kind: GitRepository, name: flux-system}}}
";

/// A release of a chart with these files, besides a ConfigMap.
fn layout(chart: &[(&str, &str)], more: &str) -> Layout {
    let release = format!("{RELEASE}{more}");
    let own = [
        ("one/gotk-sync.yaml", LAYOUT),
        ("one/release.yaml", &release),
        ("one/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, namespace: apps}\n"),
        ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n"),
    ];
    let files = own.iter().chain(chart);
    let files: BTreeMap<String, String> =
        files.map(|(path, text)| (path.to_string(), text.to_string())).collect();
    Layout::lenient(files)
}

fn released(chart: &[(&str, &str)], more: &str) -> Rendered {
    rendered(&layout(chart, more), &[])
}

fn of_chart(rendered: &Rendered) -> String {
    let own = rendered.objects.iter().filter(|object| object.applied_by.starts_with("HelmRelease"));
    own.map(Object::label).collect::<Vec<_>>().join(", ")
}

const HOOK: &str = "a Helm hook: it stands only while the release is installed or changed \
                    (hint: write it without `helm.sh/hook`, or as a manifest)";

#[rstest]
#[case::a_wall_before("networking.k8s.io/v1", "NetworkPolicy", "pre-install", "")]
#[case::a_wall_after("networking.k8s.io/v1", "NetworkPolicy", "post-delete", "")]
#[case::a_wall_always("networking.k8s.io/v1", "NetworkPolicy", "post-install,post-upgrade", "")]
#[case::a_service("v1", "Service", "pre-install", "")]
#[case::a_job("batch/v1", "Job", "pre-install", "Job apps/x")]
#[case::a_job_at_the_end("batch/v1", "Job", "pre-delete", "Job apps/x")]
#[case::a_pod("v1", "Pod", "post-upgrade", "Pod apps/x")]
fn a_hook_does_not_stand(
    #[case] version: &str,
    #[case] kind: &str,
    #[case] events: &str,
    #[case] stands: &str,
) {
    let hook = format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: x\n  annotations:\n    \
         helm.sh/hook: {events}\n    helm.sh/hook-delete-policy: hook-succeeded\nspec: {{}}\n"
    );
    let rendered = released(&[("c/templates/x.yaml", &hook)], "");
    assert_eq!(of_chart(&rendered), stands);
    let expected = format!("{kind} apps/x is not judged: {HOOK}");
    let expected = if stands.is_empty() { vec![expected] } else { Vec::new() };
    assert_eq!(complaints(&rendered), expected);
    let location = rendered.not_judged.first().and_then(|note| note.location.clone());
    let place = location.map(|location| location.to_string());
    assert_eq!(place.as_deref(), stands.is_empty().then_some("c/templates/x.yaml:2"));
}

const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: x\n  \
                      annotations: {helm.sh/hook: pre-install}\nspec: {podSelector: {}}\n";

/// The same policy, as no hook.
fn standing() -> String {
    POLICY.replace("  annotations: {helm.sh/hook: pre-install}\n", "")
}

#[rstest]
#[case::removed("remove", true)]
#[case::added("add", false)]
fn a_post_renderer_makes_no_hook_stand(#[case] op: &str, #[case] written: bool) {
    let value = if written { "" } else { ", \"value\": {\"helm.sh/hook\": \"pre-install\"}" };
    let patch = format!(
        "  postRenderers:\n    - kustomize:\n        patches:\n          - target: {{kind: NetworkPolicy}}\n            \
         patch: '[{{\"op\": \"{op}\", \"path\": \"/metadata/annotations\"{value}}}]'\n"
    );
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n";
    let wall = if written { POLICY.to_string() } else { standing() };
    let chart = [("c/templates/x.yaml", wall.as_str()), ("c/templates/y.yaml", map)];
    let rendered = released(&chart, &patch);
    assert_eq!(complaints(&rendered), [format!("NetworkPolicy apps/x is not judged: {HOOK}")]);
    assert_eq!(of_chart(&rendered), "ConfigMap apps/y");
}

#[test]
fn an_annotation_for_all_may_make_hooks_of_them() {
    let common = "  commonMetadata: {annotations: {helm.sh/hook: post-delete}}\n";
    let rendered = released(&[("c/templates/x.yaml", &standing())], common);
    assert_eq!(complaints(&rendered), [format!("NetworkPolicy apps/x is not judged: {HOOK}")]);
    assert_eq!(of_chart(&rendered), "");
}

#[test]
fn a_list_is_a_hook_as_a_whole() {
    let item = standing();
    let item = item.replace('\n', "\n    ");
    let list = format!(
        "apiVersion: v1\nkind: List\nmetadata: {{annotations: {{helm.sh/hook: pre-install}}}}\nitems:\n  - {item}"
    );
    let rendered = released(&[("c/templates/x.yaml", &list)], "");
    assert_eq!(of_chart(&rendered), "");
    assert_eq!(complaints(&rendered), [format!("NetworkPolicy apps/x is not judged: {HOOK}")]);
}

#[rstest]
#[case::lookup("{{ if not (lookup \"v1\" \"Namespace\" \"\" \"apps\") }}", "lookup")]
#[case::kinds(
    "{{ if not (.Capabilities.APIVersions.Has \"cilium.io/v2\") }}",
    ".Capabilities.APIVersions"
)]
#[case::install("{{ if .Release.IsInstall }}", ".Release.IsInstall")]
#[case::upgrade("{{ if not .Release.IsUpgrade }}", ".Release.IsUpgrade")]
#[case::revision("{{ if eq (int .Release.Revision) 1 }}", ".Release.Revision")]
fn a_chart_that_asks_the_cluster_is_named(#[case] condition: &str, #[case] word: &str) {
    let wall = standing();
    let template = format!("# a note\n{condition}\n{wall}{{{{ end }}}}\n");
    let chart = [("c/templates/_x.tpl", ""), ("c/templates/x.yaml", template.as_str())];
    let rendered = released(&chart, "");
    assert_eq!(of_chart(&rendered), "NetworkPolicy apps/x");
    let expected = format!(
        "HelmRelease flux-system/r is not judged: its chart asks the cluster (`{word}`), so the \
         files do not tell what it renders there"
    );
    assert_eq!(complaints(&rendered), [expected]);
    let place = rendered.not_judged[0].location.as_ref().map(ToString::to_string);
    assert_eq!(place.as_deref(), Some("c/templates/x.yaml:2"));
    // The same words say nothing in a comment.
    let words = condition.replace("{{", "").replace("}}", "");
    let quiet = format!("{{{{/* {words} */}}}}\n# {words}\n{wall}");
    let rendered = released(&[("c/templates/x.yaml", &quiet)], "");
    assert_eq!(of_chart(&rendered), "NetworkPolicy apps/x");
    assert_eq!(complaints(&rendered), [""; 0]);
}

#[test]
fn a_chart_that_fails_for_want_of_an_answer_is_not_said_to_fail() {
    let asks =
        "{{ if not (.Capabilities.APIVersions.Has \"x/v1\") }}{{ fail \"no x\" }}{{ end }}\n";
    let rendered = released(&[("c/templates/x.yaml", asks)], "");
    let found = complaints(&rendered);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("HelmRelease flux-system/r is not judged: its chart asks"));
}

#[test]
fn values_that_are_templates_ask_as_well() {
    let template = "{{ tpl .Values.wall . }}\n";
    let values = "  values: {wall: '{{ if .Release.IsInstall }}{{ end }}'}\n";
    let rendered = released(&[("c/templates/x.yaml", template)], values);
    let notes = &rendered.not_judged;
    assert_eq!(notes.len(), 1, "{:?}", complaints(&rendered));
    let place = notes[0].location.as_ref().map(ToString::to_string);
    assert_eq!(place.as_deref(), Some("one/release.yaml:1"));
}

#[test]
fn a_program_that_is_killed_ends_no_rendering() {
    let folder = tempfile::tempdir().expect("a folder");
    // Written by another process, so that no fork of this one holds the file open for writing.
    let write = "printf '#!/bin/sh\\nkill -9 $$\\n' > helm && chmod +x helm";
    Tool::new("sh").args(["-c", write]).dir(folder.path()).run().expect("it is written");
    let programs = Programs { helm: folder.path().join("helm"), ..programs() };
    let options = Options { programs: &programs, cache: None, entry: None };
    let rendered = render(&layout(&[], ""), &[], &options).expect("the layout renders");
    let why = "`helm` was killed (by the system, where memory runs out)";
    let expected = [
        format!("HelmRelease r: InstallFailed: {why}"),
        format!("HelmRelease flux-system/r is not judged: {why}, so nothing of it is rendered"),
    ];
    assert_eq!(complaints(&rendered), expected);
    assert!(rendered.find("ConfigMap", "apps", "m").is_some());
}
