use super::*;
use partywall_core::source::SourceLocation;
use rstest::rstest;
use serde_json::json;

fn object(value: Value) -> Object {
    let origin = SourceLocation::new("x.yaml", 1);
    Object { value, origin, applied_by: String::new() }
}

fn objects() -> Vec<Object> {
    let sealed = "a: ENC[AES256_GCM,data:x]\nsops:\n  mac: ENC[m]\n";
    let base = |text: &str| STANDARD.encode(text);
    let secret = |name: &str, data: Value| {
        object(json!({"kind": "Secret", "metadata": {"name": name}, "data": data}))
    };
    let map = |name: &str, data: Value| {
        object(json!({"kind": "ConfigMap", "metadata": {"name": name}, "data": data}))
    };
    vec![
        map(
            "one",
            json!({"values.yaml": "x: {y: 1, z: 1}\nlist: [1, 2]\n", "other": "x: {y: 9}\n"}),
        ),
        map("two", json!({"values.yaml": "x: {y: 2}\nlist: [3]\n"})),
        map("text", json!({"values.yaml": "7"})),
        map("quoted", json!({"values.yaml": "'7'"})),
        map("odd", json!({"values.yaml": "a,b"})),
        secret("sealed", json!({"values.yaml": base(sealed)})),
        secret("whole", json!({"values.yaml": "ENC[AES256_GCM,data:x]"})),
    ]
}

fn composed(spec: Value) -> Result<Composed, ValuesError> {
    let objects = objects();
    compose(("ns", &spec), true, |kind, name| {
        objects.iter().find(|object| object.kind() == kind && object.name() == name)
    })
}

#[rstest]
#[case::later_wins(json!([{"kind": "ConfigMap", "name": "one"}, {"kind": "ConfigMap", "name": "two"}]), json!({}),
    json!({"x": {"y": 2, "z": 1}, "list": [3]}))]
#[case::own_values_are_last(json!([{"kind": "ConfigMap", "name": "one", "valuesKey": "other"}]), json!({"x": {"w": 0}, "y": null}),
    json!({"x": {"y": 9, "w": 0}, "y": null}))]
#[case::a_seal_is_dropped(json!([{"kind": "Secret", "name": "sealed"}]), json!({}), json!({"a": "ENC[AES256_GCM,data:x]"}))]
#[case::optional(json!([{"kind": "Secret", "name": "gone", "optional": true}]), json!({"a": 1}), json!({"a": 1}))]
#[case::target(json!([{"kind": "ConfigMap", "name": "text", "targetPath": "a.b\\.c[1].d"}]), json!({}),
    json!({"a": {"b.c": [null, {"d": 7}]}}))]
#[case::quoted_target(json!([{"kind": "ConfigMap", "name": "quoted", "targetPath": "a"}]), json!({}), json!({"a": "7"}))]
#[case::literal_target(json!([{"kind": "ConfigMap", "name": "text", "targetPath": "a", "literal": true}]), json!({}), json!({"a": "7"}))]
#[case::own_values_over_a_target(json!([{"kind": "ConfigMap", "name": "text", "targetPath": "a"}]), json!({"a": 1}), json!({"a": 1}))]
fn merges(#[case] from: Value, #[case] own: Value, #[case] expected: Value) {
    let composed = composed(json!({"valuesFrom": from, "values": own})).unwrap();
    assert_eq!(Value::Object(composed.values), expected);
    assert_eq!(composed.unread, Vec::<String>::new());
}

#[rstest]
#[case(json!([{"kind": "Secret", "name": "whole"}]), "Secret ns/whole key values.yaml is sealed as a whole")]
#[case(json!([{"kind": "ConfigMap", "name": "odd", "targetPath": "a"}]), "`a` of ConfigMap odd is taken literally, where Helm would parse it")]
fn names_what_it_cannot_read(#[case] from: Value, #[case] expected: &str) {
    assert_eq!(composed(json!({"valuesFrom": from})).unwrap().unread, [expected]);
}

#[rstest]
#[case(json!({"kind": "Secret", "name": "gone"}),
    "could not resolve Secret chart values reference 'ns/gone' with key 'values.yaml': secrets \"gone\" not found")]
#[case(json!({"kind": "ConfigMap", "name": "one", "valuesKey": "nokey"}),
    "could not resolve ConfigMap chart values reference 'ns/one' with key 'nokey': key not found")]
fn says_what_is_missing_in_flux_words(#[case] from: Value, #[case] expected: &str) {
    let error = composed(json!({"valuesFrom": [from]})).unwrap_err();
    assert_eq!(error, ValuesError::Missing(Failure::new("ValuesError", expected)));
}

#[rstest]
#[case("a[99999]")]
#[case(&"a.".repeat(100))]
#[case("")]
#[case("[0]")]
fn a_path_out_of_proportion_is_refused(#[case] path: &str) {
    assert!(!set(&mut Map::new(), &steps(path), json!(1)));
}

#[test]
fn a_text_is_no_mapping_of_values() {
    let error = composed(json!({"valuesFrom": [{"kind": "ConfigMap", "name": "text"}]}));
    assert!(matches!(error, Err(ValuesError::Wrong(_))), "{error:?}");
}
