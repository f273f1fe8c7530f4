use super::*;
use rstest::rstest;
use serde_json::json;

fn asked(files: &[(&str, &str)], values: Value) -> String {
    let files = files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    let shown = |question: Question| match question.place {
        Some((file, line)) => format!("{} {file}:{line}", question.word),
        None => format!("{} in values", question.word),
    };
    let found = questions(&files, "c", &Map::from_iter([("x".to_string(), values)]));
    found.into_iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[rstest]
#[case::function("a\n{{ if (lookup \"v1\" \"Secret\" \"n\" \"s\") }}", "lookup c/templates/a:2")]
#[case::deep_in_an_action(
    "{{- if and .Values.x\n  (not (lookup `}}` \"\")) }}",
    "lookup c/templates/a:2"
)]
#[case::kinds(
    "{{ .Capabilities.APIVersions.Has \"x/v1\" }}",
    ".Capabilities.APIVersions c/templates/a:1"
)]
#[case::with("{{ with $.Release }}{{ .IsInstall }}{{ end }}", ".Release.IsInstall c/templates/a:1")]
#[case::index("{{ index .Release \"IsUpgrade\" }}", ".Release.IsUpgrade c/templates/a:1")]
#[case::revision("{{ $.Release.Revision }}", ".Release.Revision c/templates/a:1")]
#[case::in_a_note_of_yaml("# {{ lookup \"v1\" }}", "lookup c/templates/a:1")]
#[case::behind_a_text("{{ \"}}\" | lookup }}", "lookup c/templates/a:1")]
#[case::twice(
    "{{ lookup 1 }}{{ lookup 2 }}{{ .Release.Revision }}",
    "lookup c/templates/a:1, .Release.Revision c/templates/a:1"
)]
#[case::comment("{{/* lookup .Release.IsInstall */}}{{- /* lookup\n */ -}}x", "")]
#[case::behind_a_comment("{{/* x */}}{{ lookup 1 }}", "lookup c/templates/a:1")]
#[case::prose("# we lookup .Release.Revision", "")]
#[case::others("{{ .Release.Name }}{{ .Capabilities.KubeVersion }}{{ .Values.lookup }}", "")]
#[case::own_value("{{ .Values.image.Revision }}{{ include \"c.lookup\" . }}{{ $lookup }}", "")]
fn finds_what_a_template_asks(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(asked(&[("c/templates/a", text)], Value::Null), expected);
}

#[test]
fn a_chart_within_is_read_and_what_is_no_template_is_not() {
    let asks = "{{ lookup 1 }}";
    assert_eq!(asked(&[("c/values.yaml", asks), ("c/crds/x.yaml", asks)], json!(asks)), "");
    let within = "c/charts/d/templates/_x.tpl";
    assert_eq!(asked(&[(within, asks)], Value::Null), format!("lookup {within}:1"));
}

#[test]
fn what_a_chart_renders_out_of_texts_is_read() {
    let renders = ("c/templates/a.yaml", "{{ tpl .Values.more . }}");
    let asks = "x: '{{ lookup \"v1\" }}'";
    assert_eq!(asked(&[renders, ("c/files/more", asks)], Value::Null), "lookup c/files/more:1");
    assert_eq!(asked(&[renders], json!({"a": [asks]})), "lookup in values");
    assert_eq!(asked(&[renders], json!({"{{ lookup 1 }}": 1})), "lookup in values");
    let quoted = json!({"a": asks}).to_string();
    assert_eq!(
        asked(&[renders, ("c/values.yaml", &quoted)], Value::Null),
        "lookup c/values.yaml:1"
    );
}
