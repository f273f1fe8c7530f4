use super::*;
use crate::render::tree::Sources;
use partywall_core::Layout;
use rstest::rstest;

fn closure(files: &[(&str, &str)]) -> Result<Vec<String>, Refusal> {
    let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    let sources = Sources::new(&Layout::new(files).unwrap(), &[]);
    let tree = Tree { sources: &sources, prefix: String::new() };
    let root = kustomization(&tree, "a/kustomization.yaml").unwrap();
    files_of(&tree, "a", &[&root]).map(|files| files.into_iter().collect())
}

#[test]
fn finds_what_a_build_reads() {
    let root = "resources: [x.yaml, ../base, gone.yaml]\nconfigurations: [../names.yaml]\n\
                configMapGenerator: [{name: c, files: [k=v.txt, w.txt], envs: [e.env]}]\n\
                patches: [{path: p.yaml}, {patch: \"a: b\\n\"}]\ncomponents: [../part]\n";
    let files = closure(&[
        ("a/kustomization.yaml", root),
        ("a/x.yaml", "kind: X\n"),
        ("a/unused.yaml", "kind: X\n"),
        ("a/v.txt", "v"),
        ("a/w.txt", "w"),
        ("a/e.env", "E=1"),
        ("a/p.yaml", "kind: X\n"),
        ("names.yaml", "nameReference: []\n"),
        ("base/kustomization.yml", "resources: [y.yaml, ../a]\n"),
        ("base/y.yaml", "kind: Y\n"),
        ("part/kustomization.yaml", "kind: Component\n"),
    ]);
    let expected = [
        "a/e.env",
        "a/kustomization.yaml",
        "a/p.yaml",
        "a/v.txt",
        "a/w.txt",
        "a/x.yaml",
        "base/kustomization.yml",
        "base/y.yaml",
        "names.yaml",
        "part/kustomization.yaml",
    ];
    assert_eq!(files.unwrap(), expected);
}

#[rstest]
#[case("resources: [https://example.com/a.yaml]")]
#[case("resources: ['github.com/org/repo//deploy?ref=v1']")]
#[case("resources: ['GitHub.com:org/repo']")]
#[case("components: ['git@example.com:org/repo']")]
#[case("bases: ['ssh://git@example.com/org/repo']")]
#[case("resources: ['git::https://example.com/a']")]
#[case("resources: ['gh:org/repo']")]
#[case("resources: ['file:///etc']")]
#[case("configMapGenerator: [{name: x, files: ['a=https://example.com/a']}]")]
#[case("secretGenerator: [{name: x, envs: ['https://example.com/a']}]")]
#[case("patches: [{path: https://example.com/a}]")]
#[case("openapi: {path: https://example.com/a}")]
#[case("transformers: [https://example.com/a]")]
fn refuses_what_is_elsewhere(#[case] text: &str) {
    let refused = closure(&[("a/kustomization.yaml", text)]).unwrap_err();
    assert!(matches!(refused, Refusal::Remote { .. }), "{refused:?}");
}

#[rstest]
#[case("resources: [../../x.yaml]")]
#[case("resources: [/etc/passwd]")]
#[case("configMapGenerator: [{name: x, files: [a=../../../etc/passwd]}]")]
#[case("patchesStrategicMerge: [/etc/passwd]")]
#[case("replacements: [{path: ../../x}]")]
#[case("crds: [../../x]")]
fn refuses_paths_out_of_the_tree(#[case] text: &str) {
    let refused = closure(&[("a/kustomization.yaml", text)]).unwrap_err();
    let location = SourceLocation::new("a/kustomization.yaml", 1);
    assert!(
        matches!(&refused, Refusal::Escapes { location: at, .. } if *at == location),
        "{refused:?}"
    );
}

#[rstest]
#[case("apiVersion: builtin\nkind: LabelTransformer\nlabels: {a: b}\n", true)]
#[case("apiVersion: builtin\nkind: ConfigMapGenerator\nfiles: [/etc/passwd]\n", false)]
#[case("apiVersion: builtin\nkind: PatchTransformer\npath: /etc/passwd\n", false)]
#[case("apiVersion: builtin\nkind: HelmChartInflationGenerator\n", false)]
#[case("apiVersion: example.com/v1\nkind: Anything\n", false)]
fn lets_plugins_through_that_read_nothing(#[case] plugin: &str, #[case] expected: bool) {
    let in_file =
        closure(&[("a/kustomization.yaml", "transformers: [t.yaml]\n"), ("a/t.yaml", plugin)]);
    assert_eq!(in_file.is_ok(), expected, "{in_file:?}");
    let text = serde_json::to_string(plugin).unwrap();
    let in_place = closure(&[("a/kustomization.yaml", &format!("generators: [{text}]\n"))]);
    assert_eq!(in_place.is_ok(), expected, "{in_place:?}");
}
