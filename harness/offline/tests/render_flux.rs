//! Small layouts, each with one feature or one mistake, rendered by the pinned programs.

mod render_support;

use partywall_core::Layout;
use partywall_offline::render::{Rendered, Repository};
use render_support::{complaints, rendered};
use rstest::rstest;

fn small(files: &[(&str, &str)]) -> Layout {
    let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    Layout::lenient(files)
}

const SYNC: &str = "apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {url: https://example.com/fleet.git, ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {path: ./clusters/one, sourceRef: {kind: GitRepository, name: flux-system}}
";

/// A Flux Kustomization of the folder `apps`, with more in its `spec`.
fn apps(more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
         metadata: {{name: apps, namespace: flux-system}}\n\
         spec: {{path: ./apps, sourceRef: {{kind: GitRepository, name: flux-system}}{more}}}\n"
    )
}

const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: flux-system}\n\
                        data: {REGION: west}\n";
const APP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: apps}\n\
                   data: {region: '${REGION:=none}', image: x}\n";

#[rstest]
#[case::plain("", "${REGION:=none} app apps")]
#[case::substitute(", postBuild: {substitute: {REGION: east}}", "east app apps")]
#[case::substitute_from(
    ", postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}",
    "west app apps"
)]
#[case::optional(
    ", postBuild: {substituteFrom: [{kind: ConfigMap, name: gone, optional: true}], substituteStrategy: Always}",
    "none app apps"
)]
#[case::renamed(
    ", targetNamespace: other, namePrefix: a-, nameSuffix: -z",
    "${REGION:=none} a-app-z other"
)]
#[case::patched(
    ", patches: [{patch: '[{\"op\": \"replace\", \"path\": \"/data/region\", \"value\": \"patched\"}]', target: {kind: ConfigMap}}]",
    "patched app apps"
)]
fn a_kustomization_changes_what_it_builds(#[case] more: &str, #[case] expected: &str) {
    let layout = small(&[
        ("clusters/one/gotk-sync.yaml", SYNC),
        ("clusters/one/settings.yaml", SETTINGS),
        ("clusters/one/apps.yaml", &apps(more)),
        ("apps/app.yaml", APP),
        ("apps/note.txt", "no manifest"),
    ]);
    let rendered = rendered(&layout, &[]);
    assert_eq!(complaints(&rendered), [""; 0]);
    let app = rendered
        .objects
        .iter()
        .find(|object| object.origin.file == "apps/app.yaml")
        .expect("the app");
    let region = app.text(&["data", "region"]).unwrap_or_default();
    assert_eq!(format!("{region} {} {}", app.name(), app.namespace()), expected);
}

#[rstest]
#[case::remote(
    "", "resources: [https://example.com/base.yaml]\n",
    "Kustomization apps: BuildFailed: kustomize build failed: accumulating resources from 'https://example.com/base.yaml': remote bases are not allowed (apps/kustomization.yaml:1)
Kustomization flux-system/apps is not judged: `https://example.com/base.yaml` lies elsewhere, and nothing is fetched"
)]
#[case::escape(
    "",
    "resources: [../../etc/passwd]\n",
    "Kustomization apps: BuildFailed: kustomize build failed: accumulating resources from '../../etc/passwd': security; file '../../etc/passwd' is not in or below '/' (apps/kustomization.yaml:1)"
)]
#[case::component(
    ", components: ['https://example.com/x']",
    "resources: [app.yaml]\n",
    "Kustomization apps: BuildFailed: component path 'https://example.com/x' must be local and relative"
)]
#[case::missing_source(
    ", sourceRef: {kind: GitRepository, name: gone}",
    "resources: [app.yaml]\n",
    "Kustomization apps: ArtifactFailed: GitRepository.source.toolkit.fluxcd.io \"gone\" not found"
)]
#[case::other_source(
    ", sourceRef: {kind: OCIRepository, name: images}",
    "resources: [app.yaml]\n",
    "Kustomization flux-system/apps is not judged: OCIRepository flux-system/images is at `oci://example.com/x`, for which no folder stands (hint: `repositories` of the contract)"
)]
#[case::foreign_source(
    ", sourceRef: {kind: GitRepository, name: x, namespace: other}",
    "resources: [app.yaml]\n",
    "Kustomization apps: AccessDenied: can't access 'GitRepository/other/x', cross-namespace references have been blocked"
)]
#[case::missing_folder(
    ", path: ./gone",
    "resources: [app.yaml]\n",
    "Kustomization apps: ArtifactFailed: kustomization path not found: stat /gone: no such file or directory"
)]
#[case::dependency(
    ", dependsOn: [{name: gone}]",
    "resources: [app.yaml]\n",
    "Kustomization apps: DependencyNotReady: dependency 'flux-system/gone' not found"
)]
#[case::itself(
    ", dependsOn: [{name: apps}]",
    "resources: [app.yaml]\n",
    "Kustomization apps: DependencyNotReady: dependency 'flux-system/apps' is not ready"
)]
#[case::suspended(
    ", suspend: true",
    "resources: [app.yaml]\n",
    "Kustomization flux-system/apps is not judged: it is suspended: nothing of it is applied"
)]
#[case::unset_variable(
    ", postBuild: {substitute: {X: '1'}}",
    "resources: [strict.yaml]\n",
    "Kustomization apps: BuildFailed: post build failed for 'ConfigMap.v1.[noGrp]/app': envsubst error: variable substitution failed: variable not set (strict mode): \"REGION\""
)]
#[case::sealed(
    "",
    "resources: [sealed.yaml]\n",
    "Kustomization apps: ReconciliationFailed: Secret/apps/s is SOPS encrypted, configuring decryption is required for this secret to be reconciled"
)]
#[case::plugin(
    "", "resources: [app.yaml]\ntransformers: [strict.yaml]\n",
    "Kustomization apps: BuildFailed: kustomize build failed: plugin 'ConfigMap' is not run (apps/kustomization.yaml:2)
Kustomization flux-system/apps is not judged: the Kustomize plugin `ConfigMap` is not run"
)]
fn what_is_wrong_is_said_in_flux_words(
    #[case] more: &str,
    #[case] file: &str,
    #[case] expected: &str,
) {
    // The last of two equal keys is what the case is about.
    let flux = match more.split_once(", path:").or_else(|| more.split_once(", sourceRef:")) {
        Some(_) if more.starts_with(", path") => apps("").replace("path: ./apps", &more[2..]),
        Some(_) => {
            apps("").replace("sourceRef: {kind: GitRepository, name: flux-system}", &more[2..])
        }
        None => apps(more),
    };
    let oci = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\n\
               metadata: {name: images, namespace: flux-system}\nspec: {url: 'oci://example.com/x'}\n";
    let sealed = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: apps}\n\
                  data: {a: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: x}\n";
    let layout = small(&[
        ("clusters/one/gotk-sync.yaml", SYNC),
        ("clusters/one/apps.yaml", &flux),
        ("clusters/one/oci.yaml", oci),
        ("apps/kustomization.yaml", file),
        ("apps/app.yaml", APP),
        ("apps/strict.yaml", &APP.replace(":=none", "")),
        ("apps/sealed.yaml", sealed),
    ]);
    let rendered = rendered(&layout, &[]);
    assert_eq!(complaints(&rendered).join("\n"), expected);
    assert!(!rendered.objects.iter().any(|object| object.origin.file.starts_with("apps/")));
}

const CHART: [(&str, &str); 6] = [
    (
        "needy/Chart.yaml",
        "apiVersion: v2\nname: needy\nversion: 0.1.0\ndependencies: [{name: other, version: 1.x.x, repository: https://example.com}]\n",
    ),
    ("c/templates/fail.yaml", "{{ if .Values.fail }}{{ fail \"as asked\" }}{{ end }}"),
    ("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n"),
    ("c/values.yaml", "word: default\nport: 1\n"),
    ("c/other.yaml", "word: other\n"),
    (
        "c/templates/all.yaml",
        "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  said: '{{ .Values.word }} {{ .Values.port }}'\n",
    ),
];

/// A HelmRelease of the chart above, with more in its `spec`.
fn release(more: &str, chart: &str) -> String {
    let own = format!(
        ", chart: {{spec: {{chart: ./c, sourceRef: {{kind: GitRepository, name: charts}}{chart}}}}}"
    );
    let own = if more.starts_with(", chart") { "" } else { &own };
    let spec = format!("{own}{more}");
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: r, namespace: flux-system}}\n\
         spec: {{{}}}\n",
        spec.trim_start_matches(", ")
    )
}

fn released(more: &str, chart: &str) -> Rendered {
    let charts = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n\
                  metadata: {name: charts, namespace: flux-system}\nspec: {url: https://example.com/charts}\n";
    let layout = small(&[
        ("clusters/one/gotk-sync.yaml", SYNC),
        ("clusters/one/charts.yaml", charts),
        (
            "clusters/one/hub.yaml",
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: hub, namespace: flux-system}\nspec: {url: https://example.com/hub}\n",
        ),
        ("clusters/one/release.yaml", &release(more, chart)),
        (
            "clusters/one/values.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, namespace: flux-system}\ndata: {values.yaml: 'word: from-map'}\n",
        ),
    ]);
    let files = CHART.map(|(path, text)| (path.to_string(), text.to_string())).into();
    let prefix = "../charts".to_string();
    let repository =
        Repository { url: "https://example.com/charts.git".to_string(), prefix, files };
    rendered(&layout, &[repository])
}

#[rstest]
#[case::defaults("", "", "flux-system/r default 1")]
#[case::values(", values: {word: own}", "", "flux-system/r own 1")]
#[case::values_from(
    ", valuesFrom: [{kind: ConfigMap, name: values}]",
    "",
    "flux-system/r from-map 1"
)]
#[case::own_over_from(
    ", valuesFrom: [{kind: ConfigMap, name: values}], values: {word: own}",
    "",
    "flux-system/r own 1"
)]
#[case::target(", targetNamespace: other", "", "other/other-r default 1")]
#[case::named(", releaseName: name", "", "flux-system/name default 1")]
#[case::values_files("", ", valuesFiles: [c/other.yaml]", "flux-system/r other ")]
#[case::post_rendered(
    ", postRenderers: [{kustomize: {patches: [{patch: '[{\"op\": \"replace\", \"path\": \"/data/said\", \"value\": \"patched\"}]', target: {kind: ConfigMap}}]}}]",
    "",
    "flux-system/r patched"
)]
#[case::a_name_is_no_flag(", releaseName: --post-renderer=x", "", "")]
fn a_release_is_templated(#[case] more: &str, #[case] chart: &str, #[case] expected: &str) {
    let rendered = released(more, chart);
    let object =
        rendered.objects.iter().find(|object| object.applied_by.starts_with("HelmRelease"));
    let shown = object.map_or(String::new(), |object| {
        assert_eq!(object.origin.to_string(), "../charts/c/templates/all.yaml:1");
        let said = object.text(&["data", "said"]).unwrap_or_default();
        format!("{}/{} {said}", object.namespace(), object.name())
    });
    assert_eq!(shown, expected, "{:?}", complaints(&rendered));
    assert_eq!(complaints(&rendered).is_empty(), !expected.is_empty());
}

#[rstest]
#[case(
    ", valuesFrom: [{kind: Secret, name: gone}]",
    "HelmRelease r: ValuesError: could not resolve Secret chart values reference 'flux-system/gone' with key 'values.yaml': secrets \"gone\" not found"
)]
#[case(
    ", dependsOn: [{name: gone}]",
    "HelmRelease r: DependencyNotReady: unable to get 'flux-system/gone' dependency"
)]
#[case(
    ", chart: {spec: {chart: ./gone, sourceRef: {kind: GitRepository, name: charts}}}",
    "HelmRelease r: SourceNotReady: HelmChart 'flux-system/flux-system-r' is not ready: no chart at path './gone'
HelmChart flux-system-r: SourceUnavailable: no chart at path './gone'"
)]
#[case(
    ", chart: {spec: {chart: ./c, sourceRef: {kind: GitRepository, name: gone}}}",
    "HelmRelease r: SourceNotReady: HelmChart 'flux-system/flux-system-r' is not ready: failed to get source: GitRepository.source.toolkit.fluxcd.io \"gone\" not found
HelmChart flux-system-r: SourceUnavailable: failed to get source: GitRepository.source.toolkit.fluxcd.io \"gone\" not found"
)]
#[case(
    ", chart: {spec: {chart: c, sourceRef: {kind: HelmRepository, name: hub}}}",
    "HelmRelease flux-system/r is not judged: its chart cannot be had: HelmRepository flux-system/hub is at `https://example.com/hub`, for which no folder stands (hint: `repositories` of the contract)"
)]
#[case(
    ", chart: {spec: {chart: c, sourceRef: {kind: GitRepository, name: charts, namespace: other}}}",
    "HelmRelease r: AccessDenied: cross-namespace references are not allowed: cannot access HelmChart other/flux-system-r"
)]
#[case(
    ", chartRef: {kind: OCIRepository, name: x}",
    "HelmRelease flux-system/r is not judged: its chart cannot be had: OCIRepository flux-system/x is not at hand"
)]
#[case(
    ", chart: {spec: {chart: ./needy, sourceRef: {kind: GitRepository, name: charts}}}",
    "HelmRelease flux-system/r is not judged: its chart needs the chart `other`, which is not in the repository"
)]
#[case(
    ", chart: {spec: {chart: ./c, sourceRef: {kind: GitRepository, name: charts}}}, values: {port: {a: b}, word: null, fail: true}",
    "HelmRelease r: InstallFailed: Helm install failed for release flux-system/r with chart c@0.1.0: execution error at (c/templates/fail.yaml:1:24): as asked"
)]
fn a_release_says_what_it_lacks(#[case] more: &str, #[case] expected: &str) {
    assert_eq!(complaints(&released(more, "")).join("\n"), expected);
}

#[test]
fn without_flux_nothing_is_applied() {
    let rendered = rendered(&small(&[("a.yaml", APP)]), &[]);
    assert!(rendered.objects.is_empty());
    let expected = "the layout is not judged: nothing says what Flux applies: there is no gotk-sync.yaml and no Flux Kustomization";
    assert_eq!(complaints(&rendered), [expected]);
}

#[test]
fn what_two_apply_is_named() {
    let again = apps("").replace("name: apps", "name: again");
    let layout = small(&[
        ("clusters/one/gotk-sync.yaml", SYNC),
        ("clusters/one/apps.yaml", &apps("")),
        ("clusters/one/again.yaml", &again),
        ("apps/app.yaml", APP),
    ]);
    let rendered = rendered(&layout, &[]);
    let found = complaints(&rendered);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("ConfigMap apps/app is not judged: applied twice: by "),
        "{found:?}"
    );
    assert_eq!(rendered.of_kind("ConfigMap").count(), 1);
}
