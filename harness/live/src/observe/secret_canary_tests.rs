use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;
use serde_json::json;

use super::*;

const VALUE: &str = "s3cret/+value of a tenant";

fn canaries() -> Vec<Canary> {
    vec![Canary::new("a/secrets.yaml secrets/token", VALUE)]
}

pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A text that is worth packing: what is too short for it stands in an archive as it is.
fn long(value: &str) -> String {
    format!("{}token: {value}\n", "a line of a manifest, again and again\n".repeat(40))
}

#[test]
fn one_that_is_planted_in_a_log_is_found_and_not_told() {
    let log = format!("level=info msg=\"starting\"\nlevel=debug token={VALUE} done\nmore\n");
    let found = search(&canaries(), "log of flux-system/x", log.as_bytes());
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("log of flux-system/x at 44, plain: a/secrets.yaml"), "{found:?}");
    assert!(!found[0].contains(VALUE) && !format!("{:?}", canaries()).contains(VALUE));
    let innocent = log.replace(VALUE, "somebody else's value");
    assert_eq!(search(&canaries(), "log", innocent.as_bytes()), Vec::<String>::new());
}

#[rstest]
#[case::base64_alone(STANDARD.encode(VALUE).into_bytes(), "base64")]
#[case::base64_behind_one(STANDARD.encode(format!("x{VALUE}y")).into_bytes(), "base64")]
#[case::base64_behind_two(STANDARD.encode(format!("xy{VALUE}")).into_bytes(), "base64")]
#[case::base64_in_a_text(STANDARD.encode(format!("password: {VALUE}\nmore")).into_bytes(), "base64")]
#[case::url(utf8_percent_encode(VALUE, NON_ALPHANUMERIC).to_string().into_bytes(), "URL-encoded")]
#[case::hexadecimal(VALUE.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes(), "hexadecimal")]
#[case::gzip(gzip(&long(VALUE)), "plain")]
#[case::helm(STANDARD.encode(gzip(&long(VALUE))).into_bytes(), "plain")]
fn every_form_is_found(#[case] bytes: Vec<u8>, #[case] form: &str) {
    let found = search(&canaries(), "x", &bytes);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(&format!(", {form}: ")), "{found:?}");
}

#[rstest]
#[case::page("<td>a&amp;b&quot;c&#x27;d&lt;e/f</td>", "HTML")]
#[case::junit("<failure>a&amp;b&quot;c&apos;d&lt;e/f</failure>", "HTML")]
#[case::decimal("a&amp;b&quot;c&#39;d&lt;e/f", "HTML")]
#[case::in_double_quotes("a&amp;b&quot;c'd&lt;e/f", "HTML")]
#[case::between_tags("<failure>a&amp;b\"c'd&lt;e/f</failure>", "XML")]
#[case::events(r#"{"a":"a&b\"c'd<e/f"}"#, "JSON")]
#[case::of_go(r#"{"a":"a\u0026b\"c'd\u003ce/f"}"#, "JSON")]
fn a_value_that_a_report_escapes_is_found(#[case] text: &str, #[case] form: &str) {
    let canaries = [Canary::new("x", "a&b\"c'd<e/f")];
    let found = search(&canaries, "report", text.as_bytes());
    assert_eq!(found.len(), 1);
    assert!(found[0].contains(&format!(", {form}: ")), "{found:?}");
}

#[test]
fn a_field_of_an_object_is_named() {
    let object = json!({"status": {"conditions": [{"message": format!("failed: {VALUE}")}]}});
    let found = search_json(&canaries(), "Kustomization a/b", &object);
    assert!(
        found[0].starts_with("Kustomization a/b.status.conditions[0].message at 8"),
        "{found:?}"
    );
    assert!(search_json(&canaries(), "x", &json!({"a": [1, null, "b"]})).is_empty());
}

#[test]
fn a_short_form_is_not_looked_for() {
    // The middle of a short value in base64 would be found by chance.
    let short = Canary::new("x", "abcdefgh");
    assert!(short.forms.iter().all(|(_, text)| text.expose_secret().len() >= SHORTEST));
}
